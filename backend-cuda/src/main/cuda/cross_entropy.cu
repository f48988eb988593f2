/*
 * Softmax cross-entropy and its gradient:
 *   cross_entropy: loss [rows] = log of the sum of exp(logits) - logit of the target;
 *                  dlogits [rows, width] = (softmax - one at the target) * scale[0], which may be
 *                  logits, or null. Rows with target -1 have loss 0 and gradient 0.
 * Launch: one block for each row, of 256 to 1024 threads.
 */
#include "common.cuh"

extern "C" __global__ void cross_entropy(float* loss, float* dlogits, const float* logits,
                                         const int* targets, const float* scale, int width) {
  size_t start = (size_t)blockIdx.x * width;
  int target = targets[blockIdx.x];
  if (target < 0) { /* the same for the whole block */
    for (int i = threadIdx.x; dlogits != nullptr && i < width; i += blockDim.x) {
      dlogits[start + i] = 0;
    }
    if (threadIdx.x == 0) {
      loss[blockIdx.x] = 0;
    }
    return;
  }
  float largest = -INFINITY;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    largest = fmaxf(largest, logits[start + i]);
  }
  largest = block_max(largest);
  float sum = 0;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    sum += expf(logits[start + i] - largest);
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) {
    loss[blockIdx.x] = logf(sum) - (logits[start + target] - largest);
  }
  if (dlogits == nullptr) {
    return;
  }
  __syncthreads(); /* The target's logit has been read. */
  float factor = scale[0];
  float inverse = 1 / sum;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    float probability = expf(logits[start + i] - largest) * inverse;
    dlogits[start + i] = (probability - (i == target ? 1.0f : 0.0f)) * factor;
  }
}
KERNEL(cross_entropy)
