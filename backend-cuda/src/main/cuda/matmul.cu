// also: compute_80
/*
 * Products of many rows with weights of 16 bits on matrix units, see matmul.cuh:
 *   matmul_<type>_<tile>: out [rows, outputs] (=|+=) x [rows, inputs] . weight [outputs, inputs]
 *                         transposed; x and factors as round_rows_<type> leaves them
 * inputs is a multiple of 8; weight and x are aligned to 16 bytes.
 * Launch: grid (ceil(rows / tile), ceil(outputs / tile)); _128: blocks of 256, 61440 bytes of
 * dynamic shared memory; _64: blocks of 128, 40960 bytes; _32: blocks of 128, 36864 bytes. Best is
 * the largest tile whose grid fills the device.
 */
#include "matmul.cuh"

MATMUL(matmul_f16_128, F16, Tile128, PlainWeights<Tile128>)
MATMUL(matmul_f16_64, F16, Tile64, PlainWeights<Tile64>)
MATMUL(matmul_f16_32, F16, Tile32, PlainWeights<Tile32>)
MATMUL(matmul_bf16_128, BF16, Tile128, PlainWeights<Tile128>)
MATMUL(matmul_bf16_64, BF16, Tile64, PlainWeights<Tile64>)
MATMUL(matmul_bf16_32, BF16, Tile32, PlainWeights<Tile32>)
