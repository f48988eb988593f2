/*
 * Blocks of quantised weights as a file stores them to the two planes that the kernels read (see
 * codecs.cuh): the aligned `body` of every block, then the `rest`, which is what stands before the
 * body and after it. The size stays the same.
 *   repack: src holds `blocks` blocks, the first of which is number first_block of total_blocks of
 *           the matrix dst
 * Launch: any grid, blocks of any multiple of 32.
 */
#include "elementwise.cuh"

/* All sizes are even: 16 bits at a time. */
extern "C" __global__ void repack(void* dst, const void* src, long long first_block, int blocks,
                                  long long total_blocks, int block_bytes, int body_offset,
                                  int body_bytes) {
  int units = block_bytes / 2;
  int rest_bytes = block_bytes - body_bytes;
  unsigned short* bodies = (unsigned short*)dst;
  unsigned short* rests = (unsigned short*)((char*)dst + total_blocks * body_bytes);
  long long count = (long long)blocks * units;
  for (long long i = first_element(); i < count; i += element_step()) {
    long long block = first_block + i / units;
    int byte = (int)(i % units) * 2;
    unsigned short value = ((const unsigned short*)src)[i];
    int in_body = byte - body_offset;
    if (in_body >= 0 && in_body < body_bytes) {
      bodies[(block * body_bytes + in_body) / 2] = value;
    } else {
      int in_rest = in_body < 0 ? byte : byte - body_bytes;
      rests[(block * rest_bytes + in_rest) / 2] = value;
    }
  }
}
KERNEL(repack)
