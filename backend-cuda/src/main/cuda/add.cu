/*
 * Additions.
 *   add:           x [count] += y [count]
 *   add_bias:      x [rows, width] += bias [width]
 *   add_bias_grad: dbias [width] += sum of the rows of dout [rows, width]
 *   fill:          x [count] = value
 * Launch: any grid, blocks of any multiple of 32; add_bias_grad: ceil(width / 32) blocks of 256.
 */
#include "columns.cuh"
#include "elementwise.cuh"

extern "C" __global__ void add(float* x, const float* y, long long count) {
  for (long long i = first_element(); i < count; i += element_step()) {
    x[i] += y[i];
  }
}
KERNEL(add)

extern "C" __global__ void add_bias(float* x, const float* bias, int rows, int width) {
  long long count = (long long)rows * width;
  for (long long i = first_element(); i < count; i += element_step()) {
    x[i] += bias[i % width];
  }
}
KERNEL(add_bias)

extern "C" __global__ void add_bias_grad(float* dbias, const float* dout, int rows, int width) {
  int column = column_of_thread();
  float sum = 0;
  if (column < width) {
    for (int r = first_row_of_thread(); r < rows; r += COLUMN_LANES) {
      sum += dout[(size_t)r * width + column];
    }
  }
  add_column_sum(dbias, width, sum);
}
KERNEL(add_bias_grad)

extern "C" __global__ void fill(float* x, float value, long long count) {
  for (long long i = first_element(); i < count; i += element_step()) {
    x[i] = value;
  }
}
KERNEL(fill)
