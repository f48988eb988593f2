/*
 * The methods of dev.llama.cpu.NativeKernels: each calls the kernel with its name in the table that
 * `use` has chosen. Compiled for the oldest CPU of the architecture, like features.c: this is what
 * runs before it is known what the CPU can do.
 *
 * Of the Java Native Interface only the calling convention and two functions are used. They are
 * written out here, so that a build needs no headers of a JDK for each platform.
 */
#include "features.h"
#include "kernels.h"
#include "pages.h"

typedef int32_t jint;
typedef int64_t jlong;
typedef float jfloat;
typedef void *jobject;
typedef const void *const *Environment; /* the table of the functions of the interface */

#define METHOD(result, name) EXPORT result Java_dev_llama_cpu_NativeKernels_##name
#define CALLER Environment *environment, void *class
#define UNUSED_CALLER (void)environment, (void)class

#if defined(__x86_64__)
extern const struct kernels llama_kernels_avx2, llama_kernels_avx512, llama_kernels_avx512vnni,
    llama_kernels_amx;
static const struct kernels *const levels[] = {
    &llama_kernels_avx2, &llama_kernels_avx512, &llama_kernels_avx512vnni,
#ifndef _WIN32 /* see may_use_tiles in features.c */
    &llama_kernels_amx,
#endif
};
#else
extern const struct kernels llama_kernels_neon, llama_kernels_dotprod;
static const struct kernels *const levels[] = {&llama_kernels_neon, &llama_kernels_dotprod};
#endif

static const struct kernels *chosen;

METHOD(jlong, features)(CALLER) {
  UNUSED_CALLER;
  return llama_features();
}

METHOD(void, use)(CALLER, jint level) {
  UNUSED_CALLER;
  chosen = levels[level];
}

METHOD(jlong, address)(CALLER, jobject buffer) {
  enum { GET_DIRECT_BUFFER_ADDRESS = 230 };
  void *(*get)(Environment *, jobject) =
      (void *(*)(Environment *, jobject))(*environment)[GET_DIRECT_BUFFER_ADDRESS];
  (void)class;
  return (jlong)(intptr_t)get(environment, buffer);
}

METHOD(jlong, map)(CALLER, jlong bytes) {
  UNUSED_CALLER;
  return (jlong)llama_map((uint64_t)bytes);
}

METHOD(void, unmap)(CALLER, jlong start, jlong bytes) {
  UNUSED_CALLER;
  llama_unmap((uint64_t)start, (uint64_t)bytes);
}

METHOD(jobject, buffer)(CALLER, jlong start, jlong bytes) {
  enum { NEW_DIRECT_BYTE_BUFFER = 229 };
  jobject (*make)(Environment *, void *, jlong) =
      (jobject(*)(Environment *, void *, jlong))(*environment)[NEW_DIRECT_BYTE_BUFFER];
  (void)class;
  return make(environment, (void *)(intptr_t)start, bytes);
}

METHOD(void, preferLargePages)(CALLER, jlong start, jlong bytes) {
  UNUSED_CALLER;
  llama_prefer_large_pages((uint64_t)start, (uint64_t)bytes);
}

METHOD(jlong, populate)(CALLER, jlong start, jlong bytes) {
  UNUSED_CALLER;
  return llama_populate((uint64_t)start, (uint64_t)bytes);
}

METHOD(void, product)(CALLER, jint type, jlong out, jlong out_stride, jlong x, jlong x_stride,
                      jlong rows, jlong w, jlong inputs, jlong outputs, jlong add) {
  UNUSED_CALLER;
  chosen->product((enum format)type, (float *)out, out_stride, (const float *)x, x_stride, rows,
                  (const uint8_t *)w, inputs, outputs, add);
}

METHOD(void, quantize)(CALLER, jlong out, jlong x, jlong x_stride, jlong rows, jlong inputs) {
  UNUSED_CALLER;
  chosen->quantize((uint8_t *)out, (const float *)x, x_stride, rows, inputs);
}

METHOD(void, productQuantized)(CALLER, jint type, jlong out, jlong out_stride, jlong x, jlong rows,
                               jlong w, jlong inputs, jlong outputs, jlong add) {
  UNUSED_CALLER;
  chosen->product_quantized((enum format)type, (float *)out, out_stride, (const uint8_t *)x, rows,
                            (const uint8_t *)w, inputs, outputs, add);
}

METHOD(void, pack)(CALLER, jint type, jlong out, jlong first, jlong x, jlong x_stride, jlong rows,
                   jlong inputs) {
  UNUSED_CALLER;
  chosen->pack((enum format)type, (uint8_t *)out, first, (const float *)x, x_stride, rows, inputs);
}

METHOD(void, productMany)(CALLER, jint type, jlong out, jlong out_stride, jlong x, jlong rows,
                          jlong w, jlong inputs, jlong outputs, jlong add, jlong scratch) {
  UNUSED_CALLER;
  chosen->product_many((enum format)type, (float *)out, out_stride, (const uint8_t *)x, rows,
                       (const uint8_t *)w, inputs, outputs, add, (uint8_t *)scratch);
}

METHOD(void, attention)(CALLER, jlong a, jlong key_head, jlong heads, jlong first_row, jlong rows,
                        jlong from, jlong to, jlong work, jlong part, jlong states) {
  UNUSED_CALLER;
  chosen->attention((const struct attention *)a, key_head, heads, first_row, rows, from, to,
                    (float *)work, (float *)part, (float *)states);
}

METHOD(void, attentionMerge)(CALLER, jlong a, jlong key_head, jlong row, jlong parts, jlong step,
                             jlong count) {
  UNUSED_CALLER;
  chosen->attention_merge((const struct attention *)a, key_head, row, (const float *)parts, step,
                          count);
}

