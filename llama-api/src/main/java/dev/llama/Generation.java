package dev.llama;

import java.util.Iterator;
import java.util.Optional;

/**
 * The tokens that a session produces for one prompt, as they are produced.
 *
 * <p>Nothing runs until the first call of the iterator's {@code hasNext} or {@code next}; then each
 * call runs what the next token needs, on the calling thread. There is one iteration: {@link
 * #iterator()} returns the same iterator every time. {@link #cancel()} and {@link #close()} may be
 * called from any thread, everything else from the thread that iterates.
 *
 * <p>When the iteration has ended, the session stands behind the last token produced (a stop token
 * included), ready for more.
 */
public interface Generation extends Iterable<GeneratedToken>, AutoCloseable {

  /**
   * Returns the one iterator over the tokens. {@code hasNext} and {@code next} throw what {@link
   * Session#append(int...)} throws; any exception ends the generation. Stop tokens are part of the
   * iteration, with empty text.
   *
   * @return the same iterator at every call
   */
  @Override
  Iterator<GeneratedToken> iterator();

  /**
   * Runs to the end and returns the whole text.
   *
   * @return {@link #text()} of the finished generation
   */
  default String complete() {
    for (Iterator<GeneratedToken> tokens = iterator(); tokens.hasNext(); ) {
      tokens.next();
    }
    return text();
  }

  /**
   * Returns the text so far. While running it is what the tokens returned so far carried; once
   * finished or cancelled it is the whole, with a character that was cut off at the very end as
   * U+FFFD. A stop string is not part of it.
   *
   * @return text, never broken inside a character
   */
  String text();

  /**
   * Asks the generation to end. It takes effect before the next token or, in a prompt, before the
   * next prefill chunk; the iteration then ends without an exception. The session remains usable; a
   * prompt that was cut off is rewound.
   */
  void cancel();

  /**
   * Returns why the generation ended; {@link FinishReason#CANCELLED} also if an exception ended it.
   *
   * @return empty while it runs
   */
  Optional<FinishReason> finishReason();

  /**
   * Returns the stop string that ended the generation.
   *
   * @return empty unless one did
   */
  Optional<String> stopString();

  /**
   * Returns the seed in use, also when it was chosen at random.
   *
   * @return with the same seed, options and prompt, the same text
   */
  long seed();

  /**
   * Returns token counts and times so far.
   *
   * @return a snapshot
   */
  Usage usage();

  /** Cancels if still running. Idempotent. The session remains open. */
  @Override
  void close();
}
