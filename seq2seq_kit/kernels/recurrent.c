/* LSTM and GRU over whole sequences as operations of TensorFlow, for CPUs. Written against its C interface. */
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

/* TensorFlow's ops.h names these without declaring them as types, which only C++ takes. */
typedef struct TF_DimensionHandle TF_DimensionHandle;
typedef struct TF_OpDefinitionBuilder TF_OpDefinitionBuilder;
typedef struct TF_ShapeHandle TF_ShapeHandle;
typedef struct TF_ShapeInferenceContext TF_ShapeInferenceContext;
#include "tensorflow/c/kernels.h"
#include "tensorflow/c/ops.h"

/* A tile of MR rows and two vectors of columns, with its operands, fills the registers of the machine. */
#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#define MR 12
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#define MR 6
#else
#define VECTOR_BYTES 16
#define MR 6
#endif
#define MOST_ROWS 64 /* sequences that go through all steps together, so that a step's numbers stay in the second cache */
#define DEPTH 256    /* rows that wait for the product that becomes the gradient of the weights */
#define MOST_THREADS 64
#define LEFT_OUT -1  /* in place of a gate, which lies between 0 and 1 */
#define FLAGS 7
#define WORK_OF_A_THREAD 2e6 /* operations below which starting a thread costs more than it saves */

typedef struct {
  long batch, steps, features, units, x_width, h_width;
  int lstm, repeated, backwards, zeros, masked;
  int together; /* one product takes state and inputs: not for a GRU's candidate, nor where x is repeated */
} Shape;

/* Whether step t, in the order of processing, counts. */
static int valid_step(const Shape *s, const unsigned char *mask, long row, long t) {
  return !mask || mask[row * s->steps + (s->backwards ? s->steps - 1 - t : t)];
}

/* Whether the last output of a row is its final state, and not the zeros of a row from which nothing has come out. */
static int comes_out(const Shape *s, const unsigned char *mask, long row) {
  for (long t = s->steps - 1; t >= 0; t--) {
    if (valid_step(s, mask, row, t)) return 1;
    if (s->zeros) return 0;
  }
  return 0;
}

static void *allocate(long bytes) {
  void *memory = NULL;
  return posix_memalign(&memory, 64, bytes ? bytes : 64) ? NULL : memory;
}

/* Numbers next to zero make some processors a hundred times slower; TensorFlow takes them for zero, too. */
static unsigned flush_denormals(void) {
#if defined(__SSE__)
  unsigned before = _mm_getcsr();
  _mm_setcsr(before | 0x8040);
  return before;
#else
  return 0;
#endif
}

static void restore_denormals(unsigned before) {
#if defined(__SSE__)
  _mm_setcsr(before);
#else
  (void)before;
#endif
}

#include "threads.h"

static int pieces_of(const Shape *s, long threads) {
  double work = 8.0 * s->batch * s->steps * s->units * (s->units + s->features);
  long most = (long)(work / WORK_OF_A_THREAD) + 1;
  if (most > threads) most = threads;
  if (most > s->batch) most = s->batch;
  if (most > MOST_THREADS) most = MOST_THREADS;
  return most < 1 ? 1 : (int)most;
}

/* ---- TensorFlow's side ---- */

enum { X, STEPS, H0, C0, KERNEL, RECURRENT, BIAS, MASK, INPUTS, GATES, CELLS, DOUT, DLAST, DH, DC, MOST_INPUTS };

typedef struct {
  int64_t threads;
  unsigned char lstm, repeated, backwards, zeros, sequences, keep, of_x;
} Attributes;

typedef struct {
  const Attributes *attributes;
  TF_OpKernelContext *context;
  TF_Status *status;
  TF_DataType type;
  size_t size;
  TF_Tensor *inputs[MOST_INPUTS], *outputs[8];
} Call;

static int ok(const Call *call) { return TF_GetCode(call->status) == TF_OK; }

