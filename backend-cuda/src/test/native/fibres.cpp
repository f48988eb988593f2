/*
 * Runs the threads of a block as fibres on one thread of the host. A fibre runs until it waits at a
 * collective or returns; then another takes over. From launch to launch the order of fibres turns
 * round, so that what a kernel owes to luck and not to a barrier shows.
 */
#include "fibres.h"

#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>
#include <ucontext.h>

constexpr int MAX_THREADS = 1024;
constexpr int LANES = 32;
constexpr size_t STACK_BYTES = 128 << 10;
constexpr size_t PAGE = 4096;
constexpr int MAX_EXCHANGE = 64; /* bytes that a lane may hand in */

emu_fibre* emu_self;
uint3 emu_block;
dim3 emu_block_size;
dim3 emu_grid_size;
char* emu_dynamic_shared;
float emu_halves[1 << 16];

namespace {

struct Warp {
  unsigned runnable; /* bit for each lane */
  unsigned waiting;  /* at a warp's collective */
  unsigned live;     /* have not returned */
  int kind;          /* of the collective in progress */
  int bytes;
  int turn; /* which of two buffers it uses: lanes may still read the other */
  alignas(16) char buffers[2][LANES * MAX_EXCHANGE];
};

emu_fibre fibres[MAX_THREADS];
Warp warps[MAX_THREADS / LANES];
emu_fibre host; /* the thread that called */
char* stacks;
char* shared_end;
bool contexts_ready;
int warp_count;
int live_threads;
int waiting_threads; /* at the block's barrier */
int predicates[2];   /* sums for __syncthreads_count */
int barrier_turn;
bool descending;
const emu_kernel* running;
const char* parameters;
volatile bool faulted;
char fault_text[512];

void fault(const char* format, ...) __attribute__((format(printf, 1, 2)));

void describe_thread(char* text, size_t size) {
  snprintf(text, size, "kernel %s, block (%u, %u, %u), thread (%u, %u, %u): ", running->name,
           emu_block.x, emu_block.y, emu_block.z, emu_self->thread.x, emu_self->thread.y,
           emu_self->thread.z);
}

}  // namespace

/* Saves what a called function must keep, changes stacks, and goes on there. */
extern "C" void emu_switch(void** save, void* load);

#if defined(__x86_64__)
asm(R"(
.text
.globl emu_switch
.hidden emu_switch
.type emu_switch, @function
emu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emu_switch, .-emu_switch
)");
constexpr int SAVED_WORDS = 6;
#elif defined(__aarch64__)
asm(R"(
.text
.globl emu_switch
.hidden emu_switch
.type emu_switch, %function
emu_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size emu_switch, .-emu_switch
)");
#else
#error "the emulator has no context switch for this processor"
#endif

