/*
 * What the kernels see in place of CUDA when a C++ compiler compiles them for the emulator: the
 * words of the language, the built-in variables, and functions for what the device has instructions
 * for. Threads of a block are fibres, see fibres.cpp; collectives switch between them.
 *
 * Blocks run one after another on one thread of the host, so static memory serves as shared memory
 * and atomic functions need no atomic instructions.
 */
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

/* ---- Words of the language ---- */

#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(n) __attribute__((aligned(n)))
#define __launch_bounds__(...)

#define DYNAMIC_SHARED(type, name) type* name = reinterpret_cast<type*>(emu_dynamic_shared)

struct uint3 {
  unsigned x, y, z;
};

struct dim3 {
  unsigned x, y, z;
  dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

#define EMU_VECTORS(type, name, align)                               \
  struct alignas(2 * align) name##2 {                                \
    type x, y;                                                       \
  };                                                                 \
  struct alignas(4 * align > 16 ? 16 : 4 * align) name##4 {          \
    type x, y, z, w;                                                 \
  };                                                                 \
  inline name##2 make_##name##2(type x, type y) { return {x, y}; }   \
  inline name##4 make_##name##4(type x, type y, type z, type w) {    \
    return {x, y, z, w};                                             \
  }

EMU_VECTORS(signed char, char, 1)
EMU_VECTORS(unsigned char, uchar, 1)
EMU_VECTORS(short, short, 2)
EMU_VECTORS(unsigned short, ushort, 2)
EMU_VECTORS(int, int, 4)
EMU_VECTORS(unsigned, uint, 4)
EMU_VECTORS(float, float, 4)

/* ---- The running thread ---- */

struct emu_fibre {
  void* stack_pointer;
  uint3 thread;
  int lane;
  int warp;
};

extern emu_fibre* emu_self;
extern uint3 emu_block;
extern dim3 emu_block_size;
extern dim3 emu_grid_size;
extern char* emu_dynamic_shared;

#define threadIdx (emu_self->thread)
#define blockIdx emu_block
#define blockDim emu_block_size
#define gridDim emu_grid_size
#define warpSize 32

/* ---- Kernels are found by name ---- */

struct emu_kernel {
  const char* name;
  size_t parameter_bytes;
  void (*call)(const char* parameters);
  emu_kernel* next;
};

void emu_register(emu_kernel* kernel);

struct emu_registration {
  emu_kernel kernel;
  emu_registration(const char* name, size_t bytes, void (*call)(const char*))
      : kernel{name, bytes, call, nullptr} {
    emu_register(&kernel);
  }
};

/* Offset of a parameter in the buffer of a launch: each is aligned to its own size. */
template <class... A>
struct emu_layout {
  size_t offsets[sizeof...(A) + 1];
  size_t bytes;
  constexpr emu_layout() : offsets(), bytes(0) {
    size_t sizes[] = {sizeof(A)..., 1};
    for (size_t i = 0; i < sizeof...(A); i++) {
      bytes = (bytes + sizes[i] - 1) / sizes[i] * sizes[i];
      offsets[i] = bytes;
      bytes += sizes[i];
    }
  }
};

template <class... A, size_t... I>
inline __attribute__((always_inline)) void emu_unpack(void (*function)(A...), const char* parameters,
                                                      std::index_sequence<I...>) {
  constexpr emu_layout<A...> layout;
  function(*reinterpret_cast<const A*>(parameters + layout.offsets[I])...);
}

template <class... A>
inline __attribute__((always_inline)) void emu_invoke(void (*function)(A...),
                                                      const char* parameters) {
  emu_unpack(function, parameters, std::index_sequence_for<A...>());
}

template <class... A>
constexpr size_t emu_parameter_bytes(void (*)(A...)) {
  return emu_layout<A...>().bytes;
}

#define KERNEL(name)                                                                      \
  static void emu_call_##name(const char* parameters) { emu_invoke(&name, parameters); }  \
  static emu_registration emu_registration_##name(#name, emu_parameter_bytes(&name),      \
                                                  emu_call_##name);

/* ---- Collectives ---- */

