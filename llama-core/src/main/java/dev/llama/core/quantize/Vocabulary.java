package dev.llama.core.quantize;

import dev.llama.FormatException;
import dev.llama.ModelConfig;
import dev.llama.core.files.GgufWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The vocabulary of a model as a GGUF file has it. Readers take the number of tokens for the number
 * of rows of the embedding, so that the list is filled up or cut to it.
 */
final class Vocabulary {
  private static final Logger LOG = LoggerFactory.getLogger(Vocabulary.class);
  private static final String PREFIX = "tokenizer.ggml.";
  private static final String TOKENS = PREFIX + "tokens";
  private static final String TYPES = PREFIX + "token_type";
  private static final String SCORES = PREFIX + "scores";

  /** Types of tokens that text is made of. */
  private static final int NORMAL = 1;

  private static final int BYTE = 6;
  private static final int UNUSED = 5;

  /** As llama.cpp's converter has it for tokens that fill up. */
  private static final float UNUSED_SCORE = -1000;

  /** Where further tokens that end an answer can be put. */
  private static final List<String> STOPS = List.of("eos", "eot", "eom");

  private Vocabulary() {}

  /**
   * Writes a vocabulary.
   *
   * @param path the model, for messages
   * @param config number of tokens, and the tokens around a text where the tokenizer has none
   * @param vocabulary metadata of the tokenizer; empty: the model has none
   * @param stops tokens at which generation ends
   */
  static void write(
      Path path,
      ModelConfig config,
      Map<String, Object> vocabulary,
      List<Integer> stops,
      GgufWriter writer) {
    Map<String, Object> metadata = new LinkedHashMap<>(vocabulary);
    if (vocabulary.isEmpty()) {
      LOG.warn("{}: has no tokenizer; the new file takes and gives token ids alone", path);
      metadata.put(PREFIX + "model", "none"); // llama.cpp's word for it
    } else {
      fit(path, config.vocabSize(), metadata);
    }
    config.bosTokenId().ifPresent(id -> metadata.putIfAbsent(PREFIX + "bos_token_id", (long) id));
    config
        .padTokenId()
        .ifPresent(id -> metadata.putIfAbsent(PREFIX + "padding_token_id", (long) id));
    stops(path, stops, metadata);
    metadata
        .entrySet()
        .removeIf(
            entry ->
                entry.getKey().endsWith("_token_id")
                    && (long) entry.getValue() >= config.vocabSize());
    metadata.forEach((key, value) -> put(writer, key, value));
  }

  private static void fit(Path path, int size, Map<String, Object> metadata) {
    List<String> tokens = new ArrayList<>();
    for (Object token : (List<?>) metadata.get(TOKENS)) {
      tokens.add((String) token);
    }
    int[] types = (int[]) metadata.get(TYPES);
    int had = tokens.size();
    for (int id = size; id < had; id++) {
      if (types[id] == NORMAL || types[id] == BYTE) {
        throw new FormatException(
            path,
            "the tokenizer has "
                + had
                + " tokens, the model's vocab_size is "
                + size
                + "; expected at most as many: they are not of the same model");
      }
    }
    if (had > size) {
      LOG.warn("{}: {} tokens beyond the model's {} are left out", path, had - size, size);
      tokens.subList(size, had).clear();
    }
    for (int id = had; id < size; id++) {
      tokens.add("[PAD" + id + "]");
    }
    types = Arrays.copyOf(types, size);
    Arrays.fill(types, Math.min(had, size), size, UNUSED);
    metadata.put(TOKENS, tokens);
    metadata.put(TYPES, types);
    if (metadata.get(SCORES) instanceof float[] scores) {
      float[] fitting = Arrays.copyOf(scores, size);
      Arrays.fill(fitting, Math.min(had, size), size, UNUSED_SCORE);
      metadata.put(SCORES, fitting);
    }
  }

  /** Puts tokens that end an answer where there is room: GGUF has a key for each of three kinds. */
  private static void stops(Path path, List<Integer> ids, Map<String, Object> metadata) {
    for (int id : ids) {
      boolean known = false;
      String free = null;
      for (String name : STOPS) {
        Object taken = metadata.get(PREFIX + name + "_token_id");
        known |= Long.valueOf(id).equals(taken);
        free = free == null && taken == null ? PREFIX + name + "_token_id" : free;
      }
      if (!known && free != null) {
        metadata.put(free, (long) id);
      } else if (!known) {
        LOG.warn("{}: GGUF has no place for token {}, at which generation should end", path, id);
      }
    }
  }

  private static void put(GgufWriter writer, String key, Object value) {
    if (value instanceof String text) {
      writer.put(key, text);
    } else if (value instanceof Boolean flag) {
      writer.put(key, (boolean) flag);
    } else if (value instanceof Long number) {
      writer.put(key, Math.toIntExact(number));
    } else if (value instanceof int[] ints) {
      writer.put(key, ints);
    } else if (value instanceof float[] floats) {
      writer.put(key, floats);
    } else {
      @SuppressWarnings("unchecked") // what TokenizerProvider.ggufMetadata promises
      List<String> texts = (List<String>) value;
      writer.put(key, texts);
    }
  }
}
