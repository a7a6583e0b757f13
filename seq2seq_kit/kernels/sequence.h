/* Whole sequences, forward and backward, for the rows [from, to) of a batch, at most MOST_ROWS of them.
 *
 * x and the outputs are (batch, steps, width) as in Keras. What is kept for the gradient belongs to such a piece of the batch: its
 * numbers stand together, (steps, rows, width), in the order in which the steps were processed. A step's inputs stand side by side,
 * [h | x | 1], so that one product takes them all; x and 1 are left out where x is repeated. The four gates' sums stand side by
 * side, too, `wide` = 4 units; the product with x fills the first `x_width` columns, that with the state the last `h_width`: all
 * four for an LSTM, three each for a GRU (rows.h), for which they are two products.
 */

typedef struct {
  const Shape *shape;
  const real *x, *h0, *c0, *bias;       /* x is (batch, features) where it is repeated */
  const unsigned char *mask;            /* (batch, steps), or NULL */
  real *out, *last, *h, *c;             /* forward; out may be NULL */
  real *inputs, *gates, *cells;         /* kept; NULL where nobody will ask for a gradient */
  const real *dout, *dlast, *dh, *dc;   /* backward; dout may be NULL */
  real *dx, *dh0, *dc0, *sums;          /* dx may be NULL; sums: the gradients of [recurrent; kernel; bias], each row `wide` */
  NAME(Matrix) by_h, by_x;              /* by_x is empty where by_h holds both */
} NAME(Job);

static long NAME(inputs_width)(const Shape *s) {
  long used = s->units + (s->repeated ? 0 : s->features + 1);
  return (used + LANES - 1) / LANES * LANES; /* rows begin at whole vectors */
}

static long NAME(forward_scratch)(const Shape *s) {
  return MOST_ROWS * (9 * s->units + 2 * NAME(inputs_width)(s)) + 2 * s->units;
}

static long NAME(backward_scratch)(const Shape *s) {
  return (11 * MOST_ROWS + 3) * s->units + 2 * NAME(packed_size)(DEPTH, 4 * s->units);
}

/* A masked step passes nothing on and learns nothing, but nothing times what is no number is no number, in Keras and here: the gates
 * of such a step are kept, those of all others marked as left out. */
static void NAME(keep_masked)(const Shape *s, const real *sums, const real *add, const real *h, const real *c, real *gates,
                              real *spare) {
  if (!NAME(strange)(4 * s->units, sums, add) && !(s->lstm && NAME(strange)(s->units, c, c))) gates[s->units] = LEFT_OUT;
  else if (s->lstm) NAME(lstm_row)(s->units, sums, add, c, spare, spare + s->units, gates);
  else NAME(gru_row)(s->units, sums, add, h, spare, gates);
}

/* Adds to the gradients of h and c, and puts into d, what nothing becomes on its way back through the kept gates of a masked step. */
static void NAME(masked_back)(const Shape *s, const real *gates, const real *h, const real *c, real *dh, real *dc, real *d,
                              real *spare) {
  long units = s->units;
  real *none = spare, *cell = spare + 2 * units;
  memset(none, 0, 2 * units * sizeof(real));
  if (s->lstm) {
    for (long j = 0; j < units; j++) cell[j] = gates[units + j] * c[j] + gates[j] * gates[2 * units + j];
    NAME(lstm_row_back)(units, gates, cell, c, none, none + units, d);
  } else {
    NAME(gru_row_back)(units, gates, h, none, d);
  }
  for (long j = 0; j < units; j++) dh[j] += none[j], dc[j] += none[units + j];
}

static void NAME(forward)(const NAME(Job) *job, long from, long to, real *scratch) {
  const Shape *s = job->shape;
  long units = s->units, wide = 4 * units, rows = to - from, steps = s->steps, shift = wide - s->h_width;
  long width = NAME(inputs_width)(s), features = s->features;
  real *spare = scratch, *sums = spare + 2 * units, *projected = sums + rows * wide, *own_c = projected + rows * wide;
  real *own = own_c + rows * units;
  const real *c = s->lstm ? job->c0 + from * units : NULL;
  real *inputs = job->inputs ? job->inputs + from * steps * width : own;
  for (long r = 0; r < rows; r++) memcpy(inputs + r * width, job->h0 + (from + r) * units, units * sizeof(real));
  if (s->repeated) {
    for (long r = 0; r < rows; r++) memcpy(projected + r * wide, job->bias, wide * sizeof(real));
    NAME(multiply)(rows, job->x + from * features, features, &job->by_x, projected, wide, 1);
  }
  for (long t = 0; t < steps; t++) {
    long in = s->backwards ? steps - 1 - t : t, place = from * steps + t * rows;
    real *next = job->inputs && t < steps - 1 ? inputs + rows * width : inputs == own ? own + rows * width : own;
    real *gates = job->gates ? job->gates + place * wide : sums, *cells = job->cells ? job->cells + place * units : own_c;
    for (long r = 0; !s->repeated && r < rows; r++) {
      real *beside = inputs + r * width + units;
      memcpy(beside, job->x + ((from + r) * steps + in) * features, features * sizeof(real));
      beside[features] = 1;
    }
    if (shift)
      for (long r = 0; r < rows; r++) memset(sums + r * wide, 0, shift * sizeof(real));
    NAME(multiply)(rows, inputs, width, &job->by_h, sums + shift, wide, 0);
    if (!s->repeated && !s->together) NAME(multiply)(rows, inputs + units, width, &job->by_x, sums, wide, 1);
    for (long r = 0; r < rows; r++) {
      int valid = valid_step(s, job->mask, from + r, t);
      const real *add = s->repeated ? projected + r * wide : job->bias, *before = inputs + r * width;
      real *h = next + r * width;
      if (valid && s->lstm)
        NAME(lstm_row)(units, sums + r * wide, add, c + r * units, cells + r * units, h, gates + r * wide);
      if (valid && !s->lstm) NAME(gru_row)(units, sums + r * wide, add, before, h, gates + r * wide);
      if (!valid) {
        if (job->gates) NAME(keep_masked)(s, sums + r * wide, add, before, c ? c + r * units : NULL, gates + r * wide, spare);
        memcpy(h, before, units * sizeof(real));
        if (s->lstm) memmove(cells + r * units, c + r * units, units * sizeof(real));
      }
      if (job->out) {
        real *out = job->out + ((from + r) * steps + t) * units;
        if (valid) memcpy(out, h, units * sizeof(real));
        else if (t && !s->zeros) memcpy(out, out - units, units * sizeof(real));
        else memset(out, 0, units * sizeof(real));
      }
    }
    inputs = next, c = cells;
  }
  for (long r = 0; r < rows; r++) {
    long at = (from + r) * units;
    memcpy(job->h + at, inputs + r * width, units * sizeof(real));
    if (comes_out(s, job->mask, from + r)) memcpy(job->last + at, inputs + r * width, units * sizeof(real));
    else memset(job->last + at, 0, units * sizeof(real));
  }
  if (s->lstm) memcpy(job->c + from * units, c, rows * units * sizeof(real));
}

