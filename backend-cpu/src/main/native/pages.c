/* Large pages. Compiled for the oldest CPU of the architecture, like features.c. */
#include "pages.h"

#ifdef __linux__

static int64_t advise(uint64_t address, uint64_t bytes, int64_t advice) {
#ifdef __x86_64__
  int64_t result = 28;
  __asm__ volatile("syscall"
                   : "+a"(result)
                   : "D"(address), "S"(bytes), "d"(advice)
                   : "rcx", "r11", "memory");
  return result;
#else
  register int64_t x8 __asm__("x8") = 233;
  register uint64_t x0 __asm__("x0") = address;
  register uint64_t x1 __asm__("x1") = bytes;
  register int64_t x2 __asm__("x2") = advice;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
  return (int64_t)x0;
#endif
}

/* Advice is about whole pages, of a size that is found by trying. */
void llama_prefer_large_pages(uint64_t address, uint64_t bytes) {
  enum { HUGE_PAGE = 14, INVALID = -22 };
  for (uint64_t page = 4096; page <= 65536; page *= 4) {
    uint64_t before = address & (page - 1);
    if (advise(address - before, bytes + before, HUGE_PAGE) != INVALID) {
      return;
    }
  }
}

#else

void llama_prefer_large_pages(uint64_t address, uint64_t bytes) {
  (void)address;
  (void)bytes;
}

#endif
