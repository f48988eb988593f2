/** Data to train small models on, made from a seed: stories and nucleotide sequences. */
package dev.llama.train.samples;
