package dev.llama.spi;

import dev.llama.DType;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * Memory and operations of a device. Thread-safe; operations that are enqueued from one thread run
 * in that order.
 */
public interface Backend extends AutoCloseable {
  /**
   * Says what exactly runs.
   *
   * @return device, kernels, libraries, threads
   */
  String description();

  /**
   * Returns whether weights of a type can be used. Asked before anything is loaded.
   *
   * @param weight type of a matrix that {@link Ops#matmul} and {@link Ops#embed} are to use
   * @return whether {@link #load} accepts it
   */
  boolean supports(DType weight);

  /**
   * Takes memory for activations, filled with zeros.
   *
   * @param type F32 or I32
   * @param shape [n] or [rows, width]
   * @return a tensor; close it to give the memory back
   * @throws dev.llama.BackendException if memory does not suffice; names needed and available bytes
   */
  Tensor allocate(DType type, long... shape);

  /**
   * Makes weights usable: aliases the mapping, repacks, or uploads. The data must stay valid until
   * the tensor is closed.
   *
   * @param weight a matrix, or a vector, which becomes F32
   * @return a tensor; close it to give the memory back
   * @throws dev.llama.BackendException if memory does not suffice, or the type is not supported
   */
  Tensor load(TensorData weight);

  /**
   * Tells that all matrices of a model have been loaded and will soon be read; the vectors follow.
   * Called while another thread still makes the tokenizer, so that what can be done beforehand
   * costs no time.
   */
  default void matricesLoaded() {}

  /**
   * Makes an empty cache for one sequence.
   *
   * @param shape layers, heads, type, limit
   * @return a cache; close it to give the memory back
   */
  KvCache newKvCache(KvShape shape);

  /**
   * Makes an empty batch.
   *
   * @param maxRows largest number of rows that it will hold
   * @return a batch; close it to give the memory back
   */
  Batch newBatch(int maxRows);

  /**
   * Copies from the host. With {@link #read}, the only way across, and a point of synchronisation.
   *
   * @param destination whole tensor, F32 or I32
   * @param source as many bytes remaining as the tensor has, little-endian whatever the buffer's
   *     order says
   */
  void write(Tensor destination, ByteBuffer source);

  /**
   * Copies to the host, after everything enqueued so far has run.
   *
   * @param source whole tensor, F32 or I32
   * @param destination at least as many bytes remaining as the tensor has; filled little-endian
   *     whatever the buffer's order says
   * @throws dev.llama.BackendException if anything enqueued before has failed
   */
  void read(Tensor source, ByteBuffer destination);

  /**
   * Returns the operations.
   *
   * @return always the same object
   */
  Ops ops();

  /**
   * Returns the gradients of the operations.
   *
   * @return empty if this backend does not train
   */
  Optional<GradOps> gradOps();

  /**
   * Returns the operation that draws tokens.
   *
   * @return empty if the host is to read the logits and draw
   */
  default Optional<SampleOp> sampleOp() {
    return Optional.empty();
  }

  /**
   * Prepares a sequence of operations to be run many times. What changes between runs lives in
   * tensors and batches that keep their number of rows.
   *
   * @param body calls operations; may be called now, at each {@link Step#run()}, or both, so it
   *     must do nothing else
   * @return the step; close it to give its memory back
   */
  Step record(Runnable body);

  /**
   * Measures how fast all threads together read memory again and again: what limits the speed of
   * decode. Takes about a second and at most a gigabyte of memory.
   *
   * @param bytes that are read each time, at least 1: what fits caches is read faster
   * @return bytes per second; empty if this backend cannot tell
   */
  default OptionalDouble readBandwidth(long bytes) {
    return OptionalDouble.empty();
  }

  /**
   * Stops the threads and gives all memory back. Idempotent. Nothing made by this backend may be
   * used afterwards.
   */
  @Override
  void close();
}
