/* Modules and launches of the emulated driver, see driver.h. */
#include <cstdio>
#include <cstdlib>

#include "driver.h"

namespace {

emu_kernel* kernels;

}  // namespace

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
