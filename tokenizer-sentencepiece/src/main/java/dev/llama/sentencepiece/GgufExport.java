package dev.llama.sentencepiece;

import dev.llama.FormatException;
import dev.llama.sentencepiece.Definition.AddedToken;
import dev.llama.sentencepiece.Definition.Piece;
import dev.llama.sentencepiece.Definition.Prefix;
import dev.llama.sentencepiece.Definition.Type;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Writes a vocabulary as the metadata of a GGUF file, as {@link GgufReader} reads it. */
final class GgufExport {
  private static final Logger LOG = LoggerFactory.getLogger(GgufExport.class);
  private static final String PREFIX = "tokenizer.ggml.";

  /** Score of pieces that no merge leads to, as llama.cpp's converter writes it. */
  private static final float NEVER = -1000;

  private final Definition definition;
  private final int size;

  private GgufExport(Definition definition) {
    this.definition = definition;
    this.size = definition.pieces().size();
  }

  /**
   * Writes a vocabulary.
   *
   * @throws FormatException if it asks for what GGUF cannot say
   */
  static Map<String, Object> of(Definition definition) {
    return new GgufExport(definition).metadata();
  }

  private Map<String, Object> metadata() {
    List<String> tokens = new ArrayList<>(size);
    int[] types = new int[size];
    for (int id = 0; id < size; id++) {
      Piece piece = definition.pieces().get(id);
      tokens.add(piece.text());
      types[id] = piece.type().ordinal();
    }
    for (AddedToken token : definition.added()) {
      if (token.stripLeft() || token.stripRight()) {
        throw broken(
            "the added token \""
                + token.text()
                + "\" takes white space along (lstrip or rstrip), which GGUF cannot say; expected"
                + " neither");
      }
      boolean unknown = types[token.id()] == Type.UNKNOWN.ordinal();
      if (!unknown) {
        types[token.id()] = (token.special() ? Type.CONTROL : Type.USER_DEFINED).ordinal();
      }
      tokens.set(token.id(), token.text());
    }
    Map<String, Object> metadata = new LinkedHashMap<>();
    metadata.put(PREFIX + "model", "llama");
    metadata.put(PREFIX + "pre", "default");
    metadata.put(PREFIX + "tokens", tokens);
    metadata.put(PREFIX + "scores", scores());
    metadata.put(PREFIX + "token_type", types);
    definition.ends().bos().ifPresent(id -> metadata.put(PREFIX + "bos_token_id", (long) id));
    definition.ends().eos().ifPresent(id -> metadata.put(PREFIX + "eos_token_id", (long) id));
    if (definition.unknown().id() >= 0) {
      metadata.put(PREFIX + "unknown_token_id", (long) definition.unknown().id());
    }
    metadata.put(PREFIX + "add_bos_token", definition.ends().addsBos());
    metadata.put(PREFIX + "add_eos_token", false);
    metadata.put(PREFIX + "add_space_prefix", addsSpace());
    if (definition.normalization().removeExtraSpaces()) {
      metadata.put(PREFIX + "remove_extra_whitespaces", true);
    }
    return metadata;
  }

  private boolean addsSpace() {
    Prefix prefix = definition.normalization().prefix();
    if (prefix == Prefix.UNLESS_SPACE || prefix == Prefix.FIRST_UNLESS_SPACE) {
      LOG.warn(
          "{}: a space is put before a text unless it begins with one; GGUF can only say that there"
              + " always is one: text that begins with a space, or follows a special token, gets"
              + " other ids",
          definition.origin());
    }
    return prefix != Prefix.NONE;
  }

  private float[] scores() {
    float[] scores = new float[size];
    for (int id = 0; id < size; id++) {
      scores[id] = definition.pieces().get(id).score();
    }
    return definition.merges().length == 0 ? scores : scoresOfMerges();
  }

  /**
   * The merges of a tokenizer.json as scores: the earlier a piece is made, the higher. Where pieces
   * with scores merge, any two pieces do whose text together is a piece; so the list must have all
   * of these, and those that make the same piece must stand together.
   */
  private float[] scoresOfMerges() {
    int[] merges = definition.merges();
    float[] scores = new float[size];
    Arrays.fill(scores, NEVER);
    Set<Long> pairs = new HashSet<>();
    Set<Integer> made = new HashSet<>();
    int last = -1;
    for (int i = 0; i < merges.length; i += 3) {
      int result = merges[i + 2];
      if (result != last && !made.add(result)) {
        throw unlikeScores("the merges that make \"" + text(result) + "\" do not stand together");
      }
      last = result;
      scores[result] = -made.size();
      pairs.add((long) merges[i] << 32 | merges[i + 1]);
    }
    Map<String, Integer> ids = new HashMap<>();
    for (int id = 0; id < size; id++) {
      if (definition.pieces().get(id).type() == Type.NORMAL) {
        ids.put(text(id), id);
      }
    }
    for (int id = 0; id < size; id++) {
      String text = text(id);
      for (int cut = 1; ids.get(text) != null && cut < text.length(); cut++) {
        Integer left = ids.get(text.substring(0, cut));
        Integer right = ids.get(text.substring(cut));
        if (left != null && right != null && !pairs.contains((long) left << 32 | right)) {
          throw unlikeScores(
              "there is no merge of \"" + text(left) + "\" and \"" + text(right) + "\"");
        }
      }
    }
    return scores;
  }

  private String text(int id) {
    return definition.pieces().get(id).text();
  }

  private FormatException unlikeScores(String problem) {
    return broken(
        problem
            + ", expected merges that follow from scores of pieces, as GGUF has them; put the"
            + " SentencePiece tokenizer.model beside it");
  }

  private FormatException broken(String problem) {
    return new FormatException(definition.origin(), problem);
  }
}