METHOD(void, append)(CALLER, jlong a, jlong k, jlong k_stride, jlong v, jlong v_stride, jlong heads,
                     jlong first_row, jlong rows) {
  UNUSED_CALLER;
  chosen->append((const struct attention *)a, (const float *)k, k_stride, (const float *)v, v_stride,
                 heads, first_row, rows);
}

METHOD(void, rmsNorm)(CALLER, jlong out, jlong rstd, jlong x, jlong weight, jlong rows, jlong width,
                      jfloat eps) {
  UNUSED_CALLER;
  chosen->rms_norm((float *)out, (float *)rstd, (const float *)x, (const float *)weight, rows, width,
                   eps);
}

METHOD(void, rope)(CALLER, jlong q, jlong q_width, jlong k, jlong k_width, jlong positions,
                   jlong rows, jlong frequencies, jlong pairs, jfloat magnitude, jlong halves,
                   jfloat direction) {
  UNUSED_CALLER;
  chosen->rope((float *)q, q_width, (float *)k, k_width, (const int32_t *)positions, rows,
               (const float *)frequencies, pairs, magnitude, halves, direction);
}

METHOD(void, swiGlu)(CALLER, jlong out, jlong gate, jlong up, jlong count) {
  UNUSED_CALLER;
  chosen->swiglu((float *)out, (const float *)gate, (const float *)up, count);
}

METHOD(void, add)(CALLER, jlong x, jlong y, jlong count) {
  UNUSED_CALLER;
  chosen->add((float *)x, (const float *)y, count);
}

METHOD(void, argmax)(CALLER, jlong out, jlong x, jlong count) {
  UNUSED_CALLER;
  chosen->argmax((int32_t *)out, (const float *)x, count);
}

METHOD(void, embed)(CALLER, jint type, jlong out, jlong row, jlong count) {
  UNUSED_CALLER;
  chosen->embed((enum format)type, (float *)out, (const uint8_t *)row, count);
}

METHOD(void, read)(CALLER, jlong out, jlong from, jlong bytes) {
  UNUSED_CALLER;
  chosen->read((float *)out, (const uint8_t *)from, bytes);
}

METHOD(void, gradPack)(CALLER, jlong to, jlong b, jlong b_row, jlong b_column, jlong depth,
                       jlong columns) {
  UNUSED_CALLER;
  chosen->grad_pack((uint8_t *)to, (const float *)b, b_row, b_column, depth, columns);
}

METHOD(void, gradProduct)(CALLER, jlong c, jlong c_row, jlong a, jlong a_row, jlong a_column,
                          jlong b, jlong rows, jlong depth, jlong columns, jlong add,
                          jlong scratch) {
  UNUSED_CALLER;
  chosen->grad_product((float *)c, c_row, (const float *)a, a_row, a_column, (const uint8_t *)b,
                       rows, depth, columns, add, (uint8_t *)scratch);
}

METHOD(void, gradProductDeep)(CALLER, jlong c, jlong c_row, jlong a, jlong a_row, jlong b,
                              jlong b_row, jlong rows, jlong depth, jlong columns, jlong scratch) {
  UNUSED_CALLER;
  chosen->grad_product_deep((float *)c, c_row, (const float *)a, a_row, (const float *)b, b_row,
                            rows, depth, columns, (uint8_t *)scratch);
}

METHOD(void, sequenceAttention)(CALLER, jlong sequence, jlong head, jlong block, jlong scratch) {
  UNUSED_CALLER;
  chosen->sequence_attention((const struct sequence *)sequence, head, block, (uint8_t *)scratch);
}

METHOD(void, sequenceGradient)(CALLER, jlong sequence, jlong share, jlong shares, jlong scratch) {
  UNUSED_CALLER;
  chosen->sequence_gradient((const struct sequence *)sequence, share, shares, (uint8_t *)scratch);
}

METHOD(void, rmsNormGradient)(CALLER, jlong dx, jlong weight_sum, jlong d_out, jlong x,
                              jlong weight, jlong rstd, jlong rows, jlong width) {
  UNUSED_CALLER;
  chosen->rms_norm_gradient((float *)dx, (float *)weight_sum, (const float *)d_out,
                            (const float *)x, (const float *)weight, (const float *)rstd, rows,
                            width);
}

METHOD(void, swiGluGradient)(CALLER, jlong d_gate, jlong d_up, jlong d_out, jlong gate, jlong up,
                             jlong count) {
  UNUSED_CALLER;
  chosen->swiglu_gradient((float *)d_gate, (float *)d_up, (const float *)d_out,
                          (const float *)gate, (const float *)up, count);
}

METHOD(void, crossEntropy)(CALLER, jlong loss, jlong d_logits, jlong logits, jlong targets,
                           jfloat scale, jlong rows, jlong width) {
  UNUSED_CALLER;
  chosen->cross_entropy((float *)loss, (float *)d_logits, (const float *)logits,
                        (const int32_t *)targets, scale, rows, width);
}

METHOD(void, sumOfSquares)(CALLER, jlong sum, jlong x, jlong count) {
  UNUSED_CALLER;
  chosen->sum_of_squares((double *)sum, (const float *)x, count);
}

METHOD(void, adamW)(CALLER, jlong weight, jlong m, jlong v, jlong gradient, jlong numbers,
                    jlong count) {
  UNUSED_CALLER;
  chosen->adamw((float *)weight, (float *)m, (float *)v, (const float *)gradient,
                (const float *)numbers, count);
}
