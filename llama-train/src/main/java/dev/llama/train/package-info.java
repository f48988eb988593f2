/**
 * Training. A {@link dev.llama.train.Trainer} is a model with gradients, optimiser and the memory
 * of a batch; {@link dev.llama.train.Trainer#builder} says what it begins with and how it is
 * trained, and {@link dev.llama.train.Trainer#step} improves it. A {@link
 * dev.llama.train.BatchSource} feeds it: {@link dev.llama.train.data.Dataset} makes one out of
 * files, and applications may write their own. A {@link dev.llama.train.TrainingRun} does many
 * steps, evaluates, and keeps checkpoints, metrics and a loss curve in a {@link
 * dev.llama.train.RunFolder}, from which training goes on as if it had never stopped.
 *
 * <p>Everything is deterministic: with the same options, data, machine and number of threads, the
 * losses are the same to the last bit. Nothing here is shared between threads, except that {@link
 * dev.llama.train.TrainingRun#stop} may come from any.
 */
package dev.llama.train;
