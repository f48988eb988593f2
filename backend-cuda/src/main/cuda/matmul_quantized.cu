// also: compute_80
/*
 * Products of many rows with quantised weights on matrix units, see matmul.cuh: weights are decoded
 * to half on their way to shared memory.
 *   matmul_<type>_<tile>: out [rows, outputs] (=|+=) x [rows, inputs] . weight [outputs, inputs]
 *                         transposed; x and factors as round_rows_f16 leaves them
 * Launch: as matmul.cu.
 */
#include "matmul.cuh"

/* A thread decodes 16 consecutive elements of each slice. */
template <class C, class S>
struct PackedWeights {
  static_assert(S::COLUMNS * S::DEPTH == 16 * Geometry<S>::THREADS, "16 elements for each thread");
  static constexpr int PIECES = S::DEPTH / 16;
  const void* weight;
  int first, outputs, inputs;
  typename C::Unit unit;
  int group;
  bool valid;

  DEVICE PackedWeights(const void* weight, int first, int outputs, int inputs)
      : weight(weight), first(first), outputs(outputs), inputs(inputs) {}

  DEVICE void begin(half_bits*, int k0) {
    int output = first + threadIdx.x / PIECES;
    int k = k0 + threadIdx.x % PIECES * 16;
    valid = output < outputs && k < inputs;
    int blocks = inputs / C::BLOCK;
    /* Beyond the matrix any block does; finish drops it. */
    long long index = valid ? (long long)output * blocks + k / C::BLOCK : 0;
    int part;
    C::find(k % C::BLOCK, part, group);
    unit = C::load(block_of<C>(weight, (long long)outputs * blocks, index), part);
  }

  DEVICE void finish(half_bits* to) {
    int q[C::GROUP / 4];
    Scaled s = C::group(q, unit, group);
    s.scale = valid ? s.scale : 0;
    s.minimum = valid ? s.minimum : 0;
    bool second = C::GROUP == 32 && threadIdx.x % 2 == 1;
    uint4* at = (uint4*)(to + threadIdx.x / PIECES * Geometry<S>::LINE + threadIdx.x % PIECES * 16);
#pragma unroll
    for (int i = 0; i < 2; i++) {
      unsigned halves[4];
#pragma unroll
      for (int j = 0; j < 2; j++) {
        int four = second ? q[(2 * i + j + 4) % (C::GROUP / 4)] : q[2 * i + j];
        halves[2 * j] = pack_half2(s.scale * element_of(four, 0) - s.minimum,
                                   s.scale * element_of(four, 1) - s.minimum);
        halves[2 * j + 1] = pack_half2(s.scale * element_of(four, 2) - s.minimum,
                                       s.scale * element_of(four, 3) - s.minimum);
      }
      at[i] = make_uint4(halves[0], halves[1], halves[2], halves[3]);
    }
  }
};

#define MATMUL_QUANTIZED(name, codec)                      \
  typedef PackedWeights<codec, Tile128> codec##Weights128; \
  typedef PackedWeights<codec, Tile64> codec##Weights64;   \
  typedef PackedWeights<codec, Tile32> codec##Weights32;   \
  MATMUL(name##_128, F16, Tile128, codec##Weights128)      \
  MATMUL(name##_64, F16, Tile64, codec##Weights64)         \
  MATMUL(name##_32, F16, Tile32, codec##Weights32)

MATMUL_QUANTIZED(matmul_q8_0, Q8_0)
MATMUL_QUANTIZED(matmul_q4_0, Q4_0)
MATMUL_QUANTIZED(matmul_q4_1, Q4_1)
MATMUL_QUANTIZED(matmul_q5_0, Q5_0)
MATMUL_QUANTIZED(matmul_q5_1, Q5_1)
MATMUL_QUANTIZED(matmul_q2_k, Q2_K)
MATMUL_QUANTIZED(matmul_q3_k, Q3_K)
MATMUL_QUANTIZED(matmul_q4_k, Q4_K)
MATMUL_QUANTIZED(matmul_q5_k, Q5_K)
MATMUL_QUANTIZED(matmul_q6_k, Q6_K)
