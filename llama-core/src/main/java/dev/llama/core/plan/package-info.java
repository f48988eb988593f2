/**
 * What a model needs before it is loaded: bytes of weights, caches, activations and training state
 * on each of a number of devices, and the speed that their arithmetic and bandwidth allow.
 *
 * <p>Start at {@link dev.llama.core.plan.Plan#of}. Everything follows from the {@linkplain
 * dev.llama.ModelConfig#layers() layer definitions}; no weights are read. All classes are immutable
 * and may be used by any number of threads.
 */
package dev.llama.core.plan;