static void fail(Call *call, TF_Code code, const char *format, ...) {
  char text[300];
  va_list values;
  va_start(values, format);
  vsnprintf(text, sizeof(text), format, values);
  va_end(values);
  TF_SetStatus(call->status, code, text);
}

static TF_Tensor *tensor(Call *call, int place) {
  if (!call->inputs[place] && ok(call)) TF_GetInput(call->context, place, &call->inputs[place], call->status);
  return ok(call) ? call->inputs[place] : NULL;
}

/* A dimension of an input of `rank` dimensions. */
static long dimension(Call *call, int place, int rank, int axis) {
  TF_Tensor *given = tensor(call, place);
  if (!given) return 0;
  if (TF_NumDims(given) != rank) {
    fail(call, TF_INVALID_ARGUMENT, "input %d must have %d dimensions. Received: %d", place, rank, TF_NumDims(given));
    return 0;
  }
  return (long)TF_Dim(given, axis);
}

/* The numbers of an input, which must have the dimensions given; `rank` 0: looked at before. */
static void *input(Call *call, int place, int rank, ...) {
  va_list dims;
  va_start(dims, rank);
  for (int axis = 0; axis < rank; axis++) {
    long expected = va_arg(dims, long), found = dimension(call, place, rank, axis);
    if (ok(call) && found != expected)
      fail(call, TF_INVALID_ARGUMENT, "dimension %d of input %d must be %ld. Received: %ld", axis, place, expected, found);
  }
  va_end(dims);
  TF_Tensor *given = tensor(call, place);
  return given ? TF_TensorData(given) : NULL;
}

/* A new output; NULL where it is empty. */
static void *output(Call *call, int place, int rank, ...) {
  if (!ok(call)) return NULL;
  int64_t dims[3] = {0};
  size_t count = 1;
  va_list given;
  va_start(given, rank);
  for (int axis = 0; axis < rank; axis++) count *= dims[axis] = va_arg(given, long);
  va_end(given);
  call->outputs[place] = TF_AllocateOutput(call->context, place, call->type, dims, rank, count * call->size, call->status);
  return ok(call) && count ? TF_TensorData(call->outputs[place]) : NULL;
}

static Shape shape_of(Call *call) {
  const Attributes *a = call->attributes;
  Shape s = {.lstm = a->lstm, .repeated = a->repeated, .backwards = a->backwards, .zeros = a->zeros};
  s.together = s.lstm && !s.repeated;
  int rank = s.repeated ? 2 : 3;
  s.batch = dimension(call, X, rank, 0), s.features = dimension(call, X, rank, rank - 1);
  s.units = dimension(call, RECURRENT, 2, 0);
  s.h_width = s.x_width = (s.lstm ? 4 : 3) * s.units;
  TF_Tensor *steps = tensor(call, STEPS), *mask = tensor(call, MASK);
  if (!ok(call)) return s;
  if (TF_TensorByteSize(steps) < sizeof(int32_t)) fail(call, TF_INVALID_ARGUMENT, "the number of steps is empty");
  if (!ok(call)) return s;
  s.steps = s.repeated ? *(int32_t *)TF_TensorData(steps) : dimension(call, X, rank, 1);
  s.masked = TF_NumDims(mask) != 2 || TF_Dim(mask, 0) || TF_Dim(mask, 1); /* (0, 0) stands for none */
  if (s.steps < 1) fail(call, TF_INVALID_ARGUMENT, "a recurrent layer needs at least one step. Received: %ld", s.steps);
  return s;
}

static void finish(Call *call) {
  if (!ok(call)) TF_OpKernelContext_Failure(call->context, call->status);
  for (int i = 0; i < MOST_INPUTS; i++) TF_DeleteTensor(call->inputs[i]);
  for (int i = 0; i < 8; i++) TF_DeleteTensor(call->outputs[i]);
  TF_DeleteStatus(call->status);
}

#define real float
#define NAME(x) f_##x
#define TYPE TF_FLOAT
#define SINGLE
#include "real.h"
#undef real
#undef NAME
#undef TYPE
#undef SINGLE
#undef LANES
#undef NR
#define real double
#define NAME(x) d_##x
#define TYPE TF_DOUBLE
#include "real.h"

