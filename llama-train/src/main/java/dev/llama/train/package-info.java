/** The trainer, its options, and what feeds it. */
package dev.llama.train;
