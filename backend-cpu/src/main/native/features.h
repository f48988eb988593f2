/* What the CPU and the operating system let run. Bits as NativeLibrary.java names them. */
#ifndef LLAMA_FEATURES_H
#define LLAMA_FEATURES_H

#include <stdint.h>

#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

#if defined(__x86_64__)
enum feature {
  AVX2 = 1,       /* with FMA and F16C */
  AVX512 = 2,     /* F, BW, DQ, VL */
  AVX512VNNI = 4, /* sums of products of bytes */
  AVX512BF16 = 8, /* sums of products of BF16 */
  AMX_INT8 = 16,  /* tiles, which this process may use */
  AMX_BF16 = 32
};
#else
enum feature { NEON = 1, DOTPROD = 2 };
#endif

int64_t llama_features(void);

#endif