static void *create(TF_OpKernelConstruction *construction) {
  Attributes *a = calloc(1, sizeof(Attributes));
  TF_Status *status = TF_NewStatus();
  const char *names[] = {"lstm", "repeated", "backwards", "zeros", "sequences", "keep", "of_x"};
  unsigned char *values[] = {&a->lstm, &a->repeated, &a->backwards, &a->zeros, &a->sequences, &a->keep, &a->of_x};
  for (int i = 0; i < FLAGS; i++) TF_OpKernelConstruction_GetAttrBool(construction, names[i], values[i], status);
  TF_OpKernelConstruction_GetAttrInt64(construction, "threads", &a->threads, status);
  if (TF_GetCode(status) != TF_OK) TF_OpKernelConstruction_Failure(construction, status);
  TF_DeleteStatus(status);
  return a;
}

static void unknown_shapes(TF_ShapeInferenceContext *context, TF_Status *status) {
  TF_ShapeInferenceContextSetUnknownShape(context, status);
}

static void define(const char *name, const char **inputs, const char **outputs, void (*of_float)(void *, TF_OpKernelContext *),
                   void (*of_double)(void *, TF_OpKernelContext *)) {
  TF_Status *status = TF_NewStatus();
  TF_OpDefinitionBuilder *builder = TF_NewOpDefinitionBuilder(name);
  TF_OpDefinitionBuilderAddAttr(builder, "T: {float, double}");
  TF_OpDefinitionBuilderAddAttr(builder, "threads: int = 1");
  const char *flags[] = {"lstm: bool = true", "repeated: bool = false", "backwards: bool = false", "zeros: bool = false",
                         "sequences: bool = true", "keep: bool = true", "of_x: bool = true"};
  for (int i = 0; i < FLAGS; i++) TF_OpDefinitionBuilderAddAttr(builder, flags[i]);
  for (; *inputs; inputs++) TF_OpDefinitionBuilderAddInput(builder, *inputs);
  for (; *outputs; outputs++) TF_OpDefinitionBuilderAddOutput(builder, *outputs);
  TF_OpDefinitionBuilderSetShapeInferenceFunction(builder, unknown_shapes);
  TF_RegisterOpDefinition(builder, status);
  void (*compute[])(void *, TF_OpKernelContext *) = {of_float, of_double};
  TF_DataType types[] = {TF_FLOAT, TF_DOUBLE};
  for (int i = 0; i < 2 && TF_GetCode(status) == TF_OK; i++) {
    TF_KernelBuilder *kernel = TF_NewKernelBuilder(name, "CPU", create, compute[i], free);
    TF_KernelBuilder_TypeConstraint(kernel, "T", types[i], status);
    TF_RegisterKernelBuilder(name, kernel, status);
  }
  if (TF_GetCode(status) != TF_OK) fprintf(stderr, "%s: %s\n", name, TF_Message(status));
  TF_DeleteStatus(status);
}

#define GIVEN "x: T", "steps: int32", "h0: T", "c0: T", "kernel: T", "recurrent: T", "bias: T", "mask: bool"
#define KEPT "inputs: T", "gates: T", "cells: T"

__attribute__((constructor)) static void define_all(void) {
  const char *forward_in[] = {GIVEN, NULL}, *forward_out[] = {"out: T", "last: T", "h: T", "c: T", KEPT, NULL};
  const char *backward_in[] = {GIVEN, KEPT, "dout: T", "dlast: T", "dh: T", "dc: T", NULL};
  const char *backward_out[] = {"dx: T", "dh0: T", "dc0: T", "dkernel: T", "drecurrent: T", "dbias: T", NULL};
  pthread_atfork(NULL, NULL, begin_again);
  define("Seq2seqKitRecurrent", forward_in, forward_out, f_compute_forward, d_compute_forward);
  define("Seq2seqKitRecurrentGrad", backward_in, backward_out, f_compute_backward, d_compute_backward);
}
