/* Compiled for the oldest CPU of the architecture, like features.c. */
#include "pages.h"

#ifdef __linux__

static int64_t advise(uint64_t start, uint64_t bytes, int64_t advice) {
#ifdef __x86_64__
  int64_t result = 28;
  __asm__ volatile("syscall"
                   : "+a"(result)
                   : "D"(start), "S"(bytes), "d"(advice)
                   : "rcx", "r11", "memory");
  return result;
#else
  register int64_t x8 __asm__("x8") = 233;
  register uint64_t x0 __asm__("x0") = start;
  register uint64_t x1 __asm__("x1") = bytes;
  register int64_t x2 __asm__("x2") = advice;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
  return (int64_t)x0;
#endif
}

/* Advice is about whole pages, of a size that is found by trying. */
static int64_t advise_pages(uint64_t start, uint64_t bytes, int64_t advice) {
  enum { INVALID = -22 };
  int64_t result = INVALID;
  for (uint64_t page = 4096; page <= 65536 && result == INVALID; page *= 4) {
    uint64_t before = start & (page - 1);
    result = advise(start - before, bytes + before, advice);
  }
  return result;
}

void llama_prefer_large_pages(uint64_t start, uint64_t bytes) {
  enum { HUGE_PAGE = 14 };
  advise_pages(start, bytes, HUGE_PAGE);
}

void llama_collapse(uint64_t start, uint64_t bytes) {
  enum { COLLAPSE = 25 };
  llama_prefer_large_pages(start, bytes);
  advise_pages(start, bytes, COLLAPSE);
}

int64_t llama_populate(uint64_t start, uint64_t bytes) {
  enum { POPULATE_READ = 22 };
  return advise_pages(start, bytes, POPULATE_READ);
}

#else

void llama_prefer_large_pages(uint64_t start, uint64_t bytes) {
  (void)start;
  (void)bytes;
}

void llama_collapse(uint64_t start, uint64_t bytes) {
  (void)start;
  (void)bytes;
}

int64_t llama_populate(uint64_t start, uint64_t bytes) {
  (void)start;
  (void)bytes;
  return -1;
}

#endif
