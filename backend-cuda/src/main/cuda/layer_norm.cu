/*
 * Layer norm (Ba et al. 2016): out = (x - mean) * rstd * weight + bias,
 * rstd = 1 / sqrt(variance + eps), the variance divided by width.
 *   layer_norm:             out [rows, width], which may be x; mean, rstd [rows] or null
 *   layer_norm_grad_x:      dx = rstd * (g - mean(g) - n * mean(g * n)), g = dout * weight,
 *                           n = (x - mean) * rstd
 *   layer_norm_grad_weight: dweight [width] += sum over rows of dout * n, dbias += sum of dout
 * Launch: one block for each row, of 128 to 1024 threads; grad_weight: ceil(width / 32) blocks of
 * 256.
 */
#include "columns.cuh"

extern "C" __global__ void layer_norm(float* out, float* mean, float* rstd, const float* x,
                                      const float* weight, const float* bias, int width,
                                      float eps) {
  size_t start = (size_t)blockIdx.x * width;
  float sum = 0;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    sum += x[start + i];
  }
  float middle = block_sum(sum) / width;
  float squares = 0; /* of differences: the difference of sums of squares would cancel */
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    float d = x[start + i] - middle;
    squares += d * d;
  }
  float scale = 1 / sqrtf(block_sum(squares) / width + eps);
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    out[start + i] = (x[start + i] - middle) * scale * weight[i] + bias[i];
  }
  if (threadIdx.x == 0) {
    if (mean != nullptr) {
      mean[blockIdx.x] = middle;
    }
    if (rstd != nullptr) {
      rstd[blockIdx.x] = scale;
    }
  }
}
KERNEL(layer_norm)

extern "C" __global__ void layer_norm_grad_x(float* dx, const float* dout, const float* x,
                                             const float* weight, const float* mean,
                                             const float* rstd, int width) {
  size_t start = (size_t)blockIdx.x * width;
  float middle = mean[blockIdx.x];
  float scale = rstd[blockIdx.x];
  float sum = 0;
  float product = 0;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    float g = dout[start + i] * weight[i];
    sum += g;
    product += g * (x[start + i] - middle) * scale;
  }
  sum = block_sum(sum) / width;
  product = block_sum(product) / width;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    float n = (x[start + i] - middle) * scale;
    dx[start + i] = scale * (dout[start + i] * weight[i] - sum - n * product);
  }
}
KERNEL(layer_norm_grad_x)

extern "C" __global__ void layer_norm_grad_weight(float* dweight, float* dbias, const float* dout,
                                                  const float* x, const float* mean,
                                                  const float* rstd, int rows, int width) {
  int column = column_of_thread();
  float sum = 0;
  float product = 0;
  if (column < width) {
    for (int r = first_row_of_thread(); r < rows; r += COLUMN_LANES) {
      size_t at = (size_t)r * width + column;
      sum += dout[at];
      product += dout[at] * (x[at] - mean[r]) * rstd[r];
    }
  }
  add_column_sum(dbias, width, sum);
  add_column_sum(dweight, width, product);
}
KERNEL(layer_norm_grad_weight)
