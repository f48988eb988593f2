/** Loads models and runs the decoder. */
package dev.llama.core;
