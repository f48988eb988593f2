/* Activations as products of quantised weights take them. */
#ifndef LLAMA_ROUNDED_H
#define LLAMA_ROUNDED_H

#include "formats.h"

/* 256 activations, rounded to int8 in groups of 32. */
struct rounded {
  int8_t x[CHUNK];
  int8_t split[CHUNK]; /* of each SPLIT_GROUPS groups the first halves, then the second halves */
  float scale[GROUPS];
  float sum[GROUPS];            /* of the integers, times the scale */
  float half_scale[2 * GROUPS]; /* the scales, twice each */
  float half_sum[2 * GROUPS];   /* sums of 16 integers, times the scale */
};

#endif
