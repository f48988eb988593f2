/** Runs models on the CPU. */
package dev.llama.cpu;
