package dev.llama.spi;

/**
 * Draws tokens where the logits are, so that of a row of logits four bytes have to leave a device.
 * For backends whose memory is far from the host's; the others have none, and the host draws.
 */
public interface SampleOp {
  /**
   * Draws a token from each row as {@link Draw} defines. Enqueues, as the operations of {@link Ops}
   * do.
   *
   * @param out ids, or {@link Draw#NOTHING}: I32 [rows]
   * @param logits [rows, vocabulary]; not modified
   * @param draws what {@link Draw#put} wrote for each row: I32 [rows, {@value Draw#WORDS}]
   */
  void sample(Tensor out, Tensor logits, Tensor draws);
}
