/*
 * Which kernels the CPU and the operating system let run. Compiled for the oldest CPU of the
 * architecture: this is called before anything else is.
 */
#include <stdint.h>

#ifdef _WIN32
#define EXPORT __declspec(dllexport)

/* The entry point of a library that needs no C run-time. */
int DllMainCRTStartup(void *instance, unsigned long reason, void *reserved) {
  (void)instance;
  (void)reason;
  (void)reserved;
  return 1;
}
#else
#define EXPORT __attribute__((visibility("default")))
#endif

/* A digest of the sources, so that a test can tell whether a library was built from them. */
EXPORT const char llama_cpu_sources[] = "sources " SOURCES;

EXPORT int64_t llama_cpu_features(void);

#if defined(__x86_64__)

#define AVX2 1

static void cpuid(uint32_t leaf, uint32_t *b, uint32_t *c) {
  uint32_t a = leaf;
  uint32_t d;
  *c = 0;
  __asm__ volatile("cpuid" : "+a"(a), "=b"(*b), "+c"(*c), "=d"(d));
}

static uint32_t last_leaf(void) {
  uint32_t a = 0, b, c = 0, d;
  __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  return a;
}

/* Bit 0: AVX2, FMA and F16C, and the operating system keeps the registers. */
int64_t llama_cpu_features(void) {
  const uint32_t fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28, f16c = 1u << 29;
  const uint32_t avx2 = 1u << 5;
  const uint32_t wanted = fma | osxsave | avx | f16c;
  uint32_t b, c;
  if (last_leaf() < 7) {
    return 0;
  }
  cpuid(1, &b, &c);
  if ((c & wanted) != wanted) {
    return 0;
  }
  uint32_t state, high;
  __asm__ volatile("xgetbv" : "=a"(state), "=d"(high) : "c"(0));
  if ((state & 6) != 6) { /* SSE and AVX registers */
    return 0;
  }
  cpuid(7, &b, &c);
  return b & avx2 ? AVX2 : 0;
}

#elif defined(__aarch64__) && defined(__linux__)

#define NEON 1
#define DOTPROD 2

static long call(long number, long a, long b, long c) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
  return x0;
}

/*
 * Bit 0: NEON, which every CPU has; bit 1: dot products of bytes. The kernel tells in the auxiliary
 * vector; the register that tells as well may only be read where the kernel is recent.
 */
int64_t llama_cpu_features(void) {
  enum { OPENAT = 56, CLOSE = 57, READ = 63, AT_FDCWD = -100, AT_HWCAP = 16, ASIMDDP = 1 << 20 };
  uint64_t entry[2];
  int64_t features = NEON;
  long file = call(OPENAT, AT_FDCWD, (long)"/proc/self/auxv", 0);
  if (file < 0) {
    return features;
  }
  while (call(READ, file, (long)entry, sizeof entry) == sizeof entry && entry[0] != 0) {
    if (entry[0] == AT_HWCAP && (entry[1] & ASIMDDP)) {
      features |= DOTPROD;
    }
  }
  call(CLOSE, file, 0, 0);
  return features;
}

#else
#error "no platform that is known here"
#endif