/* Waits for all threads of the block that have not returned. */
void __syncthreads();
int __syncthreads_count(int predicate);
inline int __syncthreads_or(int predicate) { return __syncthreads_count(predicate) != 0; }
inline int __syncthreads_and(int predicate) { return __syncthreads_count(!predicate) == 0; }

/*
 * What all 32 lanes of the warp handed in, in the order of lanes. Valid until this lane's next but
 * one collective. The last lane to arrive calls compute, if there is one, which may write results
 * over the inputs. `kind` tells collectives apart: that all lanes are at the same one is checked.
 */
char* emu_exchange(int kind, unsigned mask, const void* mine, int bytes,
                   void (*compute)(char* all, int argument) = nullptr, int argument = 0);

enum emu_kind { EMU_SYNC, EMU_SHUFFLE, EMU_VOTE, EMU_REDUCE, EMU_LDMATRIX, EMU_MMA };

inline void __syncwarp(unsigned mask = 0xffffffffu) { emu_exchange(EMU_SYNC, mask, nullptr, 0); }

inline int emu_source(int lane, int source, int width) {
  int first = emu_self->lane / width * width;
  return source < first || source >= first + width ? lane : source;
}

template <class T>
inline T emu_shuffle(unsigned mask, T value, int source) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "shuffles move 4 or 8 bytes");
  T result;
  memcpy(&result, emu_exchange(EMU_SHUFFLE, mask, &value, sizeof(T)) + source * sizeof(T),
         sizeof(T));
  return result;
}

template <class T>
inline T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
  int lane = emu_self->lane;
  return emu_shuffle(mask, value, lane / width * width + (source & (width - 1)));
}

template <class T>
inline T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32) {
  int lane = emu_self->lane;
  return emu_shuffle(mask, value, emu_source(lane, lane ^ lanes, width));
}

template <class T>
inline T __shfl_down_sync(unsigned mask, T value, int delta, int width = 32) {
  int lane = emu_self->lane;
  return emu_shuffle(mask, value, emu_source(lane, lane + delta, width));
}

template <class T>
inline T __shfl_up_sync(unsigned mask, T value, int delta, int width = 32) {
  int lane = emu_self->lane;
  return emu_shuffle(mask, value, emu_source(lane, lane - delta, width));
}

/*
 * What a loop of __shfl_xor_sync over offsets width / 2 ... 1 gives, bit for bit, with one change of
 * fibres instead of five.
 */
template <class T, T (*combine)(T, T)>
inline T emu_butterfly(T value, int width) {
  auto compute = [](char* all, int width) {
    T* values = (T*)all;
    for (int offset = width / 2; offset > 0; offset /= 2) {
      T combined[32];
      for (int i = 0; i < 32; i++) {
        combined[i] = combine(values[i], values[i ^ offset]);
      }
      memcpy(values, combined, sizeof combined);
    }
  };
  char* all = emu_exchange(EMU_REDUCE, 0xffffffffu, &value, sizeof(T), compute, width);
  return ((T*)all)[emu_self->lane];
}

inline float emu_plus(float x, float y) { return x + y; }
inline float emu_larger(float x, float y) { return fmaxf(x, y); }

unsigned __ballot_sync(unsigned mask, int predicate);
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) {
  return __ballot_sync(mask, predicate) == 0xffffffffu;
}

/* Matrix units: fragments as the PTX manual defines them, sums in place. */
void emu_mma_m16n8k16_f16(float* d, const unsigned* a, const unsigned* b);
void emu_mma_m16n8k16_bf16(float* d, const unsigned* a, const unsigned* b);
void emu_mma_m16n8k8_f16(float* d, const unsigned* a, const unsigned* b);
void emu_mma_m16n8k8_tf32(float* d, const unsigned* a, const unsigned* b);
void emu_mma_m16n8k32_s8(int* d, const unsigned* a, const unsigned* b);
void emu_mma_m8n8k16_s8(int* d, const unsigned* a, const unsigned* b);

