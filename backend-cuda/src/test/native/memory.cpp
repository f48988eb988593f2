/* Memory of the emulated device, and pinned memory of the host, see driver.h. */
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sys/mman.h>

#include "driver.h"

namespace {

constexpr u64 PAGE = 4096;
constexpr u64 POISON_LIMIT = 16 << 20;

struct Allocation {
  char* mapping;
  u64 mapped;
  u64 bytes;
};

std::map<u64, Allocation> allocations; /* by address */
std::map<u64, u64> pinned;             /* size by address */

u64 rounded(u64 bytes, u64 to) { return (bytes + to - 1) / to * to; }

/* Whether memory lies in one block that is in use. */
template <class Blocks, class Size>
bool within(const Blocks& blocks, u64 address, u64 bytes, Size size) {
  auto next = blocks.upper_bound(address);
  if (next == blocks.begin()) {
    return false;
  }
  auto block = std::prev(next);
  return address + bytes <= block->first + size(block->second);
}

bool on_device(u64 address, u64 bytes) {
  return within(allocations, address, bytes, [](const Allocation& a) { return a.bytes; });
}

bool is_pinned(u64 address, u64 bytes) {
  return within(pinned, address, bytes, [](u64 size) { return size; });
}

}  // namespace

void emu_describe_address(const void* pointer, char* text, size_t size) {
  u64 address = (u64)pointer;
  for (const auto& [start, a] : allocations) {
    if (address >= (u64)a.mapping && address < (u64)a.mapping + a.mapped) {
      long offset = (long)(address - start);
      snprintf(text, size, "access at byte %ld of an allocation of %lu bytes", offset,
               (unsigned long)a.bytes);
      return;
    }
  }
  snprintf(text, size, "access to %p, which is no device memory%s", pointer,
           is_pinned(address, 1) ? " but the host's" : "");
}

API cuMemGetInfo_v2(u64* free, u64* total) {
  CONTEXT;
  long left = settings[MEMORY] - settings[BYTES_IN_USE];
  *free = left < 0 ? 0 : left;
  *total = settings[MEMORY];
  return OK;
}

API cuMemAlloc_v2(u64* address, u64 bytes) {
  CONTEXT;
  if (bytes == 0) {
    return error(INVALID_VALUE, "an allocation of nothing");
  }
  bool fails = settings[FAILING_ALLOCATION] > 0 && --settings[FAILING_ALLOCATION] == 0;
  if (fails || settings[BYTES_IN_USE] + (long)bytes > settings[MEMORY]) {
    return error(OUT_OF_MEMORY, "out of memory");
  }
  u64 size = rounded(bytes, 16);
  u64 mapped = rounded(size, PAGE) + 2 * PAGE;
  char* mapping = (char*)mmap(nullptr, mapped, PROT_NONE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) {
    return error(OUT_OF_MEMORY, "the host has no memory for the emulated device");
  }
  mprotect(mapping + PAGE, mapped - 2 * PAGE, PROT_READ | PROT_WRITE);
  /* Flush with the guard behind it; what is before it, and has no room for a guard, holds NaN. */
  char* start = mapping + mapped - PAGE - size;
  memset(mapping + PAGE, 0xff, bytes <= POISON_LIMIT ? mapped - 2 * PAGE : start - mapping - PAGE);
  *address = (u64)start;
  allocations[*address] = {mapping, mapped, bytes};
  settings[BYTES_IN_USE] += bytes;
  settings[ALLOCATIONS]++;
  return OK;
}

API cuMemFree_v2(u64 address) {
  CONTEXT;
  for (Stream* stream : streams) {
    if (stream->capture) {
      return error(CAPTURE_UNSUPPORTED, "memory was freed during a capture");
    }
  }
  run_all();
  auto found = allocations.find(address);
  if (found == allocations.end()) {
    return error(INVALID_VALUE, "no such allocation");
  }
  for (char* p = found->second.mapping + PAGE; p < (char*)address; p++) {
    if (*p != (char)0xff && fault.empty()) {
      fault = "something was written before an allocation of " +
              std::to_string(found->second.bytes) + " bytes";
    }
  }
  munmap(found->second.mapping, found->second.mapped);
  settings[BYTES_IN_USE] -= found->second.bytes;
  settings[ALLOCATIONS]--;
  allocations.erase(found);
  return report_fault();
}

API cuMemHostAlloc(u64* address, u64 bytes, int) {
  CONTEXT;
  *address = (u64)aligned_alloc(PAGE, rounded(bytes, PAGE));
  pinned[*address] = bytes;
  settings[OBJECTS]++;
  return OK;
}

API cuMemFreeHost(u64 address) {
  CONTEXT;
  run_all();
  if (pinned.erase(address) == 0) {
    return error(INVALID_VALUE, "no such host memory");
  }
  free((void*)address);
  settings[OBJECTS]--;
  return report_fault();
}

API cuMemcpyHtoDAsync_v2(u64 to, u64 from, u64 bytes, Stream* stream) {
  CONTEXT;
  if (!on_device(to, bytes) || !is_pinned(from, bytes)) {
    return error(INVALID_VALUE, "a copy to the device out of bounds, or not from pinned memory");
  }
  return enqueue(stream, [=] { memcpy((void*)to, (void*)from, bytes); });
}

API cuMemcpyDtoHAsync_v2(u64 to, u64 from, u64 bytes, Stream* stream) {
  CONTEXT;
  if (!on_device(from, bytes) || !is_pinned(to, bytes)) {
    return error(INVALID_VALUE, "a copy to the host out of bounds, or not to pinned memory");
  }
  settings[COPIED_TO_HOST] += bytes;
  return enqueue(stream, [=] { memcpy((void*)to, (void*)from, bytes); });
}

API cuMemcpyDtoDAsync_v2(u64 to, u64 from, u64 bytes, Stream* stream) {
  CONTEXT;
  if (!on_device(to, bytes) || !on_device(from, bytes)) {
    return error(INVALID_VALUE, "a copy on the device out of bounds");
  }
  return enqueue(stream, [=] { memcpy((void*)to, (void*)from, bytes); });
}

API cuMemsetD8Async(u64 to, unsigned char value, u64 bytes, Stream* stream) {
  CONTEXT;
  if (!on_device(to, bytes)) {
    return error(INVALID_VALUE, "a fill out of bounds");
  }
  return enqueue(stream, [=] {
    u64 first = rounded(to, PAGE);
    u64 end = (to + bytes) / PAGE * PAGE;
    if (value != 0 || bytes < POISON_LIMIT) {
      memset((void*)to, value, bytes);
      return;
    }
    madvise((void*)first, end - first, MADV_DONTNEED); /* new pages are zero */
    memset((void*)to, 0, first - to);
    memset((void*)end, 0, to + bytes - end);
  });
}
