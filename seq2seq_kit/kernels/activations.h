/* The activations of the gates. */

/* e^x - 1 as  2^n * (e^r - 1) + (2^n - 1)  with |r| <= ln(2) / 2 and the series of e^r - 1, which is exact to the last bit or two;
 * written without branches, so that compilers make vectors of it. Not a number stays not a number. */
#ifdef SINGLE
static inline __attribute__((always_inline)) float expm1_fast(float x) {
  float rounded = x * 1.44269504f + 12582912.f; /* 1.5 * 2^23: the fraction falls off */
  float n = rounded - 12582912.f;
  float r = x - n * 0.693359375f + n * 2.12194440e-4f; /* ln(2) in two parts, the first one short */
  float series = 1.f / 5040;
  series = series * r + 1.f / 720;
  series = series * r + 1.f / 120;
  series = series * r + 1.f / 24;
  series = series * r + 1.f / 6;
  series = series * r + 0.5f;
  series = series * r * r + r;
  unsigned bits;
  memcpy(&bits, &rounded, 4);
  bits = (bits + 127) << 23; /* the low bits of `rounded` hold n: now 2^n as a float */
  float scale;
  memcpy(&scale, &bits, 4);
  return scale * series + (scale - 1.f);
}
/* Below it the sigmoid is next to zero, which counts as zero: even the gradient of an input of 1e30 is shut out, as in TensorFlow. */
#define LEAST -87.33f
static inline __attribute__((always_inline)) float f_sigmoid(float x) {
  float inside = x > 87.f ? 87.f : x;
  inside = inside < LEAST ? LEAST : inside;
  float value = 1.f / (2.f + expm1_fast(-inside));
  return x < LEAST ? 0.f : value;
}
static inline __attribute__((always_inline)) float f_tanh(float x) {
  x = x > 10.f ? 10.f : x; /* 1 to the last bit from 9.01 on */
  x = x < -10.f ? -10.f : x;
  float e = expm1_fast(2.f * x);
  return e / (e + 2.f);
}
#else
static inline double d_sigmoid(double x) { return 1. / (1. + exp(-x)); }
static inline double d_tanh(double x) { return tanh(x); }
#endif
