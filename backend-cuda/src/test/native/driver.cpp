/*
 * The functions of the CUDA driver that the backend calls, for tests without a GPU. Behaviour that
 * programs get wrong is kept: what is enqueued runs late, when something waits for it; new memory
 * holds NaN; memory ends at a guard page and is gone once freed; copies refuse host memory that is
 * not pinned; a stream that is captured runs nothing.
 *
 * Unlike a real device's, an error inside a kernel does not stay: the next call that waits reports
 * it, and cuGetErrorString says where it happened.
 */
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <sys/mman.h>
#include <vector>

#include "fibres.h"

#define API extern "C" __attribute__((visibility("default"))) int

typedef uint64_t u64;

namespace {

enum Status {
  OK = 0,
  INVALID_VALUE = 1,
  OUT_OF_MEMORY = 2,
  NO_DEVICE = 100,
  INVALID_DEVICE = 101,
  INVALID_PTX = 218,
  INVALID_HANDLE = 400,
  NOT_FOUND = 500,
  ILLEGAL_ADDRESS = 700,
  INVALID_CONTEXT = 201,
  CAPTURE_UNSUPPORTED = 900,
};

const std::map<int, const char*> NAMES = {
    {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE"},
    {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY"},
    {NO_DEVICE, "CUDA_ERROR_NO_DEVICE"},
    {INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE"},
    {INVALID_PTX, "CUDA_ERROR_INVALID_PTX"},
    {INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE"},
    {NOT_FOUND, "CUDA_ERROR_NOT_FOUND"},
    {ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS"},
    {INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT"},
    {CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"},
};

/* What tests set and read, see emu_set and emu_get; the order is that of the Java class Emulator. */
enum Setting {
  MEMORY,
  CAPABILITY,
  DRIVER_VERSION,
  DEVICES,
  BYTES_IN_USE,
  ALLOCATIONS,
  OBJECTS,
  LAUNCHES,
  GRAPH_LAUNCHES,
  INSTANTIATIONS,
  COPIED_TO_HOST,
  FAILING_ALLOCATION,
  SETTINGS
};

long settings[SETTINGS] = {2L << 30, 80, 12040, 1};

constexpr u64 PAGE = 4096;
constexpr u64 POISON_LIMIT = 16 << 20;

struct Allocation {
  char* mapping;
  u64 mapped;
  u64 bytes;
};

typedef std::function<void()> Work;

struct Graph {
  std::vector<Work> nodes;
};

struct Stream {
  std::vector<Work> queue;
  std::unique_ptr<Graph> capture;
};

std::recursive_mutex mutex;
std::map<u64, Allocation> allocations; /* by address */
std::map<u64, u64> pinned;             /* size by address */
emu_kernel* kernels;
int contexts;
std::string fault;
std::string last_error;
thread_local bool context_is_current;

#define LOCK std::lock_guard<std::recursive_mutex> lock(mutex)
#define CONTEXT                                                         \
  LOCK;                                                                 \
  if (!context_is_current || contexts == 0) {                           \
    return error(INVALID_CONTEXT, "no context is current in this thread"); \
  }

int error(Status status, const std::string& text) {
  last_error = text;
  return status;
}

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

void run(Stream* stream) {
  std::vector<Work> queue;
  queue.swap(stream->queue);
  for (const Work& work : queue) {
    if (!fault.empty()) {
      break;
    }
    work();
  }
}

std::vector<Stream*> streams;

void run_all() {
  for (Stream* stream : streams) {
    run(stream);
  }
}

int report_fault() {
  if (fault.empty()) {
    return OK;
  }
  std::string text;
  text.swap(fault);
  return error(ILLEGAL_ADDRESS, text);
}

int enqueue(Stream* stream, Work work) {
  if (stream->capture) {
    stream->capture->nodes.push_back(std::move(work));
  } else {
    stream->queue.push_back(std::move(work));
  }
  return OK;
}

}  // namespace

void emu_enqueue(void* stream, Work work) {
  LOCK;
  enqueue((Stream*)stream, std::move(work));
}

void emu_count_object(int more) {
  LOCK;
  settings[OBJECTS] += more;
}

void emu_register(emu_kernel* kernel) {
  for (emu_kernel* other = kernels; other != nullptr; other = other->next) {
    if (strcmp(other->name, kernel->name) == 0) {
      fprintf(stderr, "two kernels are called %s\n", kernel->name);
      abort();
    }
  }
  kernel->next = kernels;
  kernels = kernel;
}

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

/* ---- For tests ---- */

extern "C" __attribute__((visibility("default"))) void emu_set(int setting, long value) {
  LOCK;
  settings[setting] = value;
}

extern "C" __attribute__((visibility("default"))) long emu_get(int setting) {
  LOCK;
  return settings[setting];
}

/* ---- Errors ---- */

API cuGetErrorName(int status, const char** name) {
  auto found = NAMES.find(status);
  *name = found == NAMES.end() ? nullptr : found->second;
  return found == NAMES.end() ? INVALID_VALUE : OK;
}

API cuGetErrorString(int, const char** text) {
  LOCK;
  static std::string copy;
  copy = last_error;
  *text = copy.c_str();
  return OK;
}

/* ---- Devices and contexts ---- */

API cuInit(int) {
  static bool once = (emu_init_formats(), true);
  return settings[DEVICES] == 0 && once ? error(NO_DEVICE, "the emulator was told to have none")
                                        : OK;
}

API cuDriverGetVersion(int* version) {
  *version = (int)settings[DRIVER_VERSION];
  return OK;
}

API cuDeviceGetCount(int* count) {
  *count = (int)settings[DEVICES];
  return OK;
}

API cuDeviceGet(int* device, int ordinal) {
  *device = ordinal;
  return ordinal < settings[DEVICES] ? OK : error(INVALID_DEVICE, "no such device");
}

API cuDeviceGetName(char* name, int length, int device) {
  snprintf(name, length, "Emulator %d", device);
  return OK;
}

API cuDeviceGetAttribute(int* value, int attribute, int) {
  switch (attribute) {
    case 16:
      *value = 4;
      return OK;
    case 75:
      *value = (int)settings[CAPABILITY] / 10;
      return OK;
    case 76:
      *value = (int)settings[CAPABILITY] % 10;
      return OK;
    case 97:
      *value = 99 << 10;
      return OK;
    default:
      return error(INVALID_VALUE, "an attribute that the emulator does not know");
  }
}

API cuDeviceTotalMem_v2(u64* bytes, int) {
  *bytes = settings[MEMORY];
  return OK;
}

API cuDevicePrimaryCtxRetain(u64* context, int device) {
  LOCK;
  contexts++;
  settings[OBJECTS]++;
  *context = 1000 + device;
  return OK;
}

API cuDevicePrimaryCtxRelease_v2(int) {
  LOCK;
  contexts--;
  settings[OBJECTS]--;
  return OK;
}

API cuCtxSetCurrent(u64 context) {
  context_is_current = context >= 1000;
  return OK;
}

/* ---- Memory ---- */

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

/* ---- Streams, graphs, events ---- */

API cuStreamCreate(Stream** stream, int) {
  CONTEXT;
  *stream = new Stream();
  streams.push_back(*stream);
  settings[OBJECTS]++;
  return OK;
}

API cuStreamDestroy_v2(Stream* stream) {
  CONTEXT;
  run(stream);
  std::erase(streams, stream);
  delete stream;
  settings[OBJECTS]--;
  return report_fault();
}

API cuStreamSynchronize(Stream* stream) {
  CONTEXT;
  if (stream->capture) {
    return error(CAPTURE_UNSUPPORTED, "a stream that is captured cannot be waited for");
  }
  run(stream);
  return report_fault();
}

API cuStreamBeginCapture_v2(Stream* stream, int) {
  CONTEXT;
  if (stream->capture) {
    return error(CAPTURE_UNSUPPORTED, "the stream is captured already");
  }
  stream->capture = std::make_unique<Graph>();
  return OK;
}

API cuStreamEndCapture(Stream* stream, Graph** graph) {
  CONTEXT;
  if (!stream->capture) {
    return error(INVALID_VALUE, "the stream is not captured");
  }
  *graph = stream->capture.release();
  settings[OBJECTS]++;
  return OK;
}

API cuGraphInstantiateWithFlags(Graph** executable, Graph* graph, u64) {
  CONTEXT;
  *executable = new Graph(*graph);
  settings[OBJECTS]++;
  settings[INSTANTIATIONS]++;
  return OK;
}

API cuGraphLaunch(Graph* executable, Stream* stream) {
  CONTEXT;
  settings[GRAPH_LAUNCHES]++;
  for (const Work& work : executable->nodes) {
    enqueue(stream, work);
  }
  return OK;
}

API cuGraphExecDestroy(Graph* executable) {
  CONTEXT;
  delete executable;
  settings[OBJECTS]--;
  return OK;
}

API cuGraphDestroy(Graph* graph) { return cuGraphExecDestroy(graph); }

/* An event is the stream that it was recorded in: waiting for more than need be is no error. */
API cuEventCreate(Stream*** event, int) {
  CONTEXT;
  *event = new Stream*(nullptr);
  settings[OBJECTS]++;
  return OK;
}

API cuEventRecord(Stream** event, Stream* stream) {
  CONTEXT;
  *event = stream;
  return OK;
}

API cuEventSynchronize(Stream** event) {
  CONTEXT;
  if (*event != nullptr) {
    run(*event);
  }
  return report_fault();
}

API cuEventDestroy_v2(Stream** event) {
  CONTEXT;
  delete event;
  settings[OBJECTS]--;
  return OK;
}

/* ---- Modules and launches ---- */

/* Images are not looked at; one that begins with "bad" is refused, as a compiler would. */
API cuModuleLoadDataEx(u64* module, const char* image, int options, const int* keys,
                       void* const* values) {
  CONTEXT;
  if (strncmp(image, "bad", 3) == 0) {
    for (int i = 0; i + 1 < options; i++) {
      if (keys[i] == 5) {
        snprintf((char*)values[i], (size_t)values[i + 1], "ptxas fatal: bad image");
      }
    }
    return error(INVALID_PTX, "a PTX JIT compilation failed");
  }
  *module = 1;
  settings[OBJECTS]++;
  return OK;
}

API cuModuleUnload(u64) {
  CONTEXT;
  settings[OBJECTS]--;
  return OK;
}

API cuModuleGetFunction(emu_kernel** function, u64, const char* name) {
  CONTEXT;
  for (emu_kernel* kernel = kernels; kernel != nullptr; kernel = kernel->next) {
    if (strcmp(kernel->name, name) == 0) {
      *function = kernel;
      return OK;
    }
  }
  return error(NOT_FOUND, std::string("there is no kernel ") + name);
}

API cuFuncSetAttribute(emu_kernel*, int, int) {
  CONTEXT;
  return OK;
}

/* Parameters come in one buffer, whose address and size are the values in `extra`. */
API cuLaunchKernel(emu_kernel* kernel, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                   unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,
                   Stream* stream, void**, void** extra) {
  CONTEXT;
  u64 threads = (u64)block_x * block_y * block_z;
  if (grid_x == 0 || grid_y == 0 || grid_z == 0 || grid_y > 65535 || grid_z > 65535 ||
      threads == 0 || threads > 1024 || shared_bytes > 99 << 10) {
    return error(INVALID_VALUE, "a launch with impossible sizes");
  }
  size_t bytes = *(size_t*)extra[3];
  if (bytes != kernel->parameter_bytes) {
    return error(INVALID_VALUE, std::string(kernel->name) + " takes " +
                                    std::to_string(kernel->parameter_bytes) +
                                    " bytes of parameters, not " + std::to_string(bytes));
  }
  std::string parameters((const char*)extra[1], bytes);
  dim3 grid(grid_x, grid_y, grid_z);
  dim3 block(block_x, block_y, block_z);
  settings[LAUNCHES]++;
  return enqueue(stream, [=] {
    alignas(16) char copy[1024];
    memcpy(copy, parameters.data(), parameters.size());
    const char* text = emu_run(kernel, copy, grid, block, shared_bytes);
    if (text != nullptr) {
      fault = text;
    }
  });
}
