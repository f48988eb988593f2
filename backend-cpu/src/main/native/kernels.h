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

/*
 * Attention of the rows of one sequence; as NativeAttention.java writes it. Offsets and steps are in
 * elements. Row r is at position + r; position 0 is the first that there is.
 */
struct attention {
  int64_t type;       /* of keys and values: F32 or F16 */
  int64_t out;        /* F32 [rows, heads * size] */
  int64_t out_stride; /* from row to row */
  int64_t q;          /* the same as out */
  int64_t q_stride;
  int64_t group; /* query heads to a key head */
  int64_t size;  /* of a head */
  int64_t position;
  int64_t window;      /* positions that a row sees at most; 0: all */
  int64_t end;         /* behind the last position */
  int64_t block;       /* positions in a block */
  int64_t by_position; /* 1: keys lie as values do, both `step` apart: activations in F32 */
  int64_t step;
  int64_t keys;       /* from the start of a block to the first key head */
  int64_t key_head;   /* from key head to key head */
  int64_t values;     /* the same for values */
  int64_t value_head;
  float scale; /* of the scores */
  float unused;
  int64_t blocks[]; /* addresses, from position 0 on */
};

struct sequence; /* in grad_attention.c */

/* K(name, arguments) for every kernel; what they do is said where they are. */
#define KERNELS(K)                                                                               \
  K(product, (enum format type, float *out, int64_t out_stride, const float *x,                  \
              int64_t x_stride, int64_t rows, const uint8_t *w, int64_t inputs, int64_t outputs, \
              int64_t add))                                                                      \
  K(quantize, (uint8_t *out, const float *x, int64_t x_stride, int64_t rows, int64_t inputs))    \
  K(product_quantized, (enum format type, float *out, int64_t out_stride, const uint8_t *x,      \
                        int64_t rows, const uint8_t *w, int64_t inputs, int64_t outputs,         \
                        int64_t add))                                                            \
  K(attention, (const struct attention *a, int64_t key_head, int64_t heads, int64_t first_row,    \
                int64_t rows, int64_t from, int64_t to, float *work, float *part,                \
                float *states))                                                                  \
  K(attention_merge, (const struct attention *a, int64_t key_head, int64_t row,                  \
                      const float *parts, int64_t step, int64_t count))                          \
  K(append, (const struct attention *a, const float *k, int64_t k_stride, const float *v,        \
             int64_t v_stride, int64_t heads, int64_t first_row, int64_t rows))                  \
  K(rms_norm, (float *out, float *rstd, const float *x, const float *weight, int64_t rows,       \
               int64_t width, float eps))                                                        \
  K(rope, (float *q, int64_t q_width, float *k, int64_t k_width, const int32_t *positions,       \
           int64_t rows, const float *frequencies, int64_t pairs, float magnitude,               \
           int64_t halves, float direction))                                                     \
  K(swiglu, (float *out, const float *gate, const float *up, int64_t count))                     \
  K(add, (float *x, const float *y, int64_t count))                                              \
  K(argmax, (int32_t *out, const float *x, int64_t count))                                       \
  K(embed, (enum format type, float *out, const uint8_t *row, int64_t count))                    \
  K(read, (float *out, const uint8_t *from, int64_t bytes))                                      \
  K(grad_pack, (uint8_t *to, const float *b, int64_t b_row, int64_t b_column, int64_t depth,     \
                int64_t columns))                                                                \
  K(grad_product, (float *c, int64_t c_row, const float *a, int64_t a_row, int64_t a_column,     \
                   const uint8_t *b, int64_t rows, int64_t depth, int64_t columns, int64_t add,  \
                   uint8_t *scratch))                                                            \
  K(grad_product_deep, (float *c, int64_t c_row, const float *a, int64_t a_row, const float *b,  \
                        int64_t b_row, int64_t rows, int64_t depth, int64_t columns,             \
                        uint8_t *scratch))                                                       \
  K(sequence_attention, (const struct sequence *s, int64_t head, int64_t block, uint8_t *scratch))\
  K(sequence_gradient, (const struct sequence *s, int64_t share, int64_t shares,                 \
                        uint8_t *scratch))                                                       \
  K(rms_norm_gradient, (float *dx, float *weight_sum, const float *d_out, const float *x,        \
                        const float *weight, const float *rstd, int64_t rows, int64_t width))    \
  K(swiglu_gradient, (float *d_gate, float *d_up, const float *d_out, const float *gate,         \
                      const float *up, int64_t count))                                           \
  K(cross_entropy, (float *loss, float *d_logits, const float *logits, const int32_t *targets,   \
                    float scale, int64_t rows, int64_t width))                                   \
  K(sum_of_squares, (double *sum, const float *x, int64_t count))                                \
  K(adamw, (float *weight, float *m, float *v, const float *gradient, const float *numbers,      \
            int64_t count))

/* Kernels that only some instruction sets have: see many.c and amx.c. */
#define KERNELS_FOR_MANY_ROWS(K)                                                                 \
  K(pack, (enum format type, uint8_t *out, int64_t first, const float *x, int64_t x_stride,      \
           int64_t rows, int64_t inputs))                                                        \
  K(product_many, (enum format type, float *out, int64_t out_stride, const uint8_t *x,           \
                   int64_t rows, const uint8_t *w, int64_t inputs, int64_t outputs, int64_t add, \
                   uint8_t *scratch))

#if defined(__AVX512VNNI__) || defined(__ARM_FEATURE_DOTPROD)
#define HAS_MANY_ROWS
#endif

#define KERNEL_FIELD(name, arguments) void (*name) arguments;

/* All kernels of one instruction set. */
struct kernels {
  KERNELS(KERNEL_FIELD)
  KERNELS_FOR_MANY_ROWS(KERNEL_FIELD) /* or 0 */
};

#define CONCATENATED(a, b, c) a##b##_##c
#define NAMED(a, b, c) CONCATENATED(a, b, c)
/* Each file of kernels is compiled once per instruction set; LEVEL names it and ends the names. */
#define KERNEL(name) void NAMED(llama_, name, LEVEL)

#endif
