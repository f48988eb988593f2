package dev.llama.sentencepiece;

import dev.llama.FormatException;
import dev.llama.sentencepiece.Definition.AddedToken;
import dev.llama.sentencepiece.Definition.Ends;
import dev.llama.sentencepiece.Definition.Normalization;
import dev.llama.sentencepiece.Definition.Piece;
import dev.llama.sentencepiece.Definition.Prefix;
import dev.llama.sentencepiece.Definition.Surface;
import dev.llama.sentencepiece.Definition.Type;
import dev.llama.sentencepiece.Definition.Unknown;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads the vocabulary of a GGUF file whose {@code tokenizer.ggml.model} is {@code "llama"}. What
 * the file leaves out has the values that llama.cpp assumes for this kind.
 */
final class GgufReader {
  private static final String PREFIX = "tokenizer.ggml.";

  /** Tokens other than the end of text at which a model stops. */
  private static final String[] STOPS = {"eot_token_id", "eom_token_id"};

  private final Path origin;
  private final Map<String, Object> metadata;

  private GgufReader(Path origin, Map<String, Object> metadata) {
    this.origin = origin;
    this.metadata = metadata;
  }

  /**
   * Returns whether the vocabulary is of the SentencePiece kind.
   *
   * @param metadata the file's keys
   */
  static boolean recognises(Map<String, Object> metadata) {
    return "llama".equals(metadata.get(PREFIX + "model"));
  }

  /**
   * Reads a vocabulary.
   *
   * @throws FormatException if it is broken or asks for what is not implemented
   */
  static Definition read(Path origin, Map<String, Object> metadata) {
    return new GgufReader(origin, metadata).definition();
  }

  private Definition definition() {
    List<String> tokens = tokens();
    int size = tokens.size();
    int unknown = id("unknown_token_id", 0, size);
    OptionalInt bos = OptionalInt.of(id("bos_token_id", 1, size));
    OptionalInt eos = OptionalInt.of(id("eos_token_id", 2, size));
    List<Piece> pieces = pieces(tokens, Set.of(unknown), Set.of(bos.getAsInt(), eos.getAsInt()));

    Map<String, Integer> inText = new LinkedHashMap<>();
    List<AddedToken> special = new ArrayList<>();
    boolean byteFallback = false;
    for (int id = 0; id < size; id++) {
      Piece piece = pieces.get(id);
      switch (piece.type()) {
        case UNKNOWN, CONTROL -> special.add(new AddedToken(piece.text(), id, true, false, false));
        case USER_DEFINED -> inText.putIfAbsent(piece.text(), id);
        case BYTE -> byteFallback = true;
        default -> {}
      }
    }
    Set<Integer> stops = new HashSet<>();
    stops.add(eos.getAsInt());
    for (String key : STOPS) {
      if (metadata.containsKey(PREFIX + key)) {
        stops.add(id(key, 0, size));
      }
    }
    if (flag("add_eos_token", false)) {
      log()
          .warn(
              "{}: {}add_eos_token is true; encode adds no token at the end, append eos() yourself",
              origin,
              PREFIX);
    }
    Object charsmap = metadata.get(PREFIX + "precompiled_charsmap");
    if (charsmap != null) {
      throw new FormatException(
          origin, PREFIX + "precompiled_charsmap is present; character rules are not implemented");
    }
    boolean addSpace = flag("add_space_prefix", true);
    boolean removeExtra = flag("remove_extra_whitespaces", false);
    return new Definition(
        origin,
        pieces,
        new int[0],
        inText,
        special,
        new Normalization(addSpace ? Prefix.ALWAYS : Prefix.NONE, removeExtra, false),
        new Unknown(unknown, byteFallback, true),
        new Surface(" \u2047 ", addSpace || removeExtra, removeExtra),
        new Ends(bos, eos, Set.copyOf(stops), flag("add_bos_token", true)));
  }

  private List<String> tokens() {
    Object value = metadata.get(PREFIX + "tokens");
    if (!(value instanceof List<?> list) || list.isEmpty()) {
      throw wrong("tokens", value, "a list of texts");
    }
    List<String> tokens = new ArrayList<>(list.size());
    for (Object token : list) {
      if (!(token instanceof String text)) {
        throw wrong("tokens[" + tokens.size() + "]", token, "a text");
      }
      tokens.add(text);
    }
    return tokens;
  }

  /** Joins texts, scores and types; without types, they follow from the texts and the ids. */
  private List<Piece> pieces(List<String> tokens, Set<Integer> unknown, Set<Integer> control) {
    float[] scores = scores(tokens.size());
    Object types = metadata.get(PREFIX + "token_type");
    if (types != null && !(types instanceof int[])) {
      throw wrong("token_type", types, "a list of integers");
    }
    int[] numbers = (int[]) types;
    if (numbers != null && numbers.length != tokens.size()) {
      throw wrong(
          "token_type", numbers.length + " numbers", tokens.size() + ", one for each token");
    }
    List<Piece> pieces = new ArrayList<>(tokens.size());
    for (int id = 0; id < tokens.size(); id++) {
      Type type;
      if (numbers != null) {
        type = Type.of(numbers[id]);
        if (type == null) {
          throw wrong("token_type[" + id + "]", numbers[id], "0 to 6");
        }
      } else if (Piece.byteValue(tokens.get(id)) >= 0) {
        type = Type.BYTE;
      } else {
        type =
            unknown.contains(id) ? Type.UNKNOWN : control.contains(id) ? Type.CONTROL : Type.NORMAL;
      }
      pieces.add(new Piece(tokens.get(id), scores[id], type));
    }
    return pieces;
  }

  private float[] scores(int size) {
    Object value = metadata.get(PREFIX + "scores");
    if (!(value instanceof float[] scores)) {
      throw wrong("scores", value, "a list of float32 numbers");
    }
    if (scores.length != size) {
      throw wrong("scores", scores.length + " numbers", size + ", one for each token");
    }
    for (int id = 0; id < size; id++) {
      if (Float.isNaN(scores[id])) {
        throw wrong("scores[" + id + "]", scores[id], "a number");
      }
    }
    return scores;
  }

  private int id(String key, int absent, int size) {
    Object value = metadata.getOrDefault(PREFIX + key, (long) absent);
    if (!(value instanceof Long number) || number < 0 || number >= size) {
      throw wrong(key, value, "an id from 0 to " + (size - 1));
    }
    return number.intValue();
  }

  private boolean flag(String key, boolean absent) {
    Object value = metadata.getOrDefault(PREFIX + key, absent);
    if (!(value instanceof Boolean flag)) {
      throw wrong(key, value, "true or false");
    }
    return flag;
  }

  private FormatException wrong(String key, Object found, String expected) {
    String shown = String.valueOf(found);
    if (found == null) {
      shown = "missing";
    } else if (found instanceof List || found.getClass().isArray()) {
      shown = "a list of other contents";
    }
    return new FormatException(origin, PREFIX + key + " is " + shown + ", expected " + expected);
  }

  /** Not a field: what logs nothing need not start the logging of the application. */
  private static Logger log() {
    return LoggerFactory.getLogger(GgufReader.class);
  }
}
