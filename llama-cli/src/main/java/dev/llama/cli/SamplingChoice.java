package dev.llama.cli;

import dev.llama.GenerationOptions;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** Options that say how tokens are chosen; what is not given stays as the model's authors say. */
final class SamplingChoice {
  private static final Pattern BIAS = Pattern.compile("(\\d{1,9})([=+-])(.+)");

  @Option(names = "--greedy", description = "The most likely token at every step: temperature 0.")
  private boolean greedy;

  @Option(
      names = {"--temperature", "--temp"},
      paramLabel = "T",
      description = "Divides the logits; 0 is greedy.")
  private Float temperature;

  @Option(names = "--top-k", paramLabel = "K", description = "Keep the K largest; 0 keeps all.")
  private Integer topK;

  @Option(
      names = "--top-p",
      paramLabel = "P",
      description = "Keep the smallest set with probability P; 1 keeps all.")
  private Float topP;

  @Option(
      names = "--min-p",
      paramLabel = "P",
      description = "Drop what is below P times the most likely; 0 keeps all.")
  private Float minP;

  @Option(
      names = {"-s", "--seed"},
      paramLabel = "N",
      description = "Same seed, same text (default: random; the usage line tells it).")
  private Long seed;

  @Option(
      names = "--repeat-penalty",
      paramLabel = "X",
      description = "Make tokens of the last ones less likely; 1 is off.")
  private Float repeatPenalty;

  @Option(
      names = "--frequency-penalty",
      paramLabel = "X",
      description = "Subtract X for each occurrence among the last tokens; 0 is off.")
  private Float frequencyPenalty;

  @Option(
      names = "--presence-penalty",
      paramLabel = "X",
      description = "Subtract X once from tokens among the last ones; 0 is off.")
  private Float presencePenalty;

  @Option(
      names = "--repeat-last-n",
      paramLabel = "N",
      description = "How many last tokens the penalties look at; -1 for all.")
  private Integer repeatLastN;

  @Option(
      names = "--logit-bias",
      paramLabel = "ID(+|-|=)X",
      description = "Change a token's logit: 29905-1, 15043+2, 2=-inf. Repeatable.")
  private List<String> logitBias = new ArrayList<>();

  /** Applies what was given. */
  GenerationOptions apply(GenerationOptions options, CommandLine command) {
    if (greedy && temperature != null && temperature != 0) {
      throw new ParameterException(
          command, "--greedy and --temperature " + temperature + " exclude each other");
    }
    GenerationOptions changed = greedy ? options.temperature(0) : options;
    Setter set = new Setter(command);
    changed = set.to(changed, "--temperature", temperature, GenerationOptions::temperature);
    changed = set.to(changed, "--top-k", topK, GenerationOptions::topK);
    changed = set.to(changed, "--top-p", topP, GenerationOptions::topP);
    changed = set.to(changed, "--min-p", minP, GenerationOptions::minP);
    changed = set.to(changed, "--seed", seed, GenerationOptions::seed);
    changed =
        set.to(changed, "--repeat-penalty", repeatPenalty, GenerationOptions::repetitionPenalty);
    changed =
        set.to(
            changed, "--frequency-penalty", frequencyPenalty, GenerationOptions::frequencyPenalty);
    changed =
        set.to(changed, "--presence-penalty", presencePenalty, GenerationOptions::presencePenalty);
    changed = set.to(changed, "--repeat-last-n", repeatLastN, GenerationOptions::penaltyWindow);
    return logitBias.isEmpty()
        ? changed
        : set.to(changed, "--logit-bias", biases(command), GenerationOptions::logitBias);
  }

  private Map<Integer, Float> biases(CommandLine command) {
    Map<Integer, Float> biases = new HashMap<>();
    for (String given : logitBias) {
      Matcher matcher = BIAS.matcher(given);
      try {
        if (!matcher.matches()) {
          throw new NumberFormatException();
        }
        String number = matcher.group(3).replaceFirst("(?i)inf(inity)?$", "Infinity");
        float sign = matcher.group(2).equals("-") ? -1 : 1;
        biases.put(Integer.valueOf(matcher.group(1)), sign * Float.parseFloat(number));
      } catch (NumberFormatException e) {
        throw new ParameterException(
            command,
            "Invalid value for option '--logit-bias': expected a token id, one of + - =, and a"
                + " number, as in 29905-1, but was '"
                + given
                + "'");
      }
    }
    return biases;
  }

  /** Sets a value if it was given. */
  private record Setter(CommandLine command) {
    <T> GenerationOptions to(
        GenerationOptions options,
        String name,
        T value,
        BiFunction<GenerationOptions, T, GenerationOptions> setter) {
      return value == null
          ? options
          : ModelChoice.checked(command, name, () -> setter.apply(options, value));
    }
  }
}
