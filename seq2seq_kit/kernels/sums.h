/* The gradient of a weight matrix: a sum over time. */

/* Sums A' B over many steps: A are the rows that a weight matrix was multiplied with, B the gradients of what came out. */
typedef struct {
  long m, n, row, depth, filled; /* weights are m x n; rows of B are `row` apart; at most `depth` of them wait */
  real *a, *b, *sum;
} NAME(Sum);

static void NAME(flush)(NAME(Sum) *sum) {
  NAME(gemm)(sum->m, sum->filled, sum->n, sum->a, 1, sum->m, sum->b, sum->depth, sum->sum, sum->n, 1);
  sum->filled = 0;
}

/* Place for `rows` more rows of A, each m long; their B has been packed when this returns. */
static real *NAME(more)(NAME(Sum) *sum, long rows, const real *b) {
  if (sum->filled + rows > sum->depth) NAME(flush)(sum);
  real *a = sum->a + sum->filled * sum->m;
  NAME(pack)(b, sum->row, 1, rows, sum->n, sum->depth, sum->filled, sum->b);
  sum->filled += rows;
  return a;
}
