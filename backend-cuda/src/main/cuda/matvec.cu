/*
 * Products of few rows with weights that store each element by itself:
 *   matvec_<type>_<n>: out [rows, n0] (=|+=) x [rows, inputs] . w [n0, inputs] transposed, n rows
 *                      at a time; see matvec.cuh for the three matrices and mode
 * Sums are F32. Any sizes; fast where inputs is a multiple of 8 (F32: 4) and x is aligned.
 * Launch: grid (ceil((n0 + n1 + n2) / 4), ceil(rows / n)), mode 2: (ceil(n0 / 4), ...); blocks of
 * 128.
 */
#include "matvec.cuh"

template <class T, int ROWS>
DEVICE void add_products(float (&sums)[ROWS], uint4 packed, const float* x, int stride, int rows) {
  float w[T::LOAD];
  T::unpack(w, packed);
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    const float4* a = (const float4*)(x + row_of<ROWS>(r, rows) * stride);
#pragma unroll
    for (int i = 0; i < T::LOAD / 4; i++) {
      float4 v = a[i];
      sums[r] += v.x * w[4 * i] + v.y * w[4 * i + 1] + v.z * w[4 * i + 2] + v.w * w[4 * i + 3];
    }
  }
}

/* The lane's part of the products of a row of weights with ROWS rows of x. */
template <class T, int ROWS>
DEVICE void dot(float (&sums)[ROWS], const typename T::Element* w, const float* x, int rows,
                int inputs) {
  constexpr int IN_FLIGHT = ROWS == 8 ? 2 : 4; /* loads of weights that a lane waits for at once */
  int lane = lane_index();
  if (inputs % T::LOAD == 0 && (((size_t)x | (size_t)w) & 15) == 0) {
    constexpr int STEP = WARP * T::LOAD;
    int i = lane * T::LOAD;
    for (; i + (IN_FLIGHT - 1) * STEP < inputs; i += IN_FLIGHT * STEP) {
      uint4 packed[IN_FLIGHT];
#pragma unroll
      for (int u = 0; u < IN_FLIGHT; u++) {
        packed[u] = *(const uint4*)(w + i + u * STEP);
      }
#pragma unroll
      for (int u = 0; u < IN_FLIGHT; u++) {
        add_products<T, ROWS>(sums, packed[u], x + i + u * STEP, inputs, rows);
      }
    }
    for (; i < inputs; i += STEP) {
      add_products<T, ROWS>(sums, *(const uint4*)(w + i), x + i, inputs, rows);
    }
  } else {
    for (int i = lane; i < inputs; i += WARP) {
      float weight = T::one(w[i]);
#pragma unroll
      for (int r = 0; r < ROWS; r++) {
        sums[r] += weight * x[row_of<ROWS>(r, rows) * inputs + i];
      }
    }
  }
}

template <class T, int ROWS>
DEVICE void matvec_body(float* out0, float* out1, float* out2, const float* x, const void* w0,
                        const void* w1, const void* w2, int rows, int inputs, int n0, int n1,
                        int n2, int mode) {
  bool fused = mode == MODE_SWIGLU;
  Output o = output_of_warp(out0, out1, out2, w0, w1, w2, n0, fused ? 0 : n1, n2);
  if (o.index >= o.outputs) {
    return;
  }
  x += (size_t)blockIdx.y * ROWS * inputs;
  float sum = 0;
  float gate = 0;
#pragma unroll 1
  for (int part = fused ? 0 : 1; part < 2; part++) {
    float sums[ROWS];
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      sums[r] = 0;
    }
    const void* weight = fused && part == 1 ? w1 : o.weight;
    const typename T::Element* w = (const typename T::Element*)weight + (size_t)o.index * inputs;
    dot<T, ROWS>(sums, w, x, rows, inputs);
    gate = sum;
    sum = sum_of_lane<ROWS>(sums);
  }
  store_output<ROWS>(o, sum, gate, rows, mode);
}

#define MATVEC(name, type, at_once)                                                               \
  extern "C" __global__ void __launch_bounds__(MATVEC_WARPS* WARP)                                \
      name(float* out0, float* out1, float* out2, const float* x, const void* w0, const void* w1, \
           const void* w2, int rows, int inputs, int n0, int n1, int n2, int mode) {              \
    matvec_body<type, at_once>(out0, out1, out2, x, w0, w1, w2, rows, inputs, n0, n1, n2, mode);  \
  }                                                                                               \
  KERNEL(name)

#define MATVEC_OF(name, type) \
  MATVEC(name##_1, type, 1)   \
  MATVEC(name##_4, type, 4)   \
  MATVEC(name##_8, type, 8)

MATVEC_OF(matvec_f32, F32)
MATVEC_OF(matvec_f16, F16)
MATVEC_OF(matvec_bf16, BF16)
