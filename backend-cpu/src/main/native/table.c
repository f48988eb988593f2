/* The table of the kernels of one instruction set. */
#include "kernels.h"

#define DECLARATION(name, arguments) KERNEL(name) arguments;
#define ENTRY(name, arguments) NAMED(llama_, name, LEVEL),

KERNELS(DECLARATION)

const struct kernels NAMED(llama_, kernels, LEVEL) = {KERNELS(ENTRY)};
