package dev.llama.train;

import dev.llama.DType;
import dev.llama.InvalidInputException;
import dev.llama.ModelConfig;
import dev.llama.Tokenizer;
import dev.llama.core.config.ConfigReader;
import dev.llama.core.config.ConfigWriter;
import dev.llama.core.json.Json;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.TreeSet;
import java.util.function.IntPredicate;

/** Changes to architectures, by the names of config.json. */
final class Configs {
  private static final Path ORIGIN = Path.of("config.json");

  private Configs() {}

  /**
   * Returns an architecture with other values in some fields.
   *
   * @param changes names and values as in config.json; {@code null} for none
   */
  static ModelConfig with(ModelConfig config, Map<String, Object> changes) {
    Map<String, Object> fields = new LinkedHashMap<>(Json.parseObject(ORIGIN, json(config)));
    fields.putAll(changes);
    return ConfigReader.parse(ORIGIN, Json.write(fields).getBytes(StandardCharsets.UTF_8));
  }

  private static byte[] json(ModelConfig config) {
    return ConfigWriter.toJson(config).getBytes(StandardCharsets.UTF_8);
  }

  /** What a checkpoint's config.json says, in a form that transformers takes. */
  static byte[] saved(ModelConfig config, DType type) {
    Map<String, Object> changes = new LinkedHashMap<>();
    String dtype =
        switch (type) {
          case F32 -> "float32";
          case BF16 -> "bfloat16";
          case F16 -> "float16";
          default -> throw new InvalidInputException("weights cannot be saved as " + type);
        };
    changes.put("torch_dtype", dtype);
    if (config.architectures().isEmpty()) {
      boolean mistral = config.modelType().equals("mistral");
      changes.put("architectures", List.of(mistral ? "MistralForCausalLM" : "LlamaForCausalLM"));
    }
    return json(with(config, changes));
  }

  /**
   * Fits an architecture to a vocabulary.
   *
   * @param config the architecture
   * @param tokenizer or {@code null}
   * @param wanted number of ids; 0 for as many as the tokenizer has
   * @param pretrained whether there are weights whose ids have a meaning
   * @param notices is told every change
   * @throws InvalidInputException if ids that are in use would have no embedding
   */
  static ModelConfig fit(
      ModelConfig config,
      Tokenizer tokenizer,
      int wanted,
      boolean pretrained,
      List<String> notices) {
    int needed = tokenizer == null ? 1 : tokenizer.vocabularySize();
    int size = wanted != 0 ? wanted : tokenizer == null ? config.vocabSize() : needed;
    if (size < needed) {
      throw new InvalidInputException(
          "vocab_size " + size + " is below the " + needed + " ids of the tokenizer");
    }
    Map<String, Object> changes = new LinkedHashMap<>();
    if (tokenizer != null && !pretrained) {
      putTokens(changes, config, tokenizer, notices);
    }
    if (size != config.vocabSize()) {
      changes.put("vocab_size", size);
      notices.add(
          "vocab_size is "
              + size
              + " instead of "
              + config.vocabSize()
              + (wanted != 0 ? ", as asked for" : ", as many ids as the tokenizer has")
              + (pretrained && size > config.vocabSize() ? "; the new rows are random" : ""));
    }
    ModelConfig fitted = changes.isEmpty() ? config : with(config, changes);
    if (fitted.vocabSize() < config.vocabSize()) {
      requireIds(fitted);
    }
    return fitted;
  }

  /**
   * A new model begins and ends texts with the tokens that its tokenizer says. Where that says
   * nothing, as a vocabulary of plain bytes does, those of the configuration stay.
   */
  private static void putTokens(
      Map<String, Object> changes, ModelConfig config, Tokenizer tokenizer, List<String> notices) {
    IntPredicate known = id -> id < tokenizer.vocabularySize();
    OptionalInt ownBos = tokenizer.bos().isPresent() ? tokenizer.bos() : config.bosTokenId();
    Integer bos = ownBos.isPresent() && known.test(ownBos.getAsInt()) ? ownBos.getAsInt() : null;
    Collection<Integer> ownEos =
        tokenizer.stopIds().isEmpty() ? config.eosTokenIds() : tokenizer.stopIds();
    List<Integer> eos = new ArrayList<>(new TreeSet<>(ownEos));
    eos.removeIf(id -> !known.test(id));
    boolean sameBos = config.bosTokenId().equals(optional(bos));
    if (!sameBos || !new TreeSet<>(config.eosTokenIds()).equals(new TreeSet<>(eos))) {
      changes.put("bos_token_id", bos);
      changes.put("eos_token_id", eos.isEmpty() ? null : eos.size() == 1 ? eos.get(0) : eos);
      notices.add(
          "bos_token_id is " + bos + " and eos_token_id " + eos + ", as the tokenizer says");
    }
    if (config.padTokenId().isPresent() && !known.test(config.padTokenId().getAsInt())) {
      changes.put("pad_token_id", null);
      notices.add("pad_token_id " + config.padTokenId().getAsInt() + " is not in the vocabulary");
    }
  }

  private static OptionalInt optional(Integer id) {
    return id == null ? OptionalInt.empty() : OptionalInt.of(id);
  }

  private static void requireIds(ModelConfig config) {
    List<Integer> used = new ArrayList<>(config.eosTokenIds());
    config.bosTokenId().ifPresent(used::add);
    config.padTokenId().ifPresent(used::add);
    for (int id : used) {
      if (id >= config.vocabSize()) {
        throw new InvalidInputException(
            "vocab_size "
                + config.vocabSize()
                + " leaves no room for token "
                + id
                + ", which bos_token_id, eos_token_id or pad_token_id names");
      }
    }
  }
}