namespace {

void go_to(emu_fibre* next) {
  emu_fibre* self = emu_self;
  if (next != self) {
    emu_self = next;
    emu_switch(&self->stack_pointer, next->stack_pointer);
  }
}

int pick(unsigned lanes) { return descending ? 31 - __builtin_clz(lanes) : __builtin_ctz(lanes); }

/* Gives way to a fibre that can run: of the same warp first, which is what collectives wait for. */
void yield() {
  int own = emu_self->warp;
  if (warps[own].runnable != 0) {
    go_to(&fibres[own * LANES + pick(warps[own].runnable)]);
    return;
  }
  for (int i = 0; i < warp_count; i++) {
    int w = descending ? warp_count - 1 - i : i;
    if (warps[w].runnable != 0) {
      go_to(&fibres[w * LANES + pick(warps[w].runnable)]);
      return;
    }
  }
  if (live_threads > 0) {
    fault("no thread can go on: %d wait at a barrier that others do not reach", live_threads);
  }
  go_to(&host);
}

void release_barrier() {
  waiting_threads = 0;
  barrier_turn ^= 1;
  predicates[barrier_turn] = 0;
  for (int w = 0; w < warp_count; w++) {
    warps[w].runnable = warps[w].live & ~warps[w].waiting;
  }
}

/* What every fibre does: one thread of every block, for ever. */
void fibre_main() {
  while (true) {
    running->call(parameters);
    Warp& warp = warps[emu_self->warp];
    unsigned bit = 1u << emu_self->lane;
    warp.live &= ~bit;
    warp.runnable &= ~bit;
    live_threads--;
    if (warp.waiting != 0) {
      fault("returned while lanes %08x of its warp wait at a collective", warp.waiting);
    }
    if (waiting_threads > 0 && waiting_threads == live_threads) {
      release_barrier();
    }
    yield();
  }
}

void make_contexts() {
  if (stacks == nullptr) {
    size_t bytes = MAX_THREADS * STACK_BYTES;
    stacks = (char*)mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    for (int i = 0; i < MAX_THREADS; i++) {
      mprotect(stacks + i * STACK_BYTES, PAGE, PROT_NONE);
    }
    size_t shared = 256 << 10;
    char* memory = (char*)mmap(nullptr, shared + PAGE, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    shared_end = memory + shared;
    mprotect(shared_end, PAGE, PROT_NONE);
  }
  for (int i = 0; i < MAX_THREADS; i++) {
    fibres[i].lane = i % LANES;
    fibres[i].warp = i / LANES;
    /* Not all at the same place of a page: they would displace one another in the cache. */
    uint64_t* top = (uint64_t*)(stacks + (i + 1) * STACK_BYTES - i % 32 * 320);
#if defined(__x86_64__)
    top -= 2; /* a function expects its stack to be a multiple of 16, plus 8 */
    top[0] = (uint64_t)fibre_main;
    top -= SAVED_WORDS;
    memset(top, 0, SAVED_WORDS * 8);
#else
    top -= 20;
    memset(top, 0, 160);
    top[11] = (uint64_t)fibre_main;
#endif
    fibres[i].stack_pointer = top;
  }
  contexts_ready = true;
}

void run_block(int threads) {
  warp_count = (threads + LANES - 1) / LANES;
  live_threads = threads;
  waiting_threads = 0;
  predicates[0] = predicates[1] = 0;
  for (int w = 0; w < warp_count; w++) {
    int lanes = threads - w * LANES < LANES ? threads - w * LANES : LANES;
    unsigned mask = lanes == LANES ? ~0u : (1u << lanes) - 1;
    warps[w].live = warps[w].runnable = mask;
    warps[w].waiting = 0;
  }
  int first = descending ? threads - 1 : 0;
  emu_self = &host;
  go_to(&fibres[first]);
}

/* Ends the kernel: what its fibres were at is forgotten. Comes back on the host's stack. */
void abandon() {
  faulted = true;
  contexts_ready = false;
  emu_self = &host;
  void* nowhere;
  emu_switch(&nowhere, host.stack_pointer);
  abort();
}

void fault(const char* format, ...) {
  if (!faulted) {
    describe_thread(fault_text, sizeof fault_text);
    size_t length = strlen(fault_text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fault_text + length, sizeof fault_text - length, format, arguments);
    va_end(arguments);
  }
  abandon();
}

/* ---- Faults that the processor notices ---- */

struct sigaction previous[65];

/* Goes on in abandon() on the fibre's own stack; a handler must not leave by a jump. */
void on_signal(int number, siginfo_t* info, void* context) {
  if (running == nullptr || emu_self == &host || emu_self == nullptr) {
    struct sigaction& old = previous[number];
    if (old.sa_flags & SA_SIGINFO) {
      old.sa_sigaction(number, info, context);
    } else if (old.sa_handler != SIG_DFL && old.sa_handler != SIG_IGN) {
      old.sa_handler(number);
    } else {
      signal(number, SIG_DFL);
      raise(number);
    }
    return;
  }
  describe_thread(fault_text, sizeof fault_text);
  size_t length = strlen(fault_text);
  if (number == SIGILL || number == SIGTRAP) {
    snprintf(fault_text + length, sizeof fault_text - length,
             "an address is not aligned to its type, or an index leaves its array");
  } else {
    emu_describe_address(info->si_addr, fault_text + length, sizeof fault_text - length);
  }
  ucontext_t* state = (ucontext_t*)context;
#if defined(__x86_64__)
  uint64_t top = (uint64_t)(stacks + (emu_self - fibres + 1) * STACK_BYTES) - 64;
  state->uc_mcontext.gregs[REG_RSP] = (greg_t)(top - 8);
  state->uc_mcontext.gregs[REG_RIP] = (greg_t)abandon;
#else
  state->uc_mcontext.sp = (uint64_t)(stacks + (emu_self - fibres + 1) * STACK_BYTES) - 64;
  state->uc_mcontext.pc = (uint64_t)abandon;
#endif
}

void install_handlers() {
  struct sigaction action = {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  for (int number : {SIGSEGV, SIGBUS, SIGILL, SIGTRAP}) {
    sigaction(number, &action, &previous[number]);
  }
}

}  // namespace

const char* emu_run(const emu_kernel* kernel, const char* buffer, dim3 grid, dim3 block,
                    size_t shared_bytes) {
  static bool handlers;
  if (!handlers) {
    handlers = true;
    install_handlers();
  }
  if (!contexts_ready) {
    make_contexts();
  }
  running = kernel;
  parameters = buffer;
  faulted = false;
  descending = !descending;
  emu_grid_size = grid;
  emu_block_size = block;
  emu_dynamic_shared = shared_end - (shared_bytes + 15) / 16 * 16;
  int threads = block.x * block.y * block.z;
  for (int i = 0; i < threads; i++) {
    fibres[i].thread = {i % block.x, i / block.x % block.y, i / (block.x * block.y)};
  }
  for (unsigned z = 0; z < grid.z && !faulted; z++) {
    for (unsigned y = 0; y < grid.y && !faulted; y++) {
      for (unsigned x = 0; x < grid.x && !faulted; x++) {
        emu_block = {x, y, z};
        memset(emu_dynamic_shared, 0xff, shared_end - emu_dynamic_shared); /* NaN */
        run_block(threads);
      }
    }
  }
  running = nullptr;
  return faulted ? fault_text : nullptr;
}

/* ---- Collectives ---- */

int __syncthreads_count(int predicate) {
  int turn = barrier_turn;
  predicates[turn] += predicate != 0;
  waiting_threads++;
  if (waiting_threads == live_threads) {
    release_barrier();
    return predicates[turn];
  }
  Warp& warp = warps[emu_self->warp];
  warp.runnable &= ~(1u << emu_self->lane);
  yield();
  return predicates[turn];
}

void __syncthreads() { __syncthreads_count(0); }

char* emu_exchange(int kind, unsigned mask, const void* mine, int bytes,
                   void (*compute)(char*, int), int argument) {
  Warp& warp = warps[emu_self->warp];
  unsigned bit = 1u << emu_self->lane;
  if (mask != ~0u || warp.live != ~0u) {
    fault("a collective of lanes %08x where lanes %08x are left; all 32 must take part", mask,
          warp.live);
  }
  if (warp.waiting == 0) {
    warp.kind = kind;
    warp.bytes = bytes;
  } else if (warp.kind != kind || warp.bytes != bytes) {
    fault("a collective of kind %d while lanes %08x wait at one of kind %d", kind, warp.waiting,
          warp.kind);
  }
  char* all = warp.buffers[warp.turn];
  memcpy(all + emu_self->lane * bytes, mine, bytes);
  if ((warp.waiting | bit) == ~0u) {
    warp.runnable = ~0u;
    warp.waiting = 0;
    warp.turn ^= 1;
    if (compute != nullptr) {
      compute(all, argument);
    }
    return all;
  }
  warp.waiting |= bit;
  warp.runnable &= ~bit;
  yield();
  return all;
}

unsigned __ballot_sync(unsigned mask, int predicate) {
  char vote = predicate != 0;
  const char* all = emu_exchange(EMU_VOTE, mask, &vote, 1);
  unsigned result = 0;
  for (int i = 0; i < LANES; i++) {
    result |= (unsigned)all[i] << i;
  }
  return result;
}
