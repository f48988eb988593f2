package dev.llama.core.config;

import dev.llama.GenerationOptions;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/**
 * What the publisher of a model recommends for generation: generation_config.json. What the file
 * leaves open is absent.
 *
 * @param doSample false for greedy choice
 * @param temperature at least 0
 * @param topK 0 keeps all
 * @param topP in (0, 1]
 * @param minP in [0, 1]
 * @param repetitionPenalty above 0, of all tokens before
 * @param maxNewTokens tokens to generate
 * @param maxLength positions in all, prompt included
 * @param bosTokenId token that begins a text
 * @param eosTokenIds tokens at which the model stops
 * @param padTokenId token that fills up rows
 * @param stopStrings texts at which the generation ends
 * @param suppressTokens tokens that are never chosen
 */
public record GenerationConfig(
    Optional<Boolean> doSample,
    OptionalDouble temperature,
    OptionalInt topK,
    OptionalDouble topP,
    OptionalDouble minP,
    OptionalDouble repetitionPenalty,
    OptionalInt maxNewTokens,
    OptionalInt maxLength,
    OptionalInt bosTokenId,
    List<Integer> eosTokenIds,
    OptionalInt padTokenId,
    List<String> stopStrings,
    List<Integer> suppressTokens) {

  /** Copies the lists. */
  public GenerationConfig {
    eosTokenIds = List.copyOf(eosTokenIds);
    stopStrings = List.copyOf(stopStrings);
    suppressTokens = List.copyOf(suppressTokens);
  }

  /**
   * Sets what the file recommends. The ids in {@link #eosTokenIds()} are the model's own stop
   * tokens and not part of the options; {@code max_length} bounds the new tokens from above, as the
   * length of the prompt is not known here.
   *
   * @param defaults what holds where the file says nothing
   * @return changed options
   * @throws dev.llama.InvalidInputException if the file's values are out of range
   */
  public GenerationOptions apply(GenerationOptions defaults) {
    GenerationOptions options = defaults;
    if (temperature.isPresent()) {
      options = options.temperature((float) temperature.getAsDouble());
    }
    if (topK.isPresent()) {
      options = options.topK(topK.getAsInt());
    }
    if (topP.isPresent()) {
      options = options.topP((float) topP.getAsDouble());
    }
    if (minP.isPresent()) {
      options = options.minP((float) minP.getAsDouble());
    }
    if (!doSample.orElse(true)) {
      options = options.temperature(0);
    }
    if (repetitionPenalty.isPresent()) {
      options =
          options.repetitionPenalty((float) repetitionPenalty.getAsDouble()).penaltyWindow(-1);
    }
    if (maxNewTokens.isPresent()) {
      options = options.maxNewTokens(maxNewTokens.getAsInt());
    } else if (maxLength.isPresent()) {
      options = options.maxNewTokens(Math.min(options.maxNewTokens(), maxLength.getAsInt()));
    }
    if (!stopStrings.isEmpty()) {
      options = options.stopStrings(stopStrings);
    }
    if (!suppressTokens.isEmpty()) {
      Map<Integer, Float> bias = new HashMap<>(options.logitBias());
      suppressTokens.forEach(id -> bias.put(id, Float.NEGATIVE_INFINITY));
      options = options.logitBias(bias);
    }
    return options;
  }
}
