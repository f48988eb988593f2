package dev.llama;

/**
 * One conversation: the tokens so far and their KV cache. For one thread at a time; only {@link
 * #close()} may be called from another one.
 *
 * <p>The logits after a sequence of tokens depend on that sequence alone, not on how it was cut
 * into calls and chunks, nor on what other sessions do, up to rounding.
 */
public interface Session extends AutoCloseable {

  /**
   * Runs tokens behind those already there.
   *
   * @param tokens token ids, as many as you like: they are run in chunks
   * @throws InvalidInputException if an id is outside the vocabulary, or the session is closed
   * @throws ContextOverflowException if they do not fit; then none is appended
   * @throws CancelledException if the session is closed meanwhile
   * @throws BackendException if memory is exhausted; then none is appended
   */
  void append(int... tokens);

  /**
   * Runs tokens behind those already there, and hands out the logits behind each of them: for
   * scoring text.
   *
   * @param tokens token ids
   * @param consumer called for each token, in order, on this thread; of this session's methods it
   *     may call {@link #close()} alone. What it throws ends the call, and none of the tokens is
   *     appended
   * @throws LlamaException as {@link #append(int...)}
   */
  void append(int[] tokens, LogitsConsumer consumer);

  /**
   * Returns the scores of every possible next token.
   *
   * @return raw scores before softmax, [vocabulary size]; a new array
   * @throws InvalidInputException if the session is empty or closed
   */
  float[] logits();

  /**
   * Continues a text. A generation of this session that has not ended is cancelled. In an empty
   * session the prompt is preceded by the tokenizer's beginning of text, if the tokenizer asks for
   * it. Special tokens in the prompt are ordinary text; use {@link #generate(int[],
   * GenerationOptions)} with {@link Tokenizer#encode(CharSequence, Specials)} or {@link
   * Tokenizer#encodeChat} where that is not wanted.
   *
   * @param prompt any text; may be empty if the session holds tokens or the tokenizer adds a
   *     beginning of text
   * @param options how to choose tokens and when to stop
   * @return the tokens as they are produced; nothing runs before it is iterated
   * @throws ContextOverflowException if the prompt alone does not fit
   * @throws InvalidInputException if there is nothing to continue, or the session is closed
   * @throws FormatException if the model has no tokenizer
   */
  Generation generate(CharSequence prompt, GenerationOptions options);

  /**
   * Continues a sequence of tokens, which are taken as they are. A generation of this session that
   * has not ended is cancelled.
   *
   * @param prompt token ids; may be empty if the session holds tokens
   * @param options how to choose tokens and when to stop
   * @return the tokens as they are produced; nothing runs before it is iterated
   * @throws ContextOverflowException if the prompt alone does not fit
   * @throws InvalidInputException if there is nothing to continue, an id is outside the vocabulary,
   *     or the session is closed
   */
  Generation generate(int[] prompt, GenerationOptions options);

  /**
   * Returns how many tokens the session holds.
   *
   * @return the position of the next token
   */
  int position();

  /**
   * Returns how many tokens the session can hold.
   *
   * @return positions
   */
  int contextSize();

  /**
   * Returns the tokens that the session holds.
   *
   * @return a new array of {@link #position()} ids
   */
  int[] tokens();

  /**
   * Forgets the tokens from a position on. What follows is exactly what would have followed had
   * they never been there; the {@link #logits()} are those behind the last token that is left.
   *
   * @param position in [0, {@link #position()}]
   * @throws InvalidInputException if it is out of range, or the session is closed
   */
  void rewind(int position);

  /**
   * Returns a second session with the same tokens, independent from now on. Both share the memory
   * of what they have in common.
   *
   * @return a new session; close it as any other
   * @throws InvalidInputException if the session is closed
   */
  Session fork();

  /**
   * Gives the memory back. Idempotent, and safe at any time from any thread: a running generation
   * ends with {@link FinishReason#CANCELLED}.
   */
  @Override
  void close();
}
