/*
 * Products of few rows with quantised weights, on activations of 8 bits:
 *   matvec_<type>_<n>: out [rows, n0] (=|+=) x [rows, inputs] . w [n0, inputs] transposed, n rows
 *                      at a time; x as quantize_rows leaves it; see matvec.cuh for the three
 *                      matrices and mode
 * Products within a group are summed exactly, by dp4a; groups in F32.
 * Launch: grid (ceil((n0 + n1 + n2) / 4), ceil(rows / n)), mode 2: (ceil(n0 / 4), ...); blocks of
 * 128.
 */
#include "matvec.cuh"
#include "quantize.cuh"

/* The sum over a group of 16 or 32 at an element of a row: scale * q . x - minimum * sum of x. */
template <int GROUP>
DEVICE float group_product(const int (&q)[GROUP / 4], Scaled s, const Quantized& x, int row,
                           int at) {
  int block = at / 32;
  int product = 0;
#pragma unroll
  for (int i = 0; i < GROUP / 16; i++) {
    int half = GROUP == 32 ? i : at / 16 % 2;
    uint4 v = *(const uint4*)x.half(row, block, half);
    product = __dp4a(q[4 * i], (int)v.x, product);
    product = __dp4a(q[4 * i + 1], (int)v.y, product);
    product = __dp4a(q[4 * i + 2], (int)v.z, product);
    product = __dp4a(q[4 * i + 3], (int)v.w, product);
  }
  uint2 scale = *x.scale(row, block);
  int first = (short)(scale.y & 0xffff);
  int second = (short)(scale.y >> 16);
  int sum = GROUP == 32 ? first + second : at / 16 % 2 ? second : first;
  return __uint_as_float(scale.x) * (s.scale * (float)product - s.minimum * (float)sum);
}

/* The lane's part of the products of a row of weights with ROWS rows of x. */
template <class C, int ROWS>
DEVICE void dot(float (&sums)[ROWS], const void* weight, long long outputs, int output,
                const Quantized& x, int rows) {
  constexpr int UNROLL = ROWS == 1 ? C::UNROLL : 1; /* registers hold sums as well */
  constexpr int GROUPS = ROWS == 1 ? C::GROUPS : (C::GROUPS + 1) / 2;
  constexpr int STEP = WARP / C::UNITS;
  int blocks = x.blocks * 32 / C::BLOCK;
  int part = lane_index() % C::UNITS;
  int block = lane_index() / C::UNITS;
  Block b = block_of<C>(weight, outputs * blocks, (long long)output * blocks + block);
#pragma unroll UNROLL
  for (; block < blocks; block += STEP) {
    typename C::Unit unit = C::load(b, part);
    b.body += STEP * C::BODY;
    b.rest += STEP * C::REST;
#pragma unroll GROUPS
    for (int g = 0; g < C::GROUPS; g++) {
      int q[C::GROUP / 4];
      Scaled s = C::group(q, unit, g);
      int at = block * C::BLOCK + C::at(part, g);
#pragma unroll
      for (int r = 0; r < ROWS; r++) {
        sums[r] += group_product<C::GROUP>(q, s, x, row_of<ROWS>(r, rows), at);
      }
    }
  }
}

template <class C, int ROWS>
DEVICE void matvec_body(float* out0, float* out1, float* out2, const void* x, const void* w0,
                        const void* w1, const void* w2, int rows, int inputs, int n0, int n1,
                        int n2, int mode) {
  bool fused = mode == MODE_SWIGLU;
  Output o = output_of_warp(out0, out1, out2, w0, w1, w2, n0, fused ? 0 : n1, n2);
  if (o.index >= o.outputs) {
    return;
  }
  Quantized activations(const_cast<void*>(x), rows, inputs);
  activations.q += (size_t)blockIdx.y * ROWS * inputs;
  activations.scales += (size_t)blockIdx.y * ROWS * activations.blocks;
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
    dot<C, ROWS>(sums, weight, o.outputs, o.index, activations, rows);
    gate = sum;
    sum = sum_of_lane<ROWS>(sums);
  }
  store_output<ROWS>(o, sum, gate, rows, mode);
}

#define MATVEC(name, type, at_once)                                                              \
  extern "C" __global__ void __launch_bounds__(MATVEC_WARPS* WARP, at_once == 1 ? 5 : 4)         \
      name(float* out0, float* out1, float* out2, const void* x, const void* w0, const void* w1, \
           const void* w2, int rows, int inputs, int n0, int n1, int n2, int mode) {             \
    matvec_body<type, at_once>(out0, out1, out2, x, w0, w1, w2, rows, inputs, n0, n1, n2, mode); \
  }                                                                                              \
  KERNEL(name)

#define MATVEC_OF(name, type) \
  MATVEC(name##_1, type, 1)   \
  MATVEC(name##_4, type, 4)

MATVEC_OF(matvec_q8_0, Q8_0)
MATVEC_OF(matvec_q4_0, Q4_0)
MATVEC_OF(matvec_q4_1, Q4_1)
MATVEC_OF(matvec_q5_0, Q5_0)
MATVEC_OF(matvec_q5_1, Q5_1)
MATVEC_OF(matvec_q2_k, Q2_K)
MATVEC_OF(matvec_q3_k, Q3_K)
MATVEC_OF(matvec_q4_k, Q4_K)
MATVEC_OF(matvec_q5_k, Q5_K)
MATVEC_OF(matvec_q6_k, Q6_K)
