/* One step of one sequence, forward and backward. Plain loops that compilers make vectors of.
 *
 * LSTM: gates i, f, g, o side by side, as Keras orders them (i, f, c, o).
 * GRU (reset after the product): g, z, r, q side by side, where q is the recurrent part of the candidate g = tanh(x_g + r * q).
 */

/* `gates` may be `sums`, and `after` may be `before`. */
static void NAME(lstm_row)(long units, const real *sums, const real *restrict add, const real *before, real *after,
                           real *restrict h, real *gates) {
#pragma omp simd
  for (long j = 0; j < units; j++) {
    real i = NAME(sigmoid)(sums[j] + add[j]), f = NAME(sigmoid)(sums[units + j] + add[units + j]);
    real g = NAME(tanh)(sums[2 * units + j] + add[2 * units + j]), o = NAME(sigmoid)(sums[3 * units + j] + add[3 * units + j]);
    real cell = f * before[j] + i * g;
    after[j] = cell;
    h[j] = o * NAME(tanh)(cell);
    gates[j] = i, gates[units + j] = f, gates[2 * units + j] = g, gates[3 * units + j] = o;
  }
}

/* From the gradient of h and of c to those of the gates' sums, `d`, and of the cell before, which replaces that of c; what is left in
 * `dh` is the part of the gradient of the state before that does not go through the gates, here none. */
static void NAME(lstm_row_back)(long units, const real *restrict gates, const real *restrict cell, const real *restrict before,
                                real *restrict dh, real *restrict dc, real *restrict d) {
#pragma omp simd
  for (long j = 0; j < units; j++) {
    real i = gates[j], f = gates[units + j], g = gates[2 * units + j], o = gates[3 * units + j];
    real held = NAME(tanh)(cell[j]);
    real dcell = dc[j] + dh[j] * o * (1 - held * held);
    dc[j] = dcell * f;
    d[j] = dcell * g * i * (1 - i), d[units + j] = dcell * before[j] * f * (1 - f);
    d[2 * units + j] = dcell * i * (1 - g * g), d[3 * units + j] = dh[j] * held * o * (1 - o);
    dh[j] = 0;
  }
}

static void NAME(gru_row)(long units, const real *sums, const real *restrict add, const real *restrict before, real *restrict h,
                          real *gates) {
#pragma omp simd
  for (long j = 0; j < units; j++) {
    real z = NAME(sigmoid)(sums[units + j] + add[units + j]), r = NAME(sigmoid)(sums[2 * units + j] + add[2 * units + j]);
    real q = sums[3 * units + j] + add[3 * units + j], g = NAME(tanh)(sums[j] + add[j] + r * q);
    h[j] = z * before[j] + (1 - z) * g;
    gates[j] = g, gates[units + j] = z, gates[2 * units + j] = r, gates[3 * units + j] = q;
  }
}

/* As for an LSTM. */
static void NAME(gru_row_back)(long units, const real *restrict gates, const real *restrict before, real *restrict dh,
                               real *restrict d) {
#pragma omp simd
  for (long j = 0; j < units; j++) {
    real g = gates[j], z = gates[units + j], r = gates[2 * units + j], q = gates[3 * units + j];
    real dg = dh[j] * (1 - z) * (1 - g * g);
    d[j] = dg, d[units + j] = dh[j] * (before[j] - g) * z * (1 - z);
    d[2 * units + j] = dg * q * r * (1 - r), d[3 * units + j] = dg * r;
    dh[j] = dh[j] * z;
  }
}

/* Whether a row of sums, and what is added to it, or a cell state, holds anything but finite numbers. */
static int NAME(strange)(long n, const real *a, const real *b) {
  real zeros = 0;
#pragma omp simd reduction(+ : zeros)
  for (long j = 0; j < n; j++) zeros += (a[j] + b[j]) * 0;
  return zeros != 0; /* not a number */
}
