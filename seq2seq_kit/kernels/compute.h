/* TensorFlow's tensors to jobs, and jobs to threads. */

typedef struct {
  NAME(Job) job;
  long from, to, scratch_size;
  void (*run)(const NAME(Job) *, long, long, real *);
  int failed;
} NAME(Piece);

static void NAME(run_piece)(void *pieces, int number) {
  NAME(Piece) *piece = (NAME(Piece) *)pieces + number;
  real *scratch = allocate(piece->scratch_size * sizeof(real));
  piece->failed = !scratch;
  for (long from = piece->from; scratch && from < piece->to; from += MOST_ROWS)
    piece->run(&piece->job, from, from + MOST_ROWS < piece->to ? from + MOST_ROWS : piece->to, scratch);
  free(scratch);
}

/* Runs all pieces. False: memory is short. */
static int NAME(run_pieces)(NAME(Piece) *pieces, int count) {
  int failed = 0;
  run_all(NAME(run_piece), pieces, count);
  for (int i = 0; i < count; i++) failed |= pieces[i].failed;
  return !failed;
}

/* What is given to the forward and to the backward operation. */
static NAME(Job) NAME(given)(Call *call, const Shape *s, const real **kernel, const real **recurrent) {
  NAME(Job) job = {.shape = s};
  job.x = input(call, X, 0), job.h0 = input(call, H0, 2, s->batch, s->units);
  job.c0 = s->lstm ? input(call, C0, 2, s->batch, s->units) : NULL;
  *kernel = input(call, KERNEL, 2, s->features, s->x_width);
  *recurrent = input(call, RECURRENT, 2, s->units, s->h_width);
  job.bias = input(call, BIAS, 1, 4 * s->units);
  job.mask = s->masked ? input(call, MASK, 2, s->batch, s->steps) : NULL;
  return job;
}

static void NAME(compute_forward)(void *attributes, TF_OpKernelContext *context) {
  Call call = {.attributes = attributes, .context = context, .status = TF_NewStatus(), .type = TYPE, .size = sizeof(real)};
  Shape s = shape_of(&call);
  if (ok(&call)) {
    const real *kernel, *recurrent;
    NAME(Job) job = NAME(given)(&call, &s, &kernel, &recurrent);
    int keep = call.attributes->keep;
    job.out = output(&call, 0, 3, call.attributes->sequences ? s.batch : 0, s.steps, s.units);
    job.last = output(&call, 1, 2, s.batch, s.units);
    job.h = output(&call, 2, 2, s.batch, s.units);
    job.c = output(&call, 3, 2, s.lstm ? s.batch : 0, s.units);
    job.inputs = output(&call, 4, 3, keep ? s.batch : 0, s.steps, NAME(inputs_width)(&s));
    job.gates = output(&call, 5, 3, keep ? s.batch : 0, s.steps, 4 * s.units);
    job.cells = output(&call, 6, 3, keep && s.lstm ? s.batch : 0, s.steps, s.units);
    long packed = NAME(packed_size)(s.features, s.x_width) + NAME(packed_size)(s.units, s.h_width);
    real *weights = ok(&call) ? allocate(packed * sizeof(real)) : NULL;
    if (ok(&call) && !weights) fail(&call, TF_RESOURCE_EXHAUSTED, "no memory for the weights of a recurrent layer");
    if (ok(&call)) {
      job.by_h = NAME(matrix)(s.units + (s.together ? s.features : 0), s.h_width, weights);
      NAME(put)(&job.by_h, 0, s.units, recurrent, s.h_width, 1);
      job.by_x = NAME(matrix)(s.together ? 0 : s.features, s.x_width, weights + NAME(packed_size)(s.units, s.h_width));
      NAME(put)(s.together ? &job.by_h : &job.by_x, s.together ? s.units : 0, s.features, kernel, s.x_width, 1);
      NAME(Piece) pieces[MOST_THREADS];
      int count = pieces_of(&s, call.attributes->threads);
      for (int i = 0; i < count; i++) {
        long from = s.batch * i / count, to = s.batch * (i + 1) / count;
        pieces[i] = (NAME(Piece)){job, from, to, NAME(forward_scratch)(&s), NAME(forward), 0};
      }
      if (!NAME(run_pieces)(pieces, count)) fail(&call, TF_RESOURCE_EXHAUSTED, "no memory for a recurrent layer");
    }
    free(weights);
  }
  finish(&call);
}

