/** Checkpoints: safetensors, single or sharded, and GGUF, behind one view of named tensors. */
package dev.llama.core.files;