void emu_ldmatrix(unsigned* d, const void* row, int count, bool transposed);
inline void emu_ldmatrix_x4(unsigned* d, const void* row) { emu_ldmatrix(d, row, 4, false); }
inline void emu_ldmatrix_x2(unsigned* d, const void* row) { emu_ldmatrix(d, row, 2, false); }
inline void emu_ldmatrix_x4_trans(unsigned* d, const void* row) { emu_ldmatrix(d, row, 4, true); }
inline void emu_ldmatrix_x2_trans(unsigned* d, const void* row) { emu_ldmatrix(d, row, 2, true); }

/* ---- Number formats and arithmetic ---- */

template <class To, class From>
inline To emu_bits(From from) {
  static_assert(sizeof(To) == sizeof(From), "only between equal sizes");
  To to;
  memcpy(&to, &from, sizeof(To));
  return to;
}

inline int __float_as_int(float x) { return emu_bits<int>(x); }
inline unsigned __float_as_uint(float x) { return emu_bits<unsigned>(x); }
inline float __int_as_float(int x) { return emu_bits<float>(x); }
inline float __uint_as_float(unsigned x) { return emu_bits<float>(x); }

extern float emu_halves[1 << 16]; /* what each half stands for */

inline float emu_half_to_float(unsigned short half) { return emu_halves[half]; }
unsigned short emu_float_to_half(float x);

inline int __dp4a(int a, int b, int c) {
  for (int i = 0; i < 32; i += 8) {
    c += (int)(signed char)(a >> i) * (signed char)(b >> i);
  }
  return c;
}

inline unsigned __dp4a(unsigned a, unsigned b, unsigned c) {
  for (int i = 0; i < 32; i += 8) {
    c += (a >> i & 255) * (b >> i & 255);
  }
  return c;
}

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }

inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
  uint64_t bytes = (uint64_t)b << 32 | a;
  unsigned result = 0;
  for (int i = 0; i < 4; i++) {
    unsigned choice = selector >> 4 * i & 15;
    unsigned byte = bytes >> 8 * (choice & 7) & 255;
    byte = choice & 8 ? (byte & 128 ? 255 : 0) : byte;
    result |= byte << 8 * i;
  }
  return result;
}

template <class A>
inline A emu_per_byte(A a, A b, int (*combine)(int, int)) {
  A result = 0;
  for (int i = 0; i < 32; i += 8) {
    result |= (A)(combine((signed char)(a >> i), (signed char)(b >> i)) & 255) << i;
  }
  return result;
}

inline unsigned __vsub4(unsigned a, unsigned b) {
  return emu_per_byte(a, b, [](int x, int y) { return x - y; });
}
inline unsigned __vadd4(unsigned a, unsigned b) {
  return emu_per_byte(a, b, [](int x, int y) { return x + y; });
}

template <class T>
inline T __ldg(const T* p) {
  return *p;
}

using std::isinf;
using std::isnan;

inline float rsqrtf(float x) { return 1 / sqrtf(x); }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __frcp_rn(float x) { return 1 / x; }
inline int __float2int_rn(float x) { return (int)rintf(x); }
inline int __float2int_rz(float x) { return (int)x; }
inline float __int2float_rn(int x) { return (float)x; }

#define EMU_MIN_MAX(type)                                        \
  inline type min(type a, type b) { return b < a ? b : a; }      \
  inline type max(type a, type b) { return a < b ? b : a; }

EMU_MIN_MAX(int)
EMU_MIN_MAX(unsigned)
EMU_MIN_MAX(long long)
EMU_MIN_MAX(unsigned long long)
EMU_MIN_MAX(float)

template <class T>
inline T atomicAdd(T* p, T x) {
  T old = *p;
  *p = old + x;
  return old;
}

template <class T>
inline T atomicMax(T* p, T x) {
  T old = *p;
  *p = old < x ? x : old;
  return old;
}

template <class T>
inline T atomicMin(T* p, T x) {
  T old = *p;
  *p = x < old ? x : old;
  return old;
}

template <class T>
inline T atomicOr(T* p, T x) {
  T old = *p;
  *p = old | x;
  return old;
}

template <class T>
inline T atomicExch(T* p, T x) {
  T old = *p;
  *p = x;
  return old;
}

template <class T>
inline T atomicCAS(T* p, T expected, T x) {
  T old = *p;
  *p = old == expected ? x : old;
  return old;
}

inline void __threadfence() {}
inline void __threadfence_block() {}
