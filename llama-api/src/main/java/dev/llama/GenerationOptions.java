package dev.llama;

import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;

/**
 * How tokens are chosen and when to stop. Immutable: the setters return changed copies.
 *
 * <p>The chain, in this order:
 *
 * <ol>
 *   <li>{@code logitBias} is added to the logits.
 *   <li>Penalties for tokens among the last {@code penaltyWindow} (prompt and generated):
 *       repetition divides positive and multiplies negative logits (Keskar et al. 2019, CTRL,
 *       section 4.1); frequency subtracts its value times the token's count, presence once.
 *   <li>With temperature 0, the token with the largest logit is chosen (the lowest id among
 *       equals), and what follows does not apply.
 *   <li>{@code topK} keeps the k largest logits.
 *   <li>{@code topP} keeps the smallest set of most likely tokens whose probabilities reach p
 *       (Holtzman et al. 2020, section 3.1).
 *   <li>{@code minP} drops tokens less likely than that fraction of the most likely one (Nguyen et
 *       al. 2024).
 *   <li>Logits are divided by {@code temperature}, and one of the tokens left is drawn.
 * </ol>
 *
 * @param temperature 0 is greedy
 * @param topK 0 keeps all
 * @param topP in (0, 1]; 1 keeps all
 * @param minP in [0, 1]; 0 keeps all
 * @param repetitionPenalty above 0; 1 changes nothing
 * @param frequencyPenalty finite; 0 changes nothing
 * @param presencePenalty finite; 0 changes nothing
 * @param penaltyWindow how many last tokens the penalties look at; 0 for none, -1 for all
 * @param logitBias token id to what is added to its logit; negative infinity forbids the token
 * @param seed of the draws; absent: chosen at random, see {@link Generation#seed()}
 * @param maxNewTokens at least 0
 * @param stopStrings the generation ends before the first of these in its text; none is empty
 * @param stopIds tokens that end the generation, besides those of the model
 * @param ignoreModelStops true to go on when the model produces a stop token of its own
 * @param logProbabilities how many alternatives to report with each token: -1 for no
 *     log-probabilities, 0 for that of the chosen token alone
 */
