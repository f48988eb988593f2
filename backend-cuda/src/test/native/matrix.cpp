/*
 * Matrix units and number formats. The last lane of a warp to arrive unpacks the fragments of all,
 * multiplies, and leaves the sums where the lanes find theirs. With g = lane / 4 and t = lane % 4,
 * fragments are those of the PTX manual, section "Matrix Fragments for mma".
 */
#include "fibres.h"

namespace {

constexpr int LANES = 32;

float half(unsigned short bits) { return emu_halves[bits]; }

float bfloat(unsigned short bits) { return __uint_as_float((unsigned)bits << 16); }

/* 10 bits of mantissa; the rest is not looked at. */
float tf32(unsigned bits) { return __uint_as_float(bits & 0xffffe000u); }

/* What a lane hands in, and receives. */
template <class T, int A, int B>
struct Fragments {
  T d[4];
  unsigned a[A];
  unsigned b[B];
};

template <class T, int A, int B>
void exchange(T* d, const unsigned* a, const unsigned* b, int sums, void (*compute)(char*, int)) {
  Fragments<T, A, B> mine;
  memcpy(mine.d, d, sums * sizeof(T));
  memcpy(mine.a, a, sizeof mine.a);
  memcpy(mine.b, b, sizeof mine.b);
  const char* all = emu_exchange(EMU_MMA, ~0u, &mine, sizeof mine, compute);
  memcpy(d, all + emu_self->lane * sizeof mine, sums * sizeof(T));
}

/* d [rows, 8] += a [rows, K] b [K, 8], where b is given by columns. */
template <class T, int A, int B, int K>
void multiply(Fragments<T, A, B>* lanes, int rows, const T (*a)[K], const T (*b)[K]) {
  for (int lane = 0; lane < LANES; lane++) {
    int g = lane / 4;
    int t = lane % 4;
    for (int i = 0; i < rows / 4; i++) {
      const T* row = a[g + i / 2 * 8];
      const T* column = b[2 * t + i % 2];
      T sum = 0;
      for (int k = 0; k < K; k++) {
        sum += row[k] * column[k];
      }
      lanes[lane].d[i] += sum;
    }
  }
}

/* m16n8 of 16-bit elements: each register holds two neighbours in k; K is 8 or 16. */
template <int K, float (*decode)(unsigned short)>
void mma_16bit(char* all, int) {
  typedef Fragments<float, K / 4, K / 8> Lane;
  Lane* lanes = (Lane*)all;
  float a[16][K];
  float b[8][K];
  for (int lane = 0; lane < LANES; lane++) {
    int g = lane / 4;
    int t = lane % 4;
    for (int i = 0; i < K / 4; i++) {
      float* to = &a[g + i % 2 * 8][i / 2 * 8 + 2 * t];
      to[0] = decode(lanes[lane].a[i] & 0xffff);
      to[1] = decode(lanes[lane].a[i] >> 16);
    }
    for (int i = 0; i < K / 8; i++) {
      float* to = &b[g][i * 8 + 2 * t];
      to[0] = decode(lanes[lane].b[i] & 0xffff);
      to[1] = decode(lanes[lane].b[i] >> 16);
    }
  }
  multiply<float, K / 4, K / 8, K>(lanes, 16, a, b);
}

void mma_tf32(char* all, int) {
  typedef Fragments<float, 4, 2> Lane;
  Lane* lanes = (Lane*)all;
  float a[16][8];
  float b[8][8];
  for (int lane = 0; lane < LANES; lane++) {
    int g = lane / 4;
    int t = lane % 4;
    for (int i = 0; i < 4; i++) {
      a[g + i % 2 * 8][i / 2 * 4 + t] = tf32(lanes[lane].a[i]);
    }
    for (int i = 0; i < 2; i++) {
      b[g][i * 4 + t] = tf32(lanes[lane].b[i]);
    }
  }
  multiply<float, 4, 2, 8>(lanes, 16, a, b);
}

/* Each register holds four neighbours in k. */
template <int ROWS, int K>
void mma_s8(char* all, int) {
  constexpr int A = ROWS / 8 * (K / 16);
  typedef Fragments<int, A, K / 16> Lane;
  Lane* lanes = (Lane*)all;
  int a[ROWS][K];
  int b[8][K];
  for (int lane = 0; lane < LANES; lane++) {
    int g = lane / 4;
    int t = lane % 4;
    for (int byte = 0; byte < 4; byte++) {
      for (int i = 0; i < A; i++) {
        int row = g + i % (ROWS / 8) * 8;
        a[row][i / (ROWS / 8) * 16 + 4 * t + byte] = (signed char)(lanes[lane].a[i] >> 8 * byte);
      }
      for (int i = 0; i < K / 16; i++) {
        b[g][i * 16 + 4 * t + byte] = (signed char)(lanes[lane].b[i] >> 8 * byte);
      }
    }
  }
  multiply<int, A, K / 16, K>(lanes, ROWS, a, b);
}

}  // namespace

