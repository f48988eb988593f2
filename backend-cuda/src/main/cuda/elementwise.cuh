/* The loop of all ops that treat every element alike: launch any number of blocks of any size. */
#pragma once

#include "common.cuh"

DEVICE long long first_element() { return (long long)blockIdx.x * blockDim.x + threadIdx.x; }

DEVICE long long element_step() { return (long long)gridDim.x * blockDim.x; }
