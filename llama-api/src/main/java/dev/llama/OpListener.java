package dev.llama;

/** Is told how long the operations of a model take, one after the other. */
@FunctionalInterface
public interface OpListener {
  /**
   * An operation has run. Called by the thread that uses the session, many times per token: keep it
   * short.
   *
   * @param op what ran, as {@code dev.llama.spi.Ops} names it; products with a single matrix are
   *     followed by the matrix's own name, as in {@code "matmul down_proj"}
   * @param nanos how long it took
   */
  void ran(String op, long nanos);
}
