/* Compiled for the oldest CPU of the architecture: this is called before anything else is. */
#include "features.h"

#ifdef _WIN32
/* The entry point of a library that needs no C run-time. */
int DllMainCRTStartup(void *instance, unsigned long reason, void *reserved) {
  (void)instance;
  (void)reason;
  (void)reserved;
  return 1;
}
#endif

/* A digest of the sources, so that a test can tell whether a library was built from them. */
EXPORT const char llama_cpu_sources[] = "sources " SOURCES;

#if defined(__x86_64__)

struct registers {
  uint32_t a, b, c, d;
};

static struct registers cpuid(uint32_t leaf, uint32_t part) {
  struct registers r = {leaf, 0, part, 0};
  __asm__ volatile("cpuid" : "+a"(r.a), "=b"(r.b), "+c"(r.c), "=d"(r.d));
  return r;
}

static int has(uint32_t found, uint32_t wanted) { return (found & wanted) == wanted; }

/* The registers that the operating system keeps for each thread. */
static uint32_t kept_registers(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

/*
 * Asks Linux to keep the tiles of all threads of the process, without which their first use ends it.
 * It refuses where a thread's stack for signals is too small. How other systems are asked is not
 * known here, so there are no tiles.
 */
static int may_use_tiles(void) {
#ifdef __linux__
  enum { ARCH_PRCTL = 158, REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
  long result = ARCH_PRCTL;
  __asm__ volatile("syscall"
                   : "+a"(result)
                   : "D"((long)REQUEST_PERMISSION), "S"((long)TILE_DATA)
                   : "rcx", "r11", "memory");
  return result == 0;
#else
  return 0;
#endif
}

int64_t llama_features(void) {
  const uint32_t fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28, f16c = 1u << 29; /* 1, c */
  const uint32_t avx2 = 1u << 5;                                                      /* 7, b */
  const uint32_t f = 1u << 16, dq = 1u << 17, bw = 1u << 30, vl = 1u << 31;           /* 7, b */
  const uint32_t vbmi = 1u << 1, gfni = 1u << 8, vnni = 1u << 11;                     /* 7, c */
  const uint32_t amx_bf16 = 1u << 22, amx_tile = 1u << 24, amx_int8 = 1u << 25;       /* 7, d */
  const uint32_t bf16 = 1u << 5;                                                   /* 7.1, a */
  const uint32_t ymm = 0x6, zmm = 0xe6, tiles = 0x60000; /* XCR0 */

  if (cpuid(0, 0).a < 7 || !has(cpuid(1, 0).c, fma | osxsave | avx | f16c)) {
    return 0;
  }
  const uint32_t kept = kept_registers();
  const struct registers leaf7 = cpuid(7, 0);
  const uint32_t more = leaf7.a >= 1 ? cpuid(7, 1).a : 0;
  if (!has(kept, ymm) || !has(leaf7.b, avx2)) {
    return 0;
  }
  int64_t features = AVX2;
  if (!has(kept, zmm) || !has(leaf7.b, f | dq | bw | vl)) {
    return features;
  }
  features |= AVX512;
  features |= has(leaf7.c, vnni) ? AVX512VNNI : 0;
  features |= has(more, bf16) ? AVX512BF16 : 0;
  if (has(kept, tiles) && has(leaf7.d, amx_tile) && has(leaf7.c, vbmi | gfni) && may_use_tiles()) {
    features |= has(leaf7.d, amx_int8) ? AMX_INT8 : 0;
    features |= has(leaf7.d, amx_bf16) ? AMX_BF16 : 0;
  }
  return features;
}

#elif defined(__aarch64__) && defined(__linux__)

static long call(long number, long a, long b, long c) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
  return x0;
}

/*
 * NEON is in every CPU. Of dot products the kernel tells in the auxiliary vector; the register that
 * tells as well may only be read where the kernel is recent.
 */
int64_t llama_features(void) {
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