static void NAME(backward)(const NAME(Job) *job, long from, long to, real *scratch) {
  const Shape *s = job->shape;
  long units = s->units, wide = 4 * units, rows = to - from, steps = s->steps, shift = wide - s->h_width;
  long width = NAME(inputs_width)(s), features = s->features;
  real *dh = scratch, *dc = dh + rows * units, *carried = dc + rows * units;
  real *d = carried + rows * units, *total = d + rows * wide, *spare = total + rows * wide, *packed = spare + 3 * units;
  /* Where inputs are taken together, it is up to the 1 that gives the gradient of the bias. */
  NAME(Sum) of_h = {s->together ? units + features + 1 : units, width, s->h_width, wide, packed, job->sums + shift, NULL, DEPTH};
  NAME(Sum) of_x = {features + 1, width, wide, wide, packed + NAME(packed_size)(DEPTH, wide), job->sums + units * wide, NULL, DEPTH};
  for (long r = 0; r < rows; r++) {
    int seen = comes_out(s, job->mask, from + r);
    for (long j = 0; j < units; j++) {
      long at = (from + r) * units + j;
      dh[r * units + j] = job->dh[at] + (seen ? job->dlast[at] : 0);
      dc[r * units + j] = s->lstm ? job->dc[at] : 0;
      carried[r * units + j] = 0;
    }
  }
  if (s->repeated) memset(total, 0, rows * wide * sizeof(real));
  for (long t = steps - 1; t >= 0; t--) {
    long in = s->backwards ? steps - 1 - t : t, place = from * steps + t * rows;
    const real *inputs = job->inputs + place * width;
    for (long r = 0; r < rows; r++) {
      long row = from + r;
      real *dh_row = dh + r * units, *carried_row = carried + r * units, *d_row = d + r * wide;
      int valid = valid_step(s, job->mask, row, t);
      if (job->dout) {
        const real *dout = job->dout + (row * steps + t) * units;
        if (valid && !job->mask) {
          for (long j = 0; j < units; j++) dh_row[j] += dout[j];
        } else if (valid) {
          for (long j = 0; j < units; j++) dh_row[j] += dout[j] + carried_row[j], carried_row[j] = 0;
        } else if (!s->zeros) {
          for (long j = 0; j < units; j++) carried_row[j] += dout[j]; /* the output of the step before was repeated */
        }
      }
      const real *gates = job->gates + (place + r) * wide, *cell = s->lstm ? job->cells + (place + r) * units : NULL;
      const real *before = !s->lstm ? NULL : t ? cell - rows * units : job->c0 + row * units;
      if (!valid && gates[units] == LEFT_OUT) {
        memset(d_row, 0, wide * sizeof(real));
      } else if (!valid) {
        NAME(masked_back)(s, gates, inputs + r * width, before, dh_row, dc + r * units, d_row, spare);
      } else if (s->lstm) {
        NAME(lstm_row_back)(units, gates, cell, before, dh_row, dc + r * units, d_row);
      } else {
        NAME(gru_row_back)(units, gates, inputs + r * width, dh_row, d_row);
      }
    }
    NAME(take)(&of_h, rows, inputs, d + shift);
    if (s->repeated) {
      for (long j = 0; j < rows * wide; j++) total[j] += d[j];
    } else {
      if (!s->together) NAME(take)(&of_x, rows, inputs + units, d);
      if (job->dx) NAME(multiply)(rows, d, wide, &job->by_x, job->dx + (from * steps + in) * features, steps * features, 0);
    }
    /* Where a step does not count, the state went by unchanged, and so does its gradient: d is zero, or no number. */
    NAME(multiply)(rows, d + shift, wide, &job->by_h, dh, units, 1);
  }
  if (s->repeated) {
    of_x.m = of_x.row = features;
    NAME(take)(&of_x, rows, job->x + from * features, total);
    real *bias = job->sums + (units + features) * wide;
    for (long r = 0; r < rows; r++)
      for (long j = 0; j < wide; j++) bias[j] += total[r * wide + j];
    if (job->dx) NAME(multiply)(rows, total, wide, &job->by_x, job->dx + from * features, features, 0);
  }
  NAME(flush)(&of_h);
  if (!s->together) NAME(flush)(&of_x);
  memcpy(job->dh0 + from * units, dh, rows * units * sizeof(real));
  if (s->lstm) memcpy(job->dc0 + from * units, dc, rows * units * sizeof(real));
}
