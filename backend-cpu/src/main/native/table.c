/* The table of the kernels of one instruction set. */
#include "kernels.h"

#define DECLARATION(name, arguments) KERNEL(name) arguments;
#define ENTRY(name, arguments) .name = NAMED(llama_, name, LEVEL),

KERNELS(DECLARATION)
#ifdef HAS_MANY_ROWS
KERNELS_FOR_MANY_ROWS(DECLARATION)
#endif

const struct kernels NAMED(llama_, kernels, LEVEL) = {
    KERNELS(ENTRY)
#ifdef HAS_MANY_ROWS
    KERNELS_FOR_MANY_ROWS(ENTRY)
#endif
};