public record GenerationOptions(
    float temperature,
    int topK,
    float topP,
    float minP,
    float repetitionPenalty,
    float frequencyPenalty,
    float presencePenalty,
    int penaltyWindow,
    Map<Integer, Float> logitBias,
    OptionalLong seed,
    int maxNewTokens,
    List<String> stopStrings,
    Set<Integer> stopIds,
    boolean ignoreModelStops,
    int logProbabilities) {

  private static final GenerationOptions DEFAULTS =
      new GenerationOptions(
          0.8f,
          40,
          0.95f,
          0.05f,
          1,
          0,
          0,
          64,
          Map.of(),
          OptionalLong.empty(),
          Integer.MAX_VALUE,
          List.of(),
          Set.of(),
          false,
          -1);

  /** Checks every range. */
  public GenerationOptions {
    check(temperature >= 0 && temperature <= Float.MAX_VALUE, "temperature", temperature, ">= 0");
    check(topK >= 0, "topK", topK, ">= 0");
    check(topP > 0 && topP <= 1, "topP", topP, "in (0, 1]");
    check(minP >= 0 && minP <= 1, "minP", minP, "in [0, 1]");
    check(
        repetitionPenalty > 0 && repetitionPenalty <= Float.MAX_VALUE,
        "repetitionPenalty",
        repetitionPenalty,
        "> 0");
    check(Float.isFinite(frequencyPenalty), "frequencyPenalty", frequencyPenalty, "finite");
    check(Float.isFinite(presencePenalty), "presencePenalty", presencePenalty, "finite");
    check(penaltyWindow >= -1, "penaltyWindow", penaltyWindow, ">= -1");
    check(maxNewTokens >= 0, "maxNewTokens", maxNewTokens, ">= 0");
    check(logProbabilities >= -1, "logProbabilities", logProbabilities, ">= -1");
    logitBias = Map.copyOf(logitBias);
    stopStrings = List.copyOf(stopStrings);
    stopIds = Set.copyOf(stopIds);
    for (Map.Entry<Integer, Float> bias : logitBias.entrySet()) {
      check(
          bias.getKey() >= 0 && bias.getValue() < Float.POSITIVE_INFINITY,
          "logitBias",
          bias,
          "id >= 0 and a number below infinity");
    }
    for (String stop : stopStrings) {
      check(!stop.isEmpty(), "stopStrings", stopStrings, "without the empty string");
    }
  }

  private static void check(boolean ok, String name, Object value, String expected) {
    if (!ok) {
      throw new InvalidInputException(name + " is " + value + ", expected " + expected);
    }
  }

  /**
   * Sampling with temperature 0.8, top-k 40, top-p 0.95 and min-p 0.05, until the model stops or
   * the context is full.
   *
   * @return options
   */
  public static GenerationOptions defaults() {
    return DEFAULTS;
  }

  /**
   * The most likely token at every step.
   *
   * @return options with temperature 0
   */
  public static GenerationOptions greedy() {
    return DEFAULTS.temperature(0);
  }

  /**
   * Sets the temperature.
   *
   * @param temperature 0 is greedy
   * @return changed options
   */
  public GenerationOptions temperature(float temperature) {
    return new GenerationOptions(
        temperature,
        topK,
        topP,
        minP,
        repetitionPenalty,
        frequencyPenalty,
        presencePenalty,
        penaltyWindow,
        logitBias,
        seed,
        maxNewTokens,
        stopStrings,
        stopIds,
        ignoreModelStops,
        logProbabilities);
  }

  /**
   * Sets the number of tokens that top-k keeps.
   *
   * @param topK 0 keeps all
   * @return changed options
   */
  public GenerationOptions topK(int topK) {
    return new GenerationOptions(
        temperature,
        topK,
        topP,
        minP,
        repetitionPenalty,
        frequencyPenalty,
        presencePenalty,
        penaltyWindow,
        logitBias,
        seed,
        maxNewTokens,
        stopStrings,
        stopIds,
        ignoreModelStops,
        logProbabilities);
  }

  /**
   * Sets the mass that top-p keeps.
   *
   * @param topP in (0, 1]
   * @return changed options
   */
  public GenerationOptions topP(float topP) {
    return new GenerationOptions(
        temperature,
        topK,
        topP,
        minP,
        repetitionPenalty,
        frequencyPenalty,
        presencePenalty,
        penaltyWindow,
        logitBias,
        seed,
        maxNewTokens,
        stopStrings,
        stopIds,
        ignoreModelStops,
        logProbabilities);
  }

  /**
   * Sets the fraction below which min-p drops.
   *
   * @param minP in [0, 1]
   * @return changed options
   */
  public GenerationOptions minP(float minP) {
    return new GenerationOptions(
        temperature,
        topK,
        topP,
        minP,
        repetitionPenalty,
        frequencyPenalty,
        presencePenalty,
        penaltyWindow,
        logitBias,
        seed,
        maxNewTokens,
        stopStrings,
        stopIds,
        ignoreModelStops,
        logProbabilities);
  }

  /**
   * Sets the repetition penalty.
   *
   * @param repetitionPenalty above 0; 1 changes nothing
   * @return changed options
   */
  public GenerationOptions repetitionPenalty(float repetitionPenalty) {
    return new GenerationOptions(
        temperature,
        topK,
        topP,
        minP,
        repetitionPenalty,
        frequencyPenalty,
        presencePenalty,
        penaltyWindow,
        logitBias,
        seed,
        maxNewTokens,
        stopStrings,
        stopIds,
        ignoreModelStops,
        logProbabilities);
  }

  /**
   * Sets the frequency penalty.
   *
   * @param frequencyPenalty 0 changes nothing
   * @return changed options
   */
  public GenerationOptions frequencyPenalty(float frequencyPenalty) {
    return new GenerationOptions(
        temperature,
        topK,
        topP,
        minP,
        repetitionPenalty,
        frequencyPenalty,
        presencePenalty,
        penaltyWindow,
        logitBias,
        seed,
        maxNewTokens,
        stopStrings,
        stopIds,
        ignoreModelStops,
        logProbabilities);
  }

  /**
   * Sets the presence penalty.
   *
   * @param presencePenalty 0 changes nothing
   * @return changed options
   */
  public GenerationOptions presencePenalty(float presencePenalty) {
    return new GenerationOptions(
        temperature,
        topK,
        topP,
        minP,
        repetitionPenalty,
        frequencyPenalty,
        presencePenalty,
        penaltyWindow,
        logitBias,
        seed,
        maxNewTokens,
        stopStrings,
        stopIds,
        ignoreModelStops,
        logProbabilities);
  }

  /**
   * Sets the window of the penalties.
   *
   * @param penaltyWindow how many last tokens the penalties look at; -1 for all
   * @return changed options
   */
  public GenerationOptions penaltyWindow(int penaltyWindow) {
    return new GenerationOptions(
        temperature,
        topK,
        topP,
        minP,
        repetitionPenalty,
        frequencyPenalty,
        presencePenalty,
        penaltyWindow,
        logitBias,
        seed,
        maxNewTokens,
        stopStrings,
        stopIds,
        ignoreModelStops,
        logProbabilities);
  }

  /**
   * Sets the logit bias.
   *
   * @param logitBias token id to what is added to its logit
   * @return changed options
   */
  public GenerationOptions logitBias(Map<Integer, Float> logitBias) {
    return new GenerationOptions(
        temperature,
        topK,
        topP,
        minP,
        repetitionPenalty,
        frequencyPenalty,
        presencePenalty,
        penaltyWindow,
        logitBias,
        seed,
        maxNewTokens,
        stopStrings,
        stopIds,
        ignoreModelStops,
        logProbabilities);
  }

  /**
   * Sets the seed of the draws.
   *
   * @param seed same seed, same text
   * @return changed options
   */
  public GenerationOptions seed(long seed) {
    return new GenerationOptions(
        temperature,
        topK,
        topP,
        minP,
        repetitionPenalty,
        frequencyPenalty,
        presencePenalty,
        penaltyWindow,
        logitBias,
        OptionalLong.of(seed),
        maxNewTokens,
        stopStrings,
        stopIds,
        ignoreModelStops,
        logProbabilities);
  }

  /**
   * Sets the largest number of new tokens.
   *
   * @param maxNewTokens at least 0
   * @return changed options
   */
  public GenerationOptions maxNewTokens(int maxNewTokens) {
    return new GenerationOptions(
        temperature,
        topK,
        topP,
        minP,
        repetitionPenalty,
        frequencyPenalty,
        presencePenalty,
        penaltyWindow,
        logitBias,
        seed,
        maxNewTokens,
        stopStrings,
        stopIds,
        ignoreModelStops,
        logProbabilities);
  }

  /**
   * Sets the stop strings.
   *
   * @param stopStrings the generation ends before the first of these
   * @return changed options
   */
  public GenerationOptions stopStrings(List<String> stopStrings) {
    return new GenerationOptions(
        temperature,
        topK,
        topP,
        minP,
        repetitionPenalty,
        frequencyPenalty,
        presencePenalty,
        penaltyWindow,
        logitBias,
        seed,
        maxNewTokens,
        stopStrings,
        stopIds,
        ignoreModelStops,
        logProbabilities);
  }

  /**
   * Sets the stop strings.
   *
   * @param strings the generation ends before the first of these
   * @return changed options
   */
  public GenerationOptions stopStrings(String... strings) {
    return stopStrings(List.of(strings));
  }

  /**
   * Sets the additional stop tokens.
   *
   * @param stopIds tokens that end the generation
   * @return changed options
   */
  public GenerationOptions stopIds(Set<Integer> stopIds) {
    return new GenerationOptions(
        temperature,
        topK,
        topP,
        minP,
        repetitionPenalty,
        frequencyPenalty,
        presencePenalty,
        penaltyWindow,
        logitBias,
        seed,
        maxNewTokens,
        stopStrings,
        stopIds,
        ignoreModelStops,
        logProbabilities);
  }

  /**
   * Sets the treatment of the model's own stop tokens.
   *
   * @param ignoreModelStops whether to go on at a stop token of the model
   * @return changed options
   */
  public GenerationOptions ignoreModelStops(boolean ignoreModelStops) {
    return new GenerationOptions(
        temperature,
        topK,
        topP,
        minP,
        repetitionPenalty,
        frequencyPenalty,
        presencePenalty,
        penaltyWindow,
        logitBias,
        seed,
        maxNewTokens,
        stopStrings,
        stopIds,
        ignoreModelStops,
        logProbabilities);
  }

  /**
   * Sets the number of reported alternatives.
   *
   * @param logProbabilities -1 for none, 0 for the chosen token's alone, n for n alternatives
   * @return changed options
   */
  public GenerationOptions logProbabilities(int logProbabilities) {
    return new GenerationOptions(
        temperature,
        topK,
        topP,
        minP,
        repetitionPenalty,
        frequencyPenalty,
        presencePenalty,
        penaltyWindow,
        logitBias,
        seed,
        maxNewTokens,
        stopStrings,
        stopIds,
        ignoreModelStops,
        logProbabilities);
  }
}
