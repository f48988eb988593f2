package dev.llama.core.config;

import dev.llama.FormatException;
import dev.llama.RopeScaling;
import dev.llama.core.json.Fields;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;

/**
 * Reads the rotary fields of config.json: {@code rope_theta} and {@code rope_scaling} (with {@code
 * rope_type}, or {@code type} in files before transformers 4.43), or {@code rope_parameters}, which
 * holds both, since transformers 5.
 */
final class RopeReader {
  private static final double DEFAULT_THETA = 10_000;

  /** A remark about the checkpoint's training that scales nothing. */
  private static final Set<String> HARMLESS = Set.of("finetuned");

  private RopeReader() {}

  record Rope(double theta, RopeScaling scaling) {}

  static Rope read(Fields fields, int maxPositions) {
    OptionalDouble theta = fields.optionalDouble("rope_theta");
    OptionalInt original = fields.optionalInt("original_max_position_embeddings");
    Optional<Fields> classic = fields.optionalObject("rope_scaling");
    Optional<Fields> current = fields.optionalObject("rope_parameters");
    Rope old = rope(classic, theta, original, maxPositions);
    Rope rope = rope(current, theta, original, maxPositions);
    if (classic.isPresent() && current.isPresent() && !old.equals(rope)) {
      throw new FormatException(
          fields.file(),
          "rope_scaling says "
              + old
              + " and rope_parameters says "
              + rope
              + "; remove one of them");
    }
    return current.isPresent() ? rope : old;
  }

  private static Rope rope(
      Optional<Fields> object, OptionalDouble theta, OptionalInt original, int maxPositions) {
    if (!object.isPresent()) {
      return new Rope(theta.orElse(DEFAULT_THETA), new RopeScaling.None());
    }
    Fields fields = object.get();
    OptionalDouble inner = fields.optionalDouble("rope_theta");
    if (inner.isPresent() && theta.isPresent() && inner.getAsDouble() != theta.getAsDouble()) {
      throw fields.error("rope_theta", "the top level's rope_theta " + theta.getAsDouble());
    }
    RopeScaling scaling = scaling(fields, original, maxPositions);
    fields.skip(HARMLESS);
    fields
        .rest()
        .forEach(
            (name, value) -> {
              if (value != null) {
                throw fields.error(
                    name, "none: it is not implemented for rope_type " + scaling.ropeType());
              }
            });
    return new Rope(inner.isPresent() ? inner.getAsDouble() : theta.orElse(DEFAULT_THETA), scaling);
  }

  private static RopeScaling scaling(Fields fields, OptionalInt outerOriginal, int maxPositions) {
    Optional<String> type = fields.optionalString("rope_type");
    Optional<String> oldType = fields.optionalString("type");
    if (type.isPresent() && oldType.isPresent() && !type.equals(oldType)) {
      throw fields.error("type", "\"" + type.get() + "\" as rope_type says");
    }
    refusePartialRotation(fields);
    String name = type.isPresent() ? type.get() : oldType.orElse("default");
    switch (name) {
      case "default":
        return new RopeScaling.None();
      case "linear":
        return new RopeScaling.Linear(fields.requireDouble("factor"));
      case "dynamic":
        requireSameOriginal(fields, maxPositions);
        return new RopeScaling.Dynamic(fields.requireDouble("factor"));
      case "yarn":
        return yarn(fields, outerOriginal, maxPositions);
      case "llama3":
        return new RopeScaling.Llama3(
            fields.requireDouble("factor"),
            fields.requireDouble("low_freq_factor"),
            fields.requireDouble("high_freq_factor"),
            outerOriginal.isPresent() && !fields.contains("original_max_position_embeddings")
                ? outerOriginal.getAsInt()
                : fields.requireInt("original_max_position_embeddings"));
      case "factors":
        return factors(fields);
      default:
        throw fields.error(
            type.isPresent() ? "rope_type" : "type",
            "default, linear, dynamic, yarn or llama3; other kinds are not implemented");
    }
  }

  private static void refusePartialRotation(Fields fields) {
    OptionalDouble part = fields.optionalDouble("partial_rotary_factor");
    if (part.isPresent() && part.getAsDouble() != 1) {
      throw fields.error("partial_rotary_factor", "1: partial rotation is not implemented");
    }
  }

  /** transformers accepts the field here and scales from max_position_embeddings all the same. */
  private static void requireSameOriginal(Fields fields, int maxPositions) {
    String name = "original_max_position_embeddings";
    if (fields.optionalInt(name).orElse(maxPositions) != maxPositions) {
      throw fields.error(
          name, "max_position_embeddings " + maxPositions + ", from which dynamic scaling starts");
    }
  }

  private static RopeScaling yarn(Fields fields, OptionalInt outerOriginal, int maxPositions) {
    OptionalInt inner = fields.optionalInt("original_max_position_embeddings");
    int original = inner.isPresent() ? inner.getAsInt() : outerOriginal.orElse(maxPositions);
    // transformers 5 takes an explicit null for the ratio of the two lengths
    double factor =
        fields.contains("factor") && fields.get("factor") == null
            ? (double) maxPositions / original
            : fields.requireDouble("factor");
    if (!fields.optionalBoolean("truncate").orElse(true)) {
      throw fields.error("truncate", "true: a ramp between fractions is not implemented");
    }
    return new RopeScaling.Yarn(
        factor,
        original,
        fields.optionalDouble("beta_fast").orElse(32),
        fields.optionalDouble("beta_slow").orElse(1),
        fields.optionalDouble("attention_factor").orElse(0.1 * Math.log(factor) + 1));
  }

  /** Our own kind, for models that came from GGUF. */
  private static RopeScaling factors(Fields fields) {
    List<Float> divisors = new ArrayList<>();
    for (double divisor : fields.doubles("divisors")) {
      divisors.add((float) divisor);
    }
    return new RopeScaling.Factors(divisors);
  }

  /** Returns what goes into {@code rope_scaling}: null without scaling. */
  static Map<String, Object> write(RopeScaling scaling) {
    Map<String, Object> map = new LinkedHashMap<>();
    if (scaling instanceof RopeScaling.Linear linear) {
      map.put("factor", linear.factor());
    } else if (scaling instanceof RopeScaling.Dynamic dynamic) {
      map.put("factor", dynamic.factor());
    } else if (scaling instanceof RopeScaling.Yarn yarn) {
      map.put("attention_factor", yarn.attentionFactor());
      map.put("beta_fast", yarn.betaFast());
      map.put("beta_slow", yarn.betaSlow());
      map.put("factor", yarn.factor());
      map.put("original_max_position_embeddings", yarn.originalMaxPositionEmbeddings());
    } else if (scaling instanceof RopeScaling.Llama3 llama3) {
      map.put("factor", llama3.factor());
      map.put("high_freq_factor", llama3.highFreqFactor());
      map.put("low_freq_factor", llama3.lowFreqFactor());
      map.put("original_max_position_embeddings", llama3.originalMaxPositionEmbeddings());
    } else if (scaling instanceof RopeScaling.Factors factors) {
      List<Double> divisors = new ArrayList<>();
      factors.divisors().forEach(divisor -> divisors.add(divisor.doubleValue()));
      map.put("divisors", divisors);
    } else {
      return null;
    }
    map.put("rope_type", scaling.ropeType());
    return map;
  }
}
