/* Settings, errors, devices and contexts of the emulated driver, see driver.h. */
#include "driver.h"

#include <cstdio>
#include <map>

long settings[SETTINGS] = {2L << 30, 80, 12040, 1};
std::recursive_mutex mutex;

namespace {

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

int contexts;
std::string last_error;
thread_local bool context_is_current;

}  // namespace

bool has_context() { return context_is_current && contexts > 0; }

int error(Status status, const std::string& text) {
  last_error = text;
  return status;
}

void emu_count_object(int more) {
  LOCK;
  settings[OBJECTS] += more;
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
