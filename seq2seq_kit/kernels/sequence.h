/* Whole sequences, forward and backward, for the rows [from, to) of a batch, at most MOST_ROWS of them.
 *
 * x and the outputs are (batch, steps, width) as in Keras; what is kept for the gradient is (steps, batch, width), in the order in
 * which the steps were processed. The four gates' sums of a step stand side by side, `wide` = 4 units; the product with x fills the
 * first `x_width` columns, that with the state the last `h_width`: all four for an LSTM, three each for a GRU (rows.h).
 */

typedef struct {
  const Shape *shape;
  const real *x, *h0, *c0, *kernel, *recurrent, *bias; /* x is (batch, features) where it is repeated */
  const unsigned char *mask;                           /* (batch, steps), or NULL */
  real *out, *last, *h, *c, *gates, *cells;            /* forward; out, gates and cells may be NULL */
  const real *dout, *dlast, *dh, *dc;                  /* backward; dout may be NULL */
  real *dgates, *dh0, *dc0, *dkernel, *drecurrent, *dbias;
  NAME(Matrix) by_x, by_h;
} NAME(Job);

/* The state that a valid step t of a row began with: what came out of the valid step before it. */
static const real *NAME(before)(const NAME(Job) *job, long row, long t) {
  const Shape *s = job->shape;
  while (t > 0 && !valid_step(s, job->mask, row, t - 1)) t--;
  return t > 0 ? job->out + (row * s->steps + t - 1) * s->units : job->h0 + row * s->units;
}

static long NAME(forward_scratch)(const Shape *s) { return 10 * MOST_ROWS * s->units; }

static long NAME(backward_scratch)(const Shape *s) {
  return 8 * MOST_ROWS * s->units + DEPTH * (s->units + s->features) + NAME(packed_size)(DEPTH, s->h_width) +
         NAME(packed_size)(DEPTH, s->x_width);
}

static void NAME(forward)(const NAME(Job) *job, long from, long to, real *scratch) {
  const Shape *s = job->shape;
  long units = s->units, wide = 4 * units, rows = to - from, steps = s->steps, shift = wide - s->h_width;
  real *h = scratch, *c = h + rows * units, *projected = c + rows * units, *own = projected + rows * wide;
  memcpy(h, job->h0 + from * units, rows * units * sizeof(real));
  if (s->lstm) memcpy(c, job->c0 + from * units, rows * units * sizeof(real));
  if (s->repeated) {
    for (long r = 0; r < rows; r++) memcpy(projected + r * wide, job->bias, wide * sizeof(real));
    NAME(multiply)(rows, job->x + from * s->features, s->features, &job->by_x, projected, wide, 1);
  }
  for (long t = 0; t < steps; t++) {
    long in = s->backwards ? steps - 1 - t : t;
    real *gates = job->gates ? job->gates + (t * s->batch + from) * wide : own;
    if (shift)
      for (long r = 0; r < rows; r++) memset(gates + r * wide, 0, shift * sizeof(real));
    NAME(multiply)(rows, h, units, &job->by_h, gates + shift, wide, 0);
    if (!s->repeated) {
      const real *x = job->x + (from * steps + in) * s->features;
      NAME(multiply)(rows, x, steps * s->features, &job->by_x, gates, wide, 1);
    }
    for (long r = 0; r < rows; r++) {
      long row = from + r;
      int valid = valid_step(s, job->mask, row, t);
      const real *add = s->repeated ? projected + r * wide : job->bias;
      if (valid && s->lstm) NAME(lstm_row)(units, gates + r * wide, add, h + r * units, c + r * units);
      if (valid && !s->lstm) NAME(gru_row)(units, gates + r * wide, add, h + r * units);
      if (job->out) {
        real *out = job->out + (row * steps + t) * units;
        if (valid) memcpy(out, h + r * units, units * sizeof(real));
        else if (t && !s->zeros) memcpy(out, out - units, units * sizeof(real));
        else memset(out, 0, units * sizeof(real));
      }
    }
    if (job->cells) memcpy(job->cells + (t * s->batch + from) * units, c, rows * units * sizeof(real));
  }
  memcpy(job->h + from * units, h, rows * units * sizeof(real));
  if (s->lstm) memcpy(job->c + from * units, c, rows * units * sizeof(real));
  for (long r = from; r < to; r++) {
    if (comes_out(s, job->mask, r)) memcpy(job->last + r * units, h + (r - from) * units, units * sizeof(real));
    else memset(job->last + r * units, 0, units * sizeof(real));
  }
}