static void NAME(compute_backward)(void *attributes, TF_OpKernelContext *context) {
  Call call = {.attributes = attributes, .context = context, .status = TF_NewStatus(), .type = TYPE, .size = sizeof(real)};
  Shape s = shape_of(&call);
  if (ok(&call)) {
    const real *kernel, *recurrent;
    NAME(Job) job = NAME(given)(&call, &s, &kernel, &recurrent);
    job.inputs = input(&call, INPUTS, 3, s.batch, s.steps, NAME(inputs_width)(&s));
    job.gates = input(&call, GATES, 3, s.batch, s.steps, 4 * s.units);
    job.cells = s.lstm ? input(&call, CELLS, 3, s.batch, s.steps, s.units) : NULL;
    job.dout = call.attributes->sequences ? input(&call, DOUT, 3, s.batch, s.steps, s.units) : NULL;
    job.dlast = input(&call, DLAST, 2, s.batch, s.units);
    job.dh = input(&call, DH, 2, s.batch, s.units);
    job.dc = s.lstm ? input(&call, DC, 2, s.batch, s.units) : NULL;
    job.dx = output(&call, 0, 3, call.attributes->of_x ? s.batch : 0, s.repeated ? 1L : s.steps, s.features);
    job.dh0 = output(&call, 1, 2, s.batch, s.units);
    job.dc0 = output(&call, 2, 2, s.lstm ? s.batch : 0, s.units);
    real *dkernel = output(&call, 3, 2, s.features, s.x_width);
    real *drecurrent = output(&call, 4, 2, s.units, s.h_width);
    real *dbias = output(&call, 5, 1, 4 * s.units);
    int count = pieces_of(&s, call.attributes->threads);
    long wide = 4 * s.units, size = (s.units + s.features + 1) * wide;
    long of_h = NAME(packed_size)(s.h_width, s.units), of_x = job.dx ? NAME(packed_size)(s.x_width, s.features) : 0;
    real *memory = ok(&call) ? allocate((of_h + of_x + count * size) * sizeof(real)) : NULL;
    if (ok(&call) && !memory) fail(&call, TF_RESOURCE_EXHAUSTED, "no memory for the gradients of a recurrent layer");
    if (ok(&call)) {
      job.by_h = NAME(matrix)(s.h_width, s.units, memory); /* both transposed */
      NAME(put)(&job.by_h, 0, s.h_width, recurrent, 1, s.h_width);
      job.by_x = NAME(matrix)(job.dx ? s.x_width : 0, s.features, memory + of_h);
      NAME(put)(&job.by_x, 0, job.by_x.k, kernel, 1, s.x_width);
      real *sums = memory + of_h + of_x;
      memset(sums, 0, count * size * sizeof(real));
      NAME(Piece) pieces[MOST_THREADS];
      for (int i = 0; i < count; i++) {
        long from = s.batch * i / count, to = s.batch * (i + 1) / count;
        pieces[i] = (NAME(Piece)){job, from, to, NAME(backward_scratch)(&s), NAME(backward), 0};
        pieces[i].job.sums = sums + i * size;
      }
      if (!NAME(run_pieces)(pieces, count)) fail(&call, TF_RESOURCE_EXHAUSTED, "no memory for a recurrent layer");
      for (int i = 1; i < count; i++)
        for (long j = 0; j < size; j++) sums[j] += sums[i * size + j];
      for (long i = 0; i < s.units; i++)
        memcpy(drecurrent + i * s.h_width, sums + i * wide + wide - s.h_width, s.h_width * sizeof(real));
      sums += s.units * wide;
      for (long i = 0; i < s.features; i++) memcpy(dkernel + i * s.x_width, sums + i * wide, s.x_width * sizeof(real));
      memcpy(dbias, sums + s.features * wide, wide * sizeof(real));
    }
    free(memory);
  }
  finish(&call);
}
