/** Runs models on NVIDIA GPUs through the driver alone. */
package dev.llama.cuda;
