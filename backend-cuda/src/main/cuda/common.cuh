/*
 * What all kernels share: number formats, collectives of a warp and of a block, and the few
 * instructions that C++ has no word for. All inline assembly is here, each beside its portable
 * twin: under LLAMA_EMULATOR the same sources are compiled by a C++ compiler and run on the host.
 *
 * Devices older than 8.0 lack asynchronous copies and matrix units for bfloat16; they get a plain
 * copy and a conversion to half instead (see cp_async16 and mma_bf16).
 */
#pragma once

#ifdef LLAMA_EMULATOR
#include "emulator.h"
#ifndef LLAMA_ARCH
#define LLAMA_ARCH LLAMA_EMULATOR
#endif
#else
#define LLAMA_ARCH __CUDA_ARCH__
#define KERNEL(name)
#define DYNAMIC_SHARED(type, name)                              \
  extern __shared__ __align__(16) unsigned char llama_shared[]; \
  type* name = reinterpret_cast<type*>(llama_shared)
#endif

#define DEVICE __device__ __forceinline__

constexpr int WARP = 32;
constexpr unsigned ALL_LANES = 0xffffffffu;
/* Natural logarithm of 2 and its inverse: exponentials run in base 2. */
constexpr float LN_2 = 0.6931471805599453f;
constexpr float LOG2_E = 1.4426950408889634f;

/* Positions of a page of a KV cache. */
constexpr int KV_PAGE = 64;
/* Rows of a run that a tile of the prefill kernels covers. */
constexpr int TILE_ROWS = 64;

enum Kind { KIND_ROWS = 0, KIND_F32 = 1, KIND_F16 = 2 };

/* Consecutive rows of one sequence in a batch. */
struct Run {
  const unsigned long long* pages; /* device addresses of the pages; none for KIND_ROWS */
  int first_row;
  int count;
  int first_position;
  int kind;
};

typedef unsigned short half_bits;
typedef unsigned short bfloat_bits;

/* ---- Number formats ---- */

DEVICE float half_to_float(half_bits h) {
#ifdef LLAMA_EMULATOR
  return emu_half_to_float(h);
#else
  float f;
  asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(h));
  return f;
#endif
}

DEVICE half_bits float_to_half(float f) {
#ifdef LLAMA_EMULATOR
  return emu_float_to_half(f);
#else
  half_bits h;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(f));
  return h;
#endif
}

DEVICE float bfloat_to_float(bfloat_bits b) { return __uint_as_float((unsigned)b << 16); }

/* Round to nearest, ties to even; a NaN stays one. */
DEVICE bfloat_bits float_to_bfloat(float f) {
  unsigned bits = __float_as_uint(f);
  unsigned rounded = bits + 0x7fff + (bits >> 16 & 1);
  return (bfloat_bits)((f == f ? rounded : bits | 0x400000) >> 16);
}

DEVICE float2 half2_to_float2(unsigned pair) {
  return make_float2(half_to_float((half_bits)(pair & 0xffff)),
                     half_to_float((half_bits)(pair >> 16)));
}

DEVICE float2 bfloat2_to_float2(unsigned pair) {
  return make_float2(__uint_as_float(pair << 16), __uint_as_float(pair & 0xffff0000u));
}

/* Two numbers in one register, the first in the lower half. */
DEVICE unsigned pack_half2(float low, float high) {
#if !defined(LLAMA_EMULATOR) && LLAMA_ARCH >= 800
  unsigned pair;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
#else
  return float_to_half(low) | (unsigned)float_to_half(high) << 16;
#endif
}

DEVICE unsigned pack_bfloat2(float low, float high) {
#if !defined(LLAMA_EMULATOR) && LLAMA_ARCH >= 800
  unsigned pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
#else
  return float_to_bfloat(low) | (unsigned)float_to_bfloat(high) << 16;
#endif
}

/* ---- Arithmetic ---- */

DEVICE float exp2_fast(float x) {
#ifdef LLAMA_EMULATOR
  return exp2f(x);
#else
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#endif
}

/* ---- Memory ---- */

DEVICE bool is_aligned16(const void* p) { return ((size_t)p & 15) == 0; }

/* Copies 16 bytes to shared memory, or writes zeros; complete after cp_async_wait and a barrier. */
DEVICE void cp_async16(void* shared, const void* global, bool valid) {
#if !defined(LLAMA_EMULATOR) && LLAMA_ARCH >= 800
  unsigned to = (unsigned)__cvta_generic_to_shared(shared);
  int bytes = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global), "r"(bytes));
#else
  *(uint4*)shared = valid ? *(const uint4*)global : make_uint4(0, 0, 0, 0);
#endif
}

