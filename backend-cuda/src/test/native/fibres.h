/* Execution of one kernel, see fibres.cpp, and what other libraries need of driver.cpp. */
#pragma once

#include <functional>

#include "emulator.h"

/* Runs all blocks. Returns null, or what went wrong, valid until the next call. */
const char* emu_run(const emu_kernel* kernel, const char* parameters, dim3 grid, dim3 block,
                    size_t shared_bytes);

/* Says what lies at an address that must not be accessed. */
void emu_describe_address(const void* address, char* text, size_t size);

/* Enqueues work to a stream of the driver. */
void emu_enqueue(void* stream, std::function<void()> work);

/* Counts what must be given back. */
void emu_count_object(int more);

/* Fills emu_halves. */
void emu_init_formats();
