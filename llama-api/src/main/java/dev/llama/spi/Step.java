package dev.llama.spi;

/** A recorded sequence of operations, see {@link Backend#record(Runnable)}. */
public interface Step extends AutoCloseable {
  /** Enqueues the operations with the present contents of their tensors and batches. */
  void run();

  /** Gives the recording's memory back. Idempotent. */
  @Override
  void close();
}
