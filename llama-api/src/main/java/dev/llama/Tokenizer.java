package dev.llama;

import dev.llama.spi.ModelLoader;
import dev.llama.spi.Providers;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;

/**
 * Text to token ids and back. Immutable and safe for use by many threads at once.
 *
 * <p>An unpaired surrogate in the text counts as U+FFFD. Applications may implement this interface
 * themselves and pass it by {@link ModelOptions#tokenizer(Tokenizer)}.
 */
public interface Tokenizer {

  /**
   * Reads a tokenizer.
   *
   * @param path a tokenizer file ({@code tokenizer.model} of tiktoken or SentencePiece, {@code
   *     tokenizer.json}, {@code .gguf}) or a folder that holds one
   * @return the tokenizer
   * @throws FormatException if the file is missing, broken or of an unknown kind
   */
  static Tokenizer load(Path path) {
    return load(path, TokenizerOptions.defaults());
  }

  /**
   * Reads a tokenizer, with what the file leaves open.
   *
   * @param path a tokenizer file or a folder that holds one
   * @param options split pattern, special tokens
   * @return the tokenizer
   * @throws FormatException if the file is missing, broken or of an unknown kind
   */
  static Tokenizer load(Path path, TokenizerOptions options) {
    return Providers.require(ModelLoader.class).loadTokenizer(path, options);
  }

  /**
   * Encodes ordinary text. Never yields a special token, and adds none at either end.
   *
   * @param text any text
   * @return token ids
   */
  default int[] encode(CharSequence text) {
    return encode(text, Specials.NONE);
  }

  /**
   * Encodes text in which the text of some special tokens stands for those tokens. Adds none at
   * either end.
   *
   * @param text any text
   * @param specials the special tokens to recognise
   * @return token ids
   * @throws InvalidInputException if {@code specials} names a token that the vocabulary does not
   *     have
   */
  int[] encode(CharSequence text, Specials specials);

  /**
   * Encodes a dialog in the layout that the model was trained on, beginning of text included. Roles
   * and contents are encoded as ordinary text.
   *
   * @param messages the dialog so far
   * @param addGenerationPrompt whether to open a message of the assistant at the end
   * @return token ids
   * @throws InvalidInputException if this vocabulary has no chat layout
   */
  default int[] encodeChat(List<ChatMessage> messages, boolean addGenerationPrompt) {
    throw new InvalidInputException(
        "this vocabulary has no chat layout; encode the dialog as the model's card describes it");
  }

  /**
   * Decodes token ids. Bytes that are no valid UTF-8 become U+FFFD. Special tokens give their text,
   * unless the vocabulary's own library leaves them out (SentencePiece).
   *
   * @param ids token ids
   * @return text
   * @throws InvalidInputException if an id is not in the vocabulary
   */
  String decode(int... ids);

  /**
   * Decodes token ids to the bytes they stand for, complete characters or not.
   *
   * @param ids token ids
   * @return UTF-8, as far as the tokens are
   * @throws InvalidInputException if an id is not in the vocabulary
   */
  byte[] decodeBytes(int... ids);

  /**
   * Returns a decoder for tokens that arrive one at a time. What it returns for a sequence adds up
   * to {@link #decode} of that sequence without its control tokens. To continue a text, feed it the
   * last tokens of that text first and ignore what it returns for them.
   *
   * @return a new decoder, for one thread
   */
  Decoder newDecoder();

  /**
   * Returns how one token is written in the vocabulary: for display, not for joining to text.
   *
   * @param id token id
   * @return readable form, for instance {@code "▁the"} or {@code "<0x0A>"}
   * @throws InvalidInputException if the id is not in the vocabulary
   */
  String piece(int id);

  /**
   * Returns the number of ids, special tokens included.
   *
   * @return ids run from 0 to this number, exclusive
   */
  int vocabularySize();

  /**
   * Returns the token that begins a text.
   *
   * @return empty if the vocabulary has none
   */
  OptionalInt bos();

  /**
   * Returns the token that ends a text.
   *
   * @return empty if the vocabulary has none
   */
  OptionalInt eos();

  /**
   * Returns the tokens at which a model with this vocabulary stops: end of text and, if there is
   * one, end of turn and end of message.
   *
   * @return token ids
   */
  Set<Integer> stopIds();

  /**
   * Returns whether a prompt is to begin with {@link #bos()}.
   *
   * @return what the tokenizer's file or format says
   */
  boolean addsBos();

  /**
   * Returns all special tokens.
   *
   * @return text and id
   */
  Map<String, Integer> specialTokens();

  /** Turns tokens into text one by one, whole characters at a time. For one thread. */
  interface Decoder {
    /**
     * Adds a token.
     *
     * @param id token id
     * @return the text that is now complete, possibly empty
     * @throws InvalidInputException if the id is not in the vocabulary
     */
    String append(int id);

    /**
     * Ends the text: bytes of a character that was never completed become U+FFFD. The decoder is
     * then as new.
     *
     * @return the rest of the text, possibly empty
     */
    String flush();
  }
}
