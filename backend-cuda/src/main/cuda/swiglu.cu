/*
 * Gated activation (Shazeer 2020).
 *   swiglu:      out = gate * sigmoid(gate) * up; out may be gate or up
 *   swiglu_grad: dgate = dout * up * s * (1 + gate * (1 - s)), dup = dout * gate * s, with
 *                s = sigmoid(gate); dgate may be dout
 * All [count]. Launch: any grid, blocks of any multiple of 32.
 */
#include "elementwise.cuh"

extern "C" __global__ void swiglu(float* out, const float* gate, const float* up, long long count) {
  for (long long i = first_element(); i < count; i += element_step()) {
    float g = gate[i];
    out[i] = g * sigmoid(g) * up[i];
  }
}
KERNEL(swiglu)

extern "C" __global__ void swiglu_grad(float* dgate, float* dup, const float* dout,
                                       const float* gate, const float* up, long long count) {
  for (long long i = first_element(); i < count; i += element_step()) {
    float d = dout[i];
    float g = gate[i];
    float s = sigmoid(g);
    dgate[i] = d * up[i] * s * (1 + g * (1 - s));
    dup[i] = d * g * s;
  }
}
KERNEL(swiglu_grad)
