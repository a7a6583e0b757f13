/* TensorFlow's tensors to jobs, and jobs to threads. */

typedef struct {
  NAME(Job) job;
  long from, to, scratch_size;
  void (*run)(const NAME(Job) *, long, long, real *);
  int failed;
} NAME(Piece);

static void *NAME(run_piece)(void *pointer) {
  NAME(Piece) *piece = pointer;
  flush_denormals();
  real *scratch = allocate(piece->scratch_size * sizeof(real));
  piece->failed = !scratch;
  for (long from = piece->from; scratch && from < piece->to; from += MOST_ROWS)
    piece->run(&piece->job, from, from + MOST_ROWS < piece->to ? from + MOST_ROWS : piece->to, scratch);
  free(scratch);
  return NULL;
}

/* Cuts the batch into pieces, one for each thread; the first one runs here. False: memory is short. */
static int NAME(run_pieces)(NAME(Piece) *pieces, int count) {
  pthread_t threads[MOST_THREADS];
  int started[MOST_THREADS] = {0};
  for (int i = 1; i < count; i++) started[i] = !pthread_create(&threads[i], NULL, NAME(run_piece), &pieces[i]);
  unsigned before = flush_denormals();
  for (int i = 0; i < count; i++)
    if (!started[i]) NAME(run_piece)(&pieces[i]); /* also where no thread was to be had */
  restore_denormals(before);
  int failed = pieces[0].failed;
  for (int i = 1; i < count; i++) {
    if (started[i]) pthread_join(threads[i], NULL);
    failed |= pieces[i].failed;
  }
  return !failed;
}

/* What is given to the forward and to the backward operation. */
static NAME(Job) NAME(given)(Call *call, const Shape *s) {
  NAME(Job) job = {.shape = s};
  job.x = input(call, X, 0), job.h0 = input(call, H0, 2, s->batch, s->units);
  job.c0 = s->lstm ? input(call, C0, 2, s->batch, s->units) : NULL;
  job.kernel = input(call, KERNEL, 2, s->features, s->x_width);
  job.recurrent = input(call, RECURRENT, 2, s->units, s->h_width);
  job.bias = input(call, BIAS, 1, 4 * s->units);
  job.mask = s->masked ? input(call, MASK, 2, s->batch, s->steps) : NULL;
  return job;
}

