/* Products of small matrices, as recurrence needs them: few rows, the same right-hand side at every step.
 *
 * The right-hand side is packed once into panels of NR columns, and a tile of at most MR x NR results is kept in registers
 * (Goto and van de Geijn 2008, "Anatomy of high-performance matrix multiplication"). Included once for float and once for double.
 */

#define LANES (VECTOR_BYTES / (int)sizeof(real))
#define NR (2 * LANES)

typedef real NAME(vector) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));

/* Numbers that `depth` packed rows of n columns take. */
static long NAME(packed_size)(long depth, long n) { return depth * ((n + NR - 1) / NR * NR); }

/* Packs rows [from, from + k) of a matrix of `depth` rows: B[i, j] = b[i * row + j * column]. Missing columns become zeros. */
static void NAME(pack)(const real *b, long row, long column, long k, long n, long depth, long from, real *packed) {
  for (long j = 0; j < n; j += NR) {
    long width = n - j < NR ? n - j : NR;
    real *to = packed + j * depth + from * NR;
    for (long i = 0; i < k; i++, to += NR) {
      const real *next = b + i * row + j * column;
      if (column == 1) {
        memcpy(to, next, width * sizeof(real));
      } else {
        for (long q = 0; q < width; q++) to[q] = next[q * column];
      }
      for (long q = width; q < NR; q++) to[q] = 0;
    }
  }
}

/* m rows and `width` columns of C = A B, or C += A B. `m` is a constant at every call, so that the tile stays in registers. */
static inline __attribute__((always_inline)) void NAME(tile)(const int m, long k, const real *a, long row, long column,
                                                             const real *panel, real *c, long ldc, long width, int add) {
  typedef NAME(vector) vector;
  vector sum[MR][2];
  for (int i = 0; i < m; i++) sum[i][0] = sum[i][1] = (vector){0};
  for (long p = 0; p < k; p++, panel += NR, a += column) {
    vector left = *(const vector *)panel, right = *(const vector *)(panel + LANES);
#pragma GCC unroll 16
    for (int i = 0; i < m; i++) {
      real s = a[i * row];
      sum[i][0] += s * left;
      sum[i][1] += s * right;
    }
  }
  if (width < NR) {
    for (int i = 0; i < m; i++)
      for (long q = 0; q < width; q++) c[i * ldc + q] = (add ? c[i * ldc + q] : 0) + sum[i][q / LANES][q % LANES];
    return;
  }
#pragma GCC unroll 16
  for (int i = 0; i < m; i++) {
    vector *to = (vector *)(c + i * ldc), *next = (vector *)(c + i * ldc + LANES);
    if (add) {
      *to += sum[i][0];
      *next += sum[i][1];
    } else {
      *to = sum[i][0];
      *next = sum[i][1];
    }
  }
}

/* C[rows, n] = A B, or with `add` C += A B: A[i, p] = a[i * row + p * column], B the first k of `depth` packed rows. */
static void NAME(gemm)(long rows, long k, long n, const real *a, long row, long column, const real *packed, long depth, real *c,
                       long ldc, int add) {
  long blocks = (rows + MR - 1) / MR;
  for (long j = 0; j < n; j += NR) {
    const real *panel = packed + j * depth;
    long width = n - j < NR ? n - j : NR;
    for (long block = 0; block < blocks; block++) {
      long first = rows * block / blocks, m = rows * (block + 1) / blocks - first;
      const real *from = a + first * row;
      real *to = c + first * ldc + j;
#define CASE(M) \
  case M: \
    NAME(tile)(M < MR ? M : MR, k, from, row, column, panel, to, ldc, width, add); \
    break;
      switch (m) { CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12) }
#undef CASE
    }
  }
}

/* A matrix that stays the same for many products, packed in blocks of rows that fit into the nearest cache. */
typedef struct {
  long k, n, block;
  real *packed;
} NAME(Matrix);

/* A matrix of k rows and n columns in `packed`, whose rows are yet to be put into it. */
static NAME(Matrix) NAME(matrix)(long k, long n, real *packed) {
  return (NAME(Matrix)){k, n, k <= 320 ? k : 256, packed};
}

/* Rows [first, first + count) of a matrix: B[first + i, j] = b[i * row + j * column]. */
static void NAME(put)(const NAME(Matrix) *matrix, long first, long count, const real *b, long row, long column) {
  for (long from = first; from < first + count;) {
    long start = from / matrix->block * matrix->block, end = start + matrix->block < matrix->k ? start + matrix->block : matrix->k;
    long rows = (first + count < end ? first + count : end) - from;
    real *packed = matrix->packed + NAME(packed_size)(start, matrix->n);
    NAME(pack)(b + (from - first) * row, row, column, rows, matrix->n, end - start, from - start, packed);
    from += rows;
  }
}

static void NAME(multiply)(long rows, const real *a, long row, const NAME(Matrix) *matrix, real *c, long ldc, int add) {
  for (long from = 0; from < matrix->k; from += matrix->block) {
    long depth = matrix->k - from < matrix->block ? matrix->k - from : matrix->block;
    const real *packed = matrix->packed + NAME(packed_size)(from, matrix->n);
    NAME(gemm)(rows, depth, matrix->n, a + from, row, 1, packed, depth, c, ldc, add || from);
  }
}
