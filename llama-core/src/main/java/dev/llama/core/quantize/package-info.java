/** Stores models as GGUF files in other number formats. */
package dev.llama.core.quantize;
