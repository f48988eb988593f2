/*
 * Rotary positions (Su et al. 2021), and the way of keys and values into a cache.
 *   rope:      rotates q [rows, heads * head_dim] and k [rows, kv_heads * head_dim] in place; pair
 *              i of a head by direction * positions[r] * frequencies[i] radians. neighbours: a pair
 *              is 2i and 2i + 1, else i and i + head_dim / 2. direction -1 is the gradient's.
 *   kv_append_f32, kv_append_f16: copies rows of k and v to the pages of their sequences; rows of
 *              runs of another kind stay out
 * Launch: grid (rows, y), blocks of any multiple of 32; y is any number of blocks that share a row.
 */
#include "common.cuh"

extern "C" __global__ void rope(float* q, float* k, const int* positions, const float* frequencies,
                                int heads, int kv_heads, int head_dim, float magnitude,
                                int neighbours, float direction) {
  int row = blockIdx.x;
  int half = head_dim / 2;
  float position = positions[row] * direction;
  int pairs = (heads + kv_heads) * half;
  for (int t = blockIdx.y * blockDim.x + threadIdx.x; t < pairs; t += gridDim.y * blockDim.x) {
    int head = t / half;
    int i = t % half;
    float* x = head < heads ? q + ((size_t)row * heads + head) * head_dim
                            : k + ((size_t)row * kv_heads + head - heads) * head_dim;
    int first = neighbours ? 2 * i : i;
    int second = neighbours ? 2 * i + 1 : i + half;
    float angle = position * frequencies[i];
    float c = cosf(angle) * magnitude;
    float s = sinf(angle) * magnitude;
    float a = x[first];
    float b = x[second];
    x[first] = a * c - b * s;
    x[second] = a * s + b * c;
  }
}
KERNEL(rope)

DEVICE void store_element(float* to, float value) { *to = value; }

DEVICE void store_element(half_bits* to, float value) { *to = float_to_half(value); }

template <int KIND, class T>
DEVICE void kv_append_body(const float* k, const float* v, const int* positions, const int* row_run,
                           const Run* runs, int layer, int kv_heads, int head_dim) {
  int row = blockIdx.x;
  const Run& run = runs[row_run[row]];
  if (run.kind != KIND) {
    return;
  }
  int position = positions[row];
  T* page = (T*)run.pages[position / KV_PAGE];
  int width = kv_heads * head_dim;
  for (int t = blockIdx.y * blockDim.x + threadIdx.x; t < 2 * width; t += gridDim.y * blockDim.x) {
    int value = t / width;
    int i = t % width;
    int plane = (layer * 2 + value) * kv_heads + i / head_dim;
    size_t at = ((size_t)plane * KV_PAGE + position % KV_PAGE) * head_dim + i % head_dim;
    store_element(page + at, (value ? v : k)[(size_t)row * width + i]);
  }
}

extern "C" __global__ void kv_append_f32(const float* k, const float* v, const int* positions,
                                         const int* row_run, const Run* runs, int layer,
                                         int kv_heads, int head_dim) {
  kv_append_body<KIND_F32, float>(k, v, positions, row_run, runs, layer, kv_heads, head_dim);
}
KERNEL(kv_append_f32)

extern "C" __global__ void kv_append_f16(const float* k, const float* v, const int* positions,
                                         const int* row_run, const Run* runs, int layer,
                                         int kv_heads, int head_dim) {
  kv_append_body<KIND_F16, half_bits>(k, v, positions, row_run, runs, layer, kv_heads, head_dim);
}
KERNEL(kv_append_f16)
