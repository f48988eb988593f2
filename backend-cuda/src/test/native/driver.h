/*
 * What the parts of the emulated driver share: driver.cpp (settings, errors, devices, contexts),
 * memory.cpp, streams.cpp (with graphs and events), modules.cpp (with launches). Behaviour that
 * programs get wrong is kept: what is enqueued runs late, when something waits for it; new memory
 * holds NaN; memory ends at a guard page and is gone once freed; copies refuse host memory that is
 * not pinned; a stream that is captured runs nothing.
 *
 * Unlike a real device's, an error inside a kernel does not stay: the next call that waits reports
 * it, and cuGetErrorString says where it happened.
 */
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "fibres.h"

#define API extern "C" __attribute__((visibility("default"))) int

typedef uint64_t u64;

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

extern long settings[SETTINGS];

typedef std::function<void()> Work;

struct Graph {
  std::vector<Work> nodes;
};

struct Stream {
  std::vector<Work> queue;
  std::unique_ptr<Graph> capture; /* null unless it is captured */
};

extern std::recursive_mutex mutex;
extern std::vector<Stream*> streams;
extern std::string fault; /* what a kernel did wrong; empty if nothing */

#define LOCK std::lock_guard<std::recursive_mutex> lock(mutex)
#define CONTEXT                                                            \
  LOCK;                                                                    \
  if (!has_context()) {                                                    \
    return error(INVALID_CONTEXT, "no context is current in this thread"); \
  }

bool has_context();

/* Keeps a text for cuGetErrorString. */
int error(Status status, const std::string& text);

/* Adds to a stream, or to the graph that it is captured into. */
int enqueue(Stream* stream, Work work);

/* Runs what is enqueued, up to the first fault. */
void run(Stream* stream);
void run_all();

/* The status of a call that has waited. */
int report_fault();
