package dev.llama.sentencepiece;

import dev.llama.FormatException;
import dev.llama.InvalidInputException;
import dev.llama.TokenizerOptions;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeMap;

/**
 * Everything that a tokenizer file says, in one form for all formats.
 *
 * @param origin the file, for messages
 * @param pieces the vocabulary; the index is the token id
 * @param merges for Hugging Face files the merge rules, three ids each (left, right, result), best
 *     first; empty: any two pieces whose text together is a piece merge, best score first
 * @param inText texts that always become one token, as they look after normalization, and their ids
 * @param added tokens found in the raw text, before normalization
 * @param normalization what is done to a text before it is cut into pieces
 * @param unknown what becomes of characters that are no piece
 * @param surface how tokens become text
 * @param ends the tokens around a text
 */
record Definition(
    Path origin,
    List<Piece> pieces,
    int[] merges,
    Map<String, Integer> inText,
    List<AddedToken> added,
    Normalization normalization,
    Unknown unknown,
    Surface surface,
    Ends ends) {

  /** What SentencePiece writes for a space. */
  static final char META_SPACE = '\u2581';

  /** Kinds of pieces, in the order of the numbers that SentencePiece and GGUF files use. */
  enum Type {
    UNDEFINED,
    NORMAL,
    UNKNOWN,
    CONTROL,
    USER_DEFINED,
    UNUSED,
    BYTE;

    /** The type of a file's number, or null. */
    static Type of(long number) {
      return number >= 0 && number <= 6 ? values()[(int) number] : null;
    }
  }

  /**
   * One entry of the vocabulary.
   *
   * @param text as the file writes it, with U+2581 for spaces
   * @param score priority of merges that end in this piece; higher merges first
   */
  record Piece(String text, float score, Type type) {
    /**
     * Returns the value of a byte piece.
     *
     * @return 0 to 255, or -1 if the text is not of the form {@code <0x0A>}
     */
    static int byteValue(String text) {
      if (text.length() != 6 || !text.startsWith("<0x") || text.charAt(5) != '>') {
        return -1;
      }
      int high = Character.digit(text.charAt(3), 16);
      int low = Character.digit(text.charAt(4), 16);
      return high < 0 || low < 0 ? -1 : high << 4 | low;
    }
  }

  /**
   * A token that is looked for in the raw text.
   *
   * @param special found only where the caller asks for it; otherwise always
   * @param stripLeft the token takes the white space before it along
   * @param stripRight the token takes the white space behind it along
   */
  record AddedToken(String text, int id, boolean special, boolean stripLeft, boolean stripRight) {}

  /** Where a space is put before a text. */
  enum Prefix {
    /** Nowhere. */
    NONE,
    /** Before every stretch of text: at the start and after each special token. */
    ALWAYS,
    /** The same, unless the stretch begins with a space. */
    UNLESS_SPACE,
    /** At the start of the whole text alone, unless it begins with a space. */
    FIRST_UNLESS_SPACE
  }

  /**
   * What is done to a text before it is cut into pieces.
   *
   * @param removeExtraSpaces spaces are dropped at both ends and joined in between
   * @param splitAtSpaces no piece found in text has a space after its first character
   */
  record Normalization(Prefix prefix, boolean removeExtraSpaces, boolean splitAtSpaces) {}

  /**
   * What becomes of characters that are no piece.
   *
   * @param id the unknown token; -1 if there is none, which needs byte fallback
   * @param byteFallback they become the byte pieces of their UTF-8 form instead
   * @param fuse neighbours become one unknown token
   */
  record Unknown(int id, boolean byteFallback, boolean fuse) {}

  /**
   * How tokens become text.
   *
   * @param unknown text of the unknown token
   * @param dropLeadingSpace one space at the start of a text is left out
   * @param dropLeadingSpaces the same for every piece until there is text
   */
  record Surface(String unknown, boolean dropLeadingSpace, boolean dropLeadingSpaces) {}

  /** The tokens around a text. */
  record Ends(OptionalInt bos, OptionalInt eos, Set<Integer> stopIds, boolean addsBos) {}

  /** The special tokens, by text. */
  Map<String, Integer> specialTokens() {
    Map<String, Integer> tokens = new LinkedHashMap<>();
    for (AddedToken token : added) {
      if (token.special()) {
        tokens.putIfAbsent(token.text(), token.id());
      }
    }
    return Collections.unmodifiableMap(tokens);
  }

  /** What the caller knows better than the file. */
  Definition with(TokenizerOptions options) {
    if (options.pattern().isPresent()) {
      throw new InvalidInputException(
          "TokenizerOptions.pattern is "
              + options.pattern().get()
              + ", but the SentencePiece vocabulary of "
              + origin
              + " splits by no pattern; leave it unset");
    }
    List<Piece> allPieces = pieces;
    List<AddedToken> allAdded = added;
    if (!options.specialTokens().isEmpty()) {
      allPieces = new ArrayList<>(pieces);
      allAdded = new ArrayList<>();
      for (AddedToken token : added) {
        if (!token.special()) {
          allAdded.add(token);
        }
      }
      for (Map.Entry<String, Integer> token : new TreeMap<>(options.specialTokens()).entrySet()) {
        allAdded.add(new AddedToken(token.getKey(), token.getValue(), true, false, false));
      }
      append(options.specialTokens(), allPieces);
    }
    OptionalInt bos = options.bos().isPresent() ? options.bos() : ends.bos();
    OptionalInt eos = options.eos().isPresent() ? options.eos() : ends.eos();
    checkId("bos", options.bos(), allPieces.size());
    checkId("eos", options.eos(), allPieces.size());
    Set<Integer> stops =
        options.eos().isPresent() ? Set.of(options.eos().getAsInt()) : ends.stopIds();
    Ends changed = new Ends(bos, eos, stops, ends.addsBos());
    return new Definition(
        origin, allPieces, merges, inText, allAdded, normalization, unknown, surface, changed);
  }

  /** Appends the special tokens whose ids follow those of the file. */
  private static void append(Map<String, Integer> tokens, List<Piece> pieces) {
    TreeMap<Integer, String> byId = new TreeMap<>();
    for (Map.Entry<String, Integer> token : tokens.entrySet()) {
      if (token.getKey().isEmpty()) {
        throw new InvalidInputException("TokenizerOptions.specialTokens holds an empty text");
      }
      byId.put(token.getValue(), token.getKey());
    }
    for (Map.Entry<Integer, String> token : byId.entrySet()) {
      int id = token.getKey();
      if (id < 0 || id > pieces.size()) {
        throw new InvalidInputException(
            "special token "
                + token.getValue()
                + " has id "
                + id
                + "; ids of special tokens are those of the vocabulary or follow it without a gap,"
                + " 0 to "
                + pieces.size());
      }
      if (id == pieces.size()) {
        pieces.add(new Piece(token.getValue(), 0, Type.CONTROL));
      }
    }
  }

  private static void checkId(String name, OptionalInt id, int size) {
    if (id.isPresent() && (id.getAsInt() < 0 || id.getAsInt() >= size)) {
      throw new InvalidInputException(
          "TokenizerOptions."
              + name
              + " is "
              + id.getAsInt()
              + ", the vocabulary has ids 0 to "
              + (size - 1));
    }
  }

  /**
   * Returns the ids of the 256 byte pieces, by byte.
   *
   * @throws FormatException if one is missing
   */
  static int[] bytePieces(Path origin, List<Piece> pieces) {
    int[] ids = new int[256];
    Arrays.fill(ids, -1);
    int found = 0;
    for (int id = 0; id < pieces.size(); id++) {
      Piece piece = pieces.get(id);
      if (piece.type() != Type.BYTE) {
        continue;
      }
      int value = Piece.byteValue(piece.text());
      if (value < 0) {
        throw new FormatException(
            origin, "byte piece " + id + " is \"" + piece.text() + "\", expected <0x00> to <0xFF>");
      }
      if (ids[value] < 0) {
        ids[value] = id;
        found++;
      }
    }
    if (found < 256) {
      throw new FormatException(
          origin, "byte_fallback is true, but there are " + found + " of 256 byte pieces");
    }
    return ids;
  }
}
