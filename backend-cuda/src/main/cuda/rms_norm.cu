/*
 * Root-mean-square norm (Zhang and Sennrich 2019): out = x * rstd * weight,
 * rstd = 1 / sqrt(mean(x * x) + eps).
 *   rms_norm:             out [rows, width], which may be x; rstd [rows] or null; quantized: out in
 *                         8 bits as well (see quantize.cuh), which saves a launch, or null; rows is
 *                         needed for it alone
 *   add_rms_norm:         x += y first, in place; then as rms_norm
 *   rms_norm_grad_x:      dx = rstd * (g - x * rstd^2 * mean(g * x)), g = dout * weight
 *   rms_norm_grad_weight: dweight [width] += sum over rows of dout * x * rstd
 * Launch: one block for each row, of 128 to 1024 threads; grad_weight: ceil(width / 32) blocks of
 * 256.
 */
#include "columns.cuh"
#include "quantize.cuh"

template <bool ADD>
DEVICE void rms_norm_body(float* out, float* rstd, float* x, const float* y, const float* weight,
                          int width, float eps, void* quantized, int rows) {
  size_t start = (size_t)blockIdx.x * width;
  float squares = 0;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    float v = x[start + i];
    if (ADD) {
      v += y[start + i];
      x[start + i] = v;
    }
    squares += v * v;
  }
  float scale = 1 / sqrtf(block_sum(squares) / width + eps);
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    float v = x[start + i] * scale * weight[i];
    out[start + i] = v;
    if (quantized != nullptr) { /* width is a multiple of 32: whole warps */
      quantize_block(Quantized(quantized, rows, width), blockIdx.x, i / 32, v);
    }
  }
  if (rstd != nullptr && threadIdx.x == 0) {
    rstd[blockIdx.x] = scale;
  }
}

extern "C" __global__ void rms_norm(float* out, float* rstd, const float* x, const float* weight,
                                    int width, float eps, void* quantized, int rows) {
  rms_norm_body<false>(out, rstd, const_cast<float*>(x), nullptr, weight, width, eps, quantized,
                       rows);
}
KERNEL(rms_norm)

extern "C" __global__ void add_rms_norm(float* out, float* rstd, float* x, const float* y,
                                        const float* weight, int width, float eps) {
  rms_norm_body<true>(out, rstd, x, y, weight, width, eps, nullptr, 0);
}
KERNEL(add_rms_norm)

extern "C" __global__ void rms_norm_grad_x(float* dx, const float* dout, const float* x,
                                           const float* weight, const float* rstd, int width) {
  size_t start = (size_t)blockIdx.x * width;
  float scale = rstd[blockIdx.x];
  float product = 0;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    product += dout[start + i] * weight[i] * x[start + i];
  }
  float shift = block_sum(product) / width * scale * scale;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    dx[start + i] = scale * (dout[start + i] * weight[i] - x[start + i] * shift);
  }
}
KERNEL(rms_norm_grad_x)

extern "C" __global__ void rms_norm_grad_weight(float* dweight, const float* dout, const float* x,
                                                const float* rstd, int rows, int width) {
  int column = column_of_thread();
  float sum = 0;
  if (column < width) {
    for (int r = first_row_of_thread(); r < rows; r += COLUMN_LANES) {
      size_t at = (size_t)r * width + column;
      sum += dout[at] * x[at] * rstd[r];
    }
  }
  add_column_sum(dweight, width, sum);
}
KERNEL(rms_norm_grad_weight)