static void NAME(compute_forward)(void *attributes, TF_OpKernelContext *context) {
  Call call = {.attributes = attributes, .context = context, .status = TF_NewStatus(), .type = TYPE, .size = sizeof(real)};
  Shape s = shape_of(&call);
  if (ok(&call)) {
    NAME(Job) job = NAME(given)(&call, &s);
    int keep = call.attributes->keep, sequences = keep || call.attributes->sequences;
    job.out = output(&call, 0, 3, sequences ? s.batch : 0, s.steps, s.units);
    job.last = output(&call, 1, 2, s.batch, s.units);
    job.h = output(&call, 2, 2, s.batch, s.units);
    job.c = output(&call, 3, 2, s.lstm ? s.batch : 0, s.units);
    job.gates = output(&call, 4, 3, keep ? s.steps : 0, s.batch, 4 * s.units);
    job.cells = output(&call, 5, 3, keep && s.lstm ? s.steps : 0, s.batch, s.units);
    long packed = NAME(packed_size)(s.features, s.x_width) + NAME(packed_size)(s.units, s.h_width);
    real *weights = ok(&call) ? allocate(packed * sizeof(real)) : NULL;
    if (ok(&call) && !weights) fail(&call, TF_RESOURCE_EXHAUSTED, "no memory for the weights of a recurrent layer");
    if (ok(&call)) {
      job.by_x = NAME(prepare)(job.kernel, s.x_width, 1, s.features, s.x_width, weights);
      job.by_h = NAME(prepare)(job.recurrent, s.h_width, 1, s.units, s.h_width,
                               weights + NAME(packed_size)(s.features, s.x_width));
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
    NAME(Job) job = NAME(given)(&call, &s);
    job.out = input(&call, OUT, 3, s.batch, s.steps, s.units);
    job.gates = input(&call, GATES, 3, s.steps, s.batch, 4 * s.units);
    job.cells = s.lstm ? input(&call, CELLS, 3, s.steps, s.batch, s.units) : NULL;
    job.dout = call.attributes->sequences ? input(&call, DOUT, 3, s.batch, s.steps, s.units) : NULL;
    job.dlast = input(&call, DLAST, 2, s.batch, s.units);
    job.dh = input(&call, DH, 2, s.batch, s.units);
    job.dc = s.lstm ? input(&call, DC, 2, s.batch, s.units) : NULL;
    job.dgates = output(&call, 0, 3, s.repeated ? 1L : s.steps, s.batch, 4 * s.units);
    job.dh0 = output(&call, 1, 2, s.batch, s.units);
    job.dc0 = output(&call, 2, 2, s.lstm ? s.batch : 0, s.units);
    job.dkernel = output(&call, 3, 2, s.features, s.x_width);
    job.drecurrent = output(&call, 4, 2, s.units, s.h_width);
    job.dbias = output(&call, 5, 1, 4 * s.units);
    int count = pieces_of(&s, call.attributes->threads);
    long of_x = s.features * s.x_width, of_h = s.units * s.h_width, sums = of_x + of_h + 4 * s.units;
    long packed = NAME(packed_size)(s.h_width, s.units);
    real *memory = ok(&call) ? allocate((packed + count * sums) * sizeof(real)) : NULL;
    if (ok(&call) && !memory) fail(&call, TF_RESOURCE_EXHAUSTED, "no memory for the gradients of a recurrent layer");
    if (ok(&call)) {
      job.by_h = NAME(prepare)(job.recurrent, 1, s.h_width, s.h_width, s.units, memory); /* transposed */
      real *own = memory + packed;
      memset(own, 0, count * sums * sizeof(real));
      NAME(Piece) pieces[MOST_THREADS];
      for (int i = 0; i < count; i++) {
        long from = s.batch * i / count, to = s.batch * (i + 1) / count;
        pieces[i] = (NAME(Piece)){job, from, to, NAME(backward_scratch)(&s), NAME(backward), 0};
        pieces[i].job.dkernel = own + i * sums;
        pieces[i].job.drecurrent = own + i * sums + of_x;
        pieces[i].job.dbias = own + i * sums + of_x + of_h;
      }
      if (!NAME(run_pieces)(pieces, count)) fail(&call, TF_RESOURCE_EXHAUSTED, "no memory for a recurrent layer");
      for (int i = 1; i < count; i++)
        for (long j = 0; j < sums; j++) own[j] += own[i * sums + j];
      memcpy(job.dkernel, own, of_x * sizeof(real));
      memcpy(job.drecurrent, own + of_x, of_h * sizeof(real));
      memcpy(job.dbias, own + of_x + of_h, 4 * s.units * sizeof(real));
    }
    free(memory);
  }
  finish(&call);
}

/* dx from the gradients of the gates' sums; an operation of its own, so that a first layer, whose dx nobody asks for, does without. */
static void NAME(compute_input_gradient)(void *attributes, TF_OpKernelContext *context) {
  Call call = {.attributes = attributes, .context = context, .status = TF_NewStatus(), .type = TYPE, .size = sizeof(real)};
  long steps = dimension(&call, 0, 3, 0), batch = dimension(&call, 0, 3, 1), wide = dimension(&call, 0, 3, 2);
  long features = dimension(&call, 1, 2, 0), x_width = dimension(&call, 1, 2, 1);
  if (ok(&call) && x_width > wide) fail(&call, TF_INVALID_ARGUMENT, "the kernel is wider than the gates");
  const real *dgates = input(&call, 0, 0), *kernel = input(&call, 1, 0);
  real *dx = output(&call, 0, 3, batch, steps, features);
  real *weights = ok(&call) ? allocate(NAME(packed_size)(x_width, features) * sizeof(real)) : NULL;
  if (ok(&call) && !weights) fail(&call, TF_RESOURCE_EXHAUSTED, "no memory for the gradient of a recurrent layer");
  if (ok(&call)) {
    NAME(Matrix) transposed = NAME(prepare)(kernel, 1, x_width, x_width, features, weights);
    for (long t = 0; t < steps; t++) {
      long in = call.attributes->backwards ? steps - 1 - t : t;
      NAME(multiply)(batch, dgates + t * batch * wide, wide, &transposed, dx + in * features, steps * features, 0);
    }
  }
  free(weights);
  finish(&call);
}
