/* One step of one sequence, forward and backward. Plain loops that compilers make vectors of.
 *
 * LSTM: gates i, f, g, o side by side, as Keras orders them (i, f, c, o).
 * GRU (reset after the product): g, z, r, q side by side, where q is the recurrent part of the candidate g = tanh(x_g + r * q).
 */

static void NAME(lstm_row)(long units, real *restrict gates, const real *restrict add, real *restrict h, real *restrict c) {
  real *restrict zi = gates, *restrict zf = gates + units, *restrict zg = gates + 2 * units, *restrict zo = gates + 3 * units;
#pragma omp simd
  for (long j = 0; j < units; j++) {
    real i = NAME(sigmoid)(zi[j] + add[j]), f = NAME(sigmoid)(zf[j] + add[units + j]);
    real g = NAME(tanh)(zg[j] + add[2 * units + j]), o = NAME(sigmoid)(zo[j] + add[3 * units + j]);
    real cell = f * c[j] + i * g;
    c[j] = cell;
    h[j] = o * NAME(tanh)(cell);
    zi[j] = i, zf[j] = f, zg[j] = g, zo[j] = o;
  }
}

/* From the gradient of h and of c to those of the gates' sums, `d`, and of the state before, which replaces that of c. */
static void NAME(lstm_row_back)(long units, const real *restrict gates, const real *restrict cell, const real *restrict before,
                                const real *restrict dh, real *restrict dc, real *restrict d, real *restrict dbias) {
#pragma omp simd
  for (long j = 0; j < units; j++) {
    real i = gates[j], f = gates[units + j], g = gates[2 * units + j], o = gates[3 * units + j];
    real held = NAME(tanh)(cell[j]);
    real dcell = dc[j] + dh[j] * o * (1 - held * held);
    real di = dcell * g * i * (1 - i), df = dcell * before[j] * f * (1 - f), dg = dcell * i * (1 - g * g);
    real dout = dh[j] * held * o * (1 - o);
    dc[j] = dcell * f;
    d[j] = di, d[units + j] = df, d[2 * units + j] = dg, d[3 * units + j] = dout;
    dbias[j] += di, dbias[units + j] += df, dbias[2 * units + j] += dg, dbias[3 * units + j] += dout;
  }
}

static void NAME(gru_row)(long units, real *restrict gates, const real *restrict add, real *restrict h) {
  real *restrict zg = gates, *restrict zz = gates + units, *restrict zr = gates + 2 * units, *restrict zq = gates + 3 * units;
#pragma omp simd
  for (long j = 0; j < units; j++) {
    real z = NAME(sigmoid)(zz[j] + add[units + j]), r = NAME(sigmoid)(zr[j] + add[2 * units + j]);
    real q = zq[j] + add[3 * units + j], g = NAME(tanh)(zg[j] + add[j] + r * q);
    h[j] = z * h[j] + (1 - z) * g;
    zg[j] = g, zz[j] = z, zr[j] = r, zq[j] = q;
  }
}

/* As above; `dh` becomes the part of the gradient of the state before that does not go through the gates. */
static void NAME(gru_row_back)(long units, const real *restrict gates, const real *restrict before, real *restrict dh,
                               real *restrict d, real *restrict dbias) {
#pragma omp simd
  for (long j = 0; j < units; j++) {
    real g = gates[j], z = gates[units + j], r = gates[2 * units + j], q = gates[3 * units + j];
    real dg = dh[j] * (1 - z) * (1 - g * g), dz = dh[j] * (before[j] - g) * z * (1 - z);
    real dr = dg * q * r * (1 - r), dq = dg * r;
    dh[j] = dh[j] * z;
    d[j] = dg, d[units + j] = dz, d[2 * units + j] = dr, d[3 * units + j] = dq;
    dbias[j] += dg, dbias[units + j] += dz, dbias[2 * units + j] += dr, dbias[3 * units + j] += dq;
  }
}
