package dev.llama;

/** Receives the logits at each of several positions. */
@FunctionalInterface
public interface LogitsConsumer {
  /**
   * Receives the logits behind one token.
   *
   * @param position position of the token in the session, from 0
   * @param logits raw scores of every possible next token, [vocabulary size]; the array is reused
   *     after the call
   */
  void accept(int position, float[] logits);
}
