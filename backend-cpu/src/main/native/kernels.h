/*
 * The kernels, and the table through which each instruction set offers its own.
 *
 * To add a kernel: a line in KERNELS; its code as KERNEL(name)(arguments) in a file that build.sh
 * lists; a call of it in jni.c, and the method with the same name in NativeKernels.java.
 */
#ifndef LLAMA_KERNELS_H
#define LLAMA_KERNELS_H

#include <stdint.h>

/* How numbers are stored; as NativeKernels.format numbers them. The last ten are those of ggml. */
enum format { F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K };

/* Consecutive positions of a KV cache. */
struct block {
  int64_t keys;   /* address of the first position of key head 0 */
  int64_t values; /* the same of the values */
  int64_t count;  /* positions */
};

/* K(name, arguments) for every kernel; what they do is said where they are. */
#define KERNELS(K)                                                                               \
  K(product, (enum format type, float *out, int64_t out_stride, const float *x,                  \
              int64_t x_stride, int64_t rows, const uint8_t *w, int64_t inputs, int64_t outputs, \
              int64_t add))                                                                      \
  K(quantize, (uint8_t *out, const float *x, int64_t x_stride, int64_t rows, int64_t inputs))    \
  K(product_quantized, (enum format type, float *out, int64_t out_stride, const uint8_t *x,      \
                        int64_t rows, const uint8_t *w, int64_t inputs, int64_t outputs,         \
                        int64_t add))                                                            \
  K(attention, (enum format type, float *out, const float *q, int64_t heads, int64_t size,       \
                const struct block *blocks, int64_t skip, int64_t count, int64_t head_offset,    \
                int64_t stride, float scale))

#define KERNEL_FIELD(name, arguments) void (*name) arguments;

/* All kernels of one instruction set. */
struct kernels {
  KERNELS(KERNEL_FIELD)
};

#define CONCATENATED(a, b, c) a##b##_##c
#define NAMED(a, b, c) CONCATENATED(a, b, c)
/* Each file of kernels is compiled once per instruction set; LEVEL names it and ends the names. */
#define KERNEL(name) void NAMED(llama_, name, LEVEL)

#endif
