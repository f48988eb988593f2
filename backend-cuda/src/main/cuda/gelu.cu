/*
 * Gaussian error linear unit, exact (Hendrycks and Gimpel 2016).
 *   gelu:      out = x * (1 + erf(x / sqrt(2))) / 2; out may be x
 *   gelu_grad: dx = dout * (Phi(x) + x * phi(x)), Phi and phi of the normal distribution; dx may be
 *              dout
 * All [count]. Launch: any grid, blocks of any multiple of 32.
 */
#include "elementwise.cuh"

constexpr float SQRT_HALF = 0.70710678118654752f;
constexpr float INVERSE_SQRT_2_PI = 0.39894228040143268f;

/* Beyond this the distribution function is 0 or 1 in F32. */
constexpr float SATURATION = 14.0f;

DEVICE float normal_cdf(float x) {
  /* erfc keeps its precision where 1 + erf would lose it. */
  return x < -SATURATION ? 0 : 0.5f * erfcf(-x * SQRT_HALF);
}

extern "C" __global__ void gelu(float* out, const float* x, long long count) {
  for (long long i = first_element(); i < count; i += element_step()) {
    float v = x[i];
    out[i] = v * normal_cdf(v);
  }
}
KERNEL(gelu)

extern "C" __global__ void gelu_grad(float* dx, const float* dout, const float* x,
                                     long long count) {
  for (long long i = first_element(); i < count; i += element_step()) {
    float v = x[i];
    float density = fabsf(v) > SATURATION ? 0 : INVERSE_SQRT_2_PI * expf(-0.5f * v * v);
    dx[i] = dout[i] * (normal_cdf(v) + v * density);
  }
}
KERNEL(gelu_grad)