static void NAME(backward)(const NAME(Job) *job, long from, long to, real *scratch) {
  const Shape *s = job->shape;
  long units = s->units, wide = 4 * units, rows = to - from, steps = s->steps, shift = wide - s->h_width;
  real *dh = scratch, *dc = dh + rows * units, *through = dc + rows * units, *carried = through + rows * units;
  real *own = carried + rows * units, *a_h = own + rows * wide, *a_x = a_h + DEPTH * units;
  real *b_h = a_x + DEPTH * s->features, *b_x = b_h + NAME(packed_size)(DEPTH, s->h_width);
  NAME(Sum) of_h = {units, s->h_width, wide, DEPTH, 0, a_h, b_h, job->drecurrent};
  NAME(Sum) of_x = {s->features, s->x_width, wide, DEPTH, 0, a_x, b_x, job->dkernel};
  for (long r = 0; r < rows; r++) {
    int seen = comes_out(s, job->mask, from + r);
    for (long j = 0; j < units; j++) {
      long at = (from + r) * units + j;
      dh[r * units + j] = job->dh[at] + (seen ? job->dlast[at] : 0);
      dc[r * units + j] = s->lstm ? job->dc[at] : 0;
      carried[r * units + j] = 0;
    }
  }
  if (s->repeated) memset(job->dgates + from * wide, 0, rows * wide * sizeof(real));
  for (long t = steps - 1; t >= 0; t--) {
    long in = s->backwards ? steps - 1 - t : t, place = (t * s->batch + from);
    real *d = s->repeated ? own : job->dgates + place * wide;
    for (long r = 0; r < rows; r++) {
      long row = from + r;
      real *dh_row = dh + r * units, *carried_row = carried + r * units, *d_row = d + r * wide;
      int valid = valid_step(s, job->mask, row, t);
      if (job->dout) {
        const real *dout = job->dout + (row * steps + t) * units;
        if (valid) {
          for (long j = 0; j < units; j++) dh_row[j] += dout[j] + carried_row[j], carried_row[j] = 0;
        } else if (!s->zeros) {
          for (long j = 0; j < units; j++) carried_row[j] += dout[j]; /* the output of the step before was repeated */
        }
      }
      if (!valid) {
        memset(d_row, 0, wide * sizeof(real));
        continue;
      }
      const real *gates = job->gates + (place + r) * wide;
      if (s->lstm) {
        const real *cell = job->cells + (place + r) * units;
        const real *before = t ? cell - s->batch * units : job->c0 + row * units;
        NAME(lstm_row_back)(units, gates, cell, before, dh_row, dc + r * units, d_row, job->dbias);
      } else {
        NAME(gru_row_back)(units, gates, NAME(before)(job, row, t), dh_row, d_row, job->dbias);
      }
    }
    real *a = NAME(more)(&of_h, rows, d + shift);
    for (long r = 0; r < rows; r++) {
      int valid = valid_step(s, job->mask, from + r, t); /* otherwise its gradient is zero, whatever stands here */
      memcpy(a + r * units, valid ? NAME(before)(job, from + r, t) : job->h0, units * sizeof(real));
    }
    if (s->repeated) {
      real *total = job->dgates + from * wide;
      for (long j = 0; j < rows * wide; j++) total[j] += d[j];
    } else {
      a = NAME(more)(&of_x, rows, d);
      for (long r = 0; r < rows; r++)
        memcpy(a + r * s->features, job->x + ((from + r) * steps + in) * s->features, s->features * sizeof(real));
    }
    NAME(multiply)(rows, d + shift, wide, &job->by_h, through, units, 0);
    for (long r = 0; r < rows; r++) {
      if (!valid_step(s, job->mask, from + r, t)) continue; /* the state went by unchanged, and so does its gradient */
      real *dh_row = dh + r * units;
      for (long j = 0; j < units; j++) dh_row[j] = through[r * units + j] + (s->lstm ? 0 : dh_row[j]);
    }
  }
  if (s->repeated) {
    real *a = NAME(more)(&of_x, rows, job->dgates + from * wide);
    memcpy(a, job->x + from * s->features, rows * s->features * sizeof(real));
  }
  NAME(flush)(&of_h);
  NAME(flush)(&of_x);
  memcpy(job->dh0 + from * units, dh, rows * units * sizeof(real));
  if (s->lstm) memcpy(job->dc0 + from * units, dc, rows * units * sizeof(real));
}
