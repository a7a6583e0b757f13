/* The gradient of a weight matrix: a sum over time. */

/* Adds A' B over many steps, from the last to the first: A are the rows that a weight matrix was multiplied with, which stand one
 * step behind another, B the gradients of what came out, which wait until there are enough of them for one product. */
typedef struct {
  long m, row, n, wide; /* A is rows x m, `row` apart; B is rows x n, `wide` apart, and so are the sums */
  real *packed, *sum;
  const real *a;
  long first; /* of DEPTH rows of B, those from here on are filled */
} NAME(Sum);

static void NAME(flush)(NAME(Sum) *sum) {
  NAME(gemm)(sum->m, DEPTH - sum->first, sum->n, sum->a, 1, sum->row, sum->packed + sum->first * NR, DEPTH, sum->sum, sum->wide, 1);
  sum->first = DEPTH;
}

static void NAME(take)(NAME(Sum) *sum, long rows, const real *a, const real *b) {
  if (sum->first < rows) NAME(flush)(sum);
  sum->a = a;
  sum->first -= rows;
  NAME(pack)(b, sum->wide, 1, rows, sum->n, DEPTH, sum->first, sum->packed);
}