DEVICE void cp_async_commit() {
#if !defined(LLAMA_EMULATOR) && LLAMA_ARCH >= 800
  asm volatile("cp.async.commit_group;");
#endif
}

/* Waits until at most so many of the latest groups are under way. */
template <int PENDING>
DEVICE void cp_async_wait() {
#if !defined(LLAMA_EMULATOR) && LLAMA_ARCH >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(PENDING));
#endif
}

/* ---- Matrix units: fragments as the PTX manual defines them, sums in place ---- */

/* Four 8x8 matrices of 16-bit elements; lane i points to a row of matrix i / 8. */
DEVICE void ldmatrix_x4(unsigned (&d)[4], const void* row) {
#ifdef LLAMA_EMULATOR
  emu_ldmatrix_x4(d, row);
#else
  unsigned from = (unsigned)__cvta_generic_to_shared(row);
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
               : "r"(from));
#endif
}

DEVICE void ldmatrix_x4_trans(unsigned (&d)[4], const void* row) {
#ifdef LLAMA_EMULATOR
  emu_ldmatrix_x4_trans(d, row);
#else
  unsigned from = (unsigned)__cvta_generic_to_shared(row);
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
               : "r"(from));
#endif
}

/* d [16, 8] += a [16, 16] b [16, 8] of half. */
DEVICE void mma_f16(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
#if defined(LLAMA_EMULATOR) && LLAMA_ARCH >= 800
  unsigned b[2] = {b0, b1};
  emu_mma_m16n8k16_f16(d, a, b);
#elif defined(LLAMA_EMULATOR)
  emu_mma_m16n8k8_f16(d, a, &b0);
  emu_mma_m16n8k8_f16(d, a + 2, &b1);
#elif LLAMA_ARCH >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(b0));
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[2]), "r"(a[3]), "r"(b1));
#endif
}

DEVICE unsigned bfloat2_to_half2(unsigned pair) {
  float2 f = bfloat2_to_float2(pair);
  return pack_half2(f.x, f.y);
}

/* d [16, 8] += a [16, 16] b [16, 8] of bfloat16. Without such units: of half; callers keep a's
 * elements below 2^15 by a factor for each row, and weights are far smaller. */
DEVICE void mma_bf16(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
#if defined(LLAMA_EMULATOR) && LLAMA_ARCH >= 800
  unsigned b[2] = {b0, b1};
  emu_mma_m16n8k16_bf16(d, a, b);
#elif LLAMA_ARCH >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
  unsigned halves[4];
#pragma unroll
  for (int i = 0; i < 4; i++) {
    halves[i] = bfloat2_to_half2(a[i]);
  }
  mma_f16(d, halves, bfloat2_to_half2(b0), bfloat2_to_half2(b1));
#endif
}

/* ---- Collectives: every lane of the warp, or thread of the block, takes part ---- */

DEVICE int lane_index() { return threadIdx.x % WARP; }

DEVICE int warp_index() { return threadIdx.x / WARP; }

/* Sum over groups of `width` neighbouring lanes, a power of two; every lane gets it. */
DEVICE float warp_sum(float x, int width = WARP) {
#ifdef LLAMA_EMULATOR
  return emu_butterfly<float, emu_plus>(x, width);
#endif
  for (int offset = width / 2; offset > 0; offset /= 2) {
    x += __shfl_xor_sync(ALL_LANES, x, offset);
  }
  return x;
}

DEVICE float warp_max(float x, int width = WARP) {
#ifdef LLAMA_EMULATOR
  return emu_butterfly<float, emu_larger>(x, width);
#endif
  for (int offset = width / 2; offset > 0; offset /= 2) {
    x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, offset));
  }
  return x;
}

/* Sum over the block, in an order that depends on the block's size alone; every thread gets it. */
DEVICE float block_sum(float x) {
  __shared__ float partial[WARP];
  x = warp_sum(x);
  __syncthreads(); /* An earlier sum has been read. */
  if (lane_index() == 0) {
    partial[warp_index()] = x;
  }
  __syncthreads();
  int warps = blockDim.x / WARP;
  float total = 0;
  for (int i = 0; i < warps; i++) {
    total += partial[i];
  }
  return total;
}

DEVICE float block_max(float x) {
  __shared__ float partial[WARP];
  x = warp_max(x);
  __syncthreads();
  if (lane_index() == 0) {
    partial[warp_index()] = x;
  }
  __syncthreads();
  int warps = blockDim.x / WARP;
  float largest = partial[0];
  for (int i = 1; i < warps; i++) {
    largest = fmaxf(largest, partial[i]);
  }
  return largest;
}

/* x * sigmoid(x) without a NaN for any finite x. */
DEVICE float sigmoid(float x) { return 1 / (1 + expf(-x)); }
