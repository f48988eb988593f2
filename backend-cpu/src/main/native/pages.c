/* Compiled for the oldest CPU of the architecture, like features.c. */
#include "pages.h"

#ifdef __linux__

#ifdef __x86_64__
enum { MAP = 9, UNMAP = 11, ADVISE = 28 };
#else
enum { MAP = 222, UNMAP = 215, ADVISE = 233 };
#endif

/* Calls the kernel. Returns what it answers: from -4095 to -1, that it failed, and why. */
static int64_t call(int64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
  const int64_t file = -1, offset = 0;
#ifdef __x86_64__
  register uint64_t r10 __asm__("r10") = d;
  register int64_t r8 __asm__("r8") = file;
  register int64_t r9 __asm__("r9") = offset;
  __asm__ volatile("syscall"
                   : "+a"(number)
                   : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return number;
#else
  register int64_t x8 __asm__("x8") = number;
  register uint64_t x0 __asm__("x0") = a;
  register uint64_t x1 __asm__("x1") = b;
  register uint64_t x2 __asm__("x2") = c;
  register uint64_t x3 __asm__("x3") = d;
  register int64_t x4 __asm__("x4") = file;
  register int64_t x5 __asm__("x5") = offset;
  __asm__ volatile("svc 0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory");
  return (int64_t)x0;
#endif
}

static int64_t advise(uint64_t start, uint64_t bytes, int64_t advice) {
  return call(ADVISE, start, bytes, (uint64_t)advice, 0);
}

uint64_t llama_map(uint64_t bytes) {
  enum { READ_WRITE = 3, PRIVATE_ANONYMOUS = 0x22 };
  int64_t start = call(MAP, 0, bytes, READ_WRITE, PRIVATE_ANONYMOUS);
  if (start < 0) {
    return 0;
  }
  llama_prefer_large_pages((uint64_t)start, bytes);
  return (uint64_t)start;
}

void llama_unmap(uint64_t start, uint64_t bytes) { call(UNMAP, start, bytes, 0, 0); }

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

int64_t llama_populate(uint64_t start, uint64_t bytes) {
  enum { POPULATE_READ = 22 };
  return advise_pages(start, bytes, POPULATE_READ);
}

#else

uint64_t llama_map(uint64_t bytes) {
  (void)bytes;
  return 0;
}

void llama_unmap(uint64_t start, uint64_t bytes) {
  (void)start;
  (void)bytes;
}

void llama_prefer_large_pages(uint64_t start, uint64_t bytes) {
  (void)start;
  (void)bytes;
}

int64_t llama_populate(uint64_t start, uint64_t bytes) {
  (void)start;
  (void)bytes;
  return -1;
}

#endif
