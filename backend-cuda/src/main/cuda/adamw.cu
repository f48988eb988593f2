/*
 * AdamW (Loshchilov and Hutter 2019, algorithm 2), all [count], in place. With g = gradient * clip:
 *   m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2,
 *   w = w (1 - lr decay) - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
 * step [4]: lr, 1 - beta1^t, 1 - beta2^t, clip.
 * Launch: any grid, blocks of any multiple of 32.
 */
#include "elementwise.cuh"

extern "C" __global__ void adamw(float* weight, float* m, float* v, const float* gradient,
                                 const float* step, float beta1, float beta2, float eps,
                                 float decay, long long count) {
  float rate = step[0];
  float first_correction = 1 / step[1];
  float second_correction = 1 / step[2];
  float clip = step[3];
  for (long long i = first_element(); i < count; i += element_step()) {
    float g = gradient[i] * clip;
    float first = beta1 * m[i] + (1 - beta1) * g;
    float second = beta2 * v[i] + (1 - beta2) * g * g;
    m[i] = first;
    v[i] = second;
    float update = first * first_correction / (sqrtf(second * second_correction) + eps);
    weight[i] = weight[i] * (1 - rate * decay) - rate * update;
  }
}
KERNEL(adamw)
