package dev.llama.core.config;

import dev.llama.FormatException;
import dev.llama.GenerationOptions;
import dev.llama.InvalidInputException;
import dev.llama.core.json.Fields;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads generation_config.json. Settings that would change the output and are not implemented are
 * reported together, once; settings that leave it alone are passed over.
 */
public final class GenerationConfigReader {
  private static final Logger LOG = LoggerFactory.getLogger(GenerationConfigReader.class);

  private static final String NAME = "generation_config.json";
  private static final long MAX_BYTES = 16 << 20;

  /** Settings that are not implemented, and the number with which they change nothing. */
  private static final Map<String, Double> NOT_IMPLEMENTED = notImplemented();

  private GenerationConfigReader() {}

  private static Map<String, Double> notImplemented() {
    Map<String, Double> neutral = new LinkedHashMap<>();
    neutral.put("num_beams", 1.0);
    neutral.put("num_beam_groups", 1.0);
    neutral.put("num_return_sequences", 1.0);
    neutral.put("diversity_penalty", 0.0);
    neutral.put("penalty_alpha", 0.0);
    neutral.put("dola_layers", null);
    neutral.put("typical_p", 1.0);
    neutral.put("epsilon_cutoff", 0.0);
    neutral.put("eta_cutoff", 0.0);
    neutral.put("top_h", null);
    neutral.put("no_repeat_ngram_size", 0.0);
    neutral.put("encoder_no_repeat_ngram_size", 0.0);
    neutral.put("encoder_repetition_penalty", 1.0);
    neutral.put("bad_words_ids", null);
    neutral.put("force_words_ids", null);
    neutral.put("constraints", null);
    neutral.put("sequence_bias", null);
    neutral.put("begin_suppress_tokens", null);
    neutral.put("forced_bos_token_id", null);
    neutral.put("forced_eos_token_id", null);
    neutral.put("exponential_decay_length_penalty", null);
    neutral.put("min_length", 0.0);
    neutral.put("min_new_tokens", 0.0);
    neutral.put("guidance_scale", 1.0);
    neutral.put("watermarking_config", null);
    neutral.put("max_time", null);
    return neutral;
  }

  /**
   * Reads the generation_config.json of a model, if it has one.
   *
   * @param folder the model
   * @return empty if there is no such file
   * @throws FormatException if the file is broken
   */
  public static Optional<GenerationConfig> find(Path folder) {
    Path file = folder.resolve(NAME);
    return Files.exists(file) ? Optional.of(read(file)) : Optional.empty();
  }

  /**
   * Reads a generation_config.json.
   *
   * @param file the file
   * @return its recommendations, all of them in range
   * @throws FormatException if the file is missing or broken
   */
  public static GenerationConfig read(Path file) {
    Fields fields = Fields.read(file, MAX_BYTES);
    GenerationConfig config =
        new GenerationConfig(
            fields.optionalBoolean("do_sample"),
            fields.optionalDouble("temperature"),
            fields.optionalInt("top_k"),
            fields.optionalDouble("top_p"),
            fields.optionalDouble("min_p"),
            fields.optionalDouble("repetition_penalty"),
            fields.optionalInt("max_new_tokens"),
            fields.optionalInt("max_length"),
            TokenIds.optional(fields, "bos_token_id"),
            TokenIds.list(fields, "eos_token_id"),
            TokenIds.optional(fields, "pad_token_id"),
            fields.strings("stop_strings"),
            TokenIds.list(fields, "suppress_tokens"));
    try {
      config.apply(GenerationOptions.defaults());
    } catch (InvalidInputException e) {
      throw new FormatException(file, e.getMessage(), e);
    }
    report(fields);
    return config;
  }

  private static void report(Fields fields) {
    List<String> ignored = new ArrayList<>();
    NOT_IMPLEMENTED.forEach(
        (name, neutral) -> {
          Object value = fields.get(name);
          boolean same =
              value instanceof Number n && Double.valueOf(n.doubleValue()).equals(neutral);
          if (value != null && !same && !value.equals(List.of())) {
            ignored.add(name);
          }
        });
    if (!ignored.isEmpty()) {
      LOG.warn(
          "{}: {} are not implemented; output differs from what the file asks for",
          fields.file(),
          ignored);
    }
  }
}