void emu_mma_m16n8k16_f16(float* d, const unsigned* a, const unsigned* b) {
  exchange<float, 4, 2>(d, a, b, 4, mma_16bit<16, half>);
}

void emu_mma_m16n8k16_bf16(float* d, const unsigned* a, const unsigned* b) {
  exchange<float, 4, 2>(d, a, b, 4, mma_16bit<16, bfloat>);
}

void emu_mma_m16n8k8_f16(float* d, const unsigned* a, const unsigned* b) {
  exchange<float, 2, 1>(d, a, b, 4, mma_16bit<8, half>);
}

void emu_mma_m16n8k8_tf32(float* d, const unsigned* a, const unsigned* b) {
  exchange<float, 4, 2>(d, a, b, 4, mma_tf32);
}

void emu_mma_m16n8k32_s8(int* d, const unsigned* a, const unsigned* b) {
  exchange<int, 4, 2>(d, a, b, 4, mma_s8<16, 32>);
}

void emu_mma_m8n8k16_s8(int* d, const unsigned* a, const unsigned* b) {
  exchange<int, 1, 1>(d, a, b, 2, mma_s8<8, 16>);
}

/* Lane i names row i % 8 of matrix i / 8; a row is 8 elements of 16 bits. */
void emu_ldmatrix(unsigned* d, const void* row, int count, bool transposed) {
  const char* all = emu_exchange(EMU_LDMATRIX, ~0u, &row, sizeof row);
  const unsigned short* rows[LANES];
  memcpy(rows, all, sizeof rows);
  int g = emu_self->lane / 4;
  int t = emu_self->lane % 4;
  for (int i = 0; i < count; i++) {
    const unsigned short* const* matrix = rows + 8 * i;
    unsigned low = transposed ? matrix[2 * t][g] : matrix[g][2 * t];
    unsigned high = transposed ? matrix[2 * t + 1][g] : matrix[g][2 * t + 1];
    d[i] = low | high << 16;
  }
}

void emu_init_formats() {
  for (unsigned bits = 0; bits < 1 << 16; bits++) {
    int exponent = bits >> 10 & 31;
    int mantissa = bits & 1023;
    float magnitude = exponent == 0    ? ldexpf(mantissa, -24)
                      : exponent < 31  ? ldexpf(1024 + mantissa, exponent - 25)
                      : mantissa == 0  ? INFINITY
                                       : NAN;
    emu_halves[bits] = bits & 0x8000 ? -magnitude : magnitude;
  }
}

/* Rounds to nearest, ties to even. */
unsigned short emu_float_to_half(float x) {
  unsigned bits = __float_as_uint(x);
  unsigned sign = bits >> 16 & 0x8000;
  unsigned magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) {
    return sign | 0x7fff;
  }
  if (magnitude >= 0x477ff000) { /* from 65520 on */
    return sign | 0x7c00;
  }
  if (magnitude < 0x38800000) { /* below 2^-14: steps of 2^-24 */
    return sign | (unsigned)rintf(__uint_as_float(magnitude) * 16777216.0f);
  }
  unsigned rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
  return sign | (rounded - 0x38000000) >> 13;
}
