/* Everything that depends on the type of the numbers: included once for float and once for double. */
#include "gemm.h"

#include "activations.h"

#include "rows.h"

#include "sums.h"

#include "sequence.h"

#include "compute.h"
