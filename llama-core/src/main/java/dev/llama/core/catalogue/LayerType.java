package dev.llama.core.catalogue;

import dev.llama.InvalidInputException;
import dev.llama.Layer;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * One entry of {@code layer_types} in a layer-spec: a layer, and how often the model has it.
 * Immutable.
 *
 * @param layer sizes, weights and parameters; its {@link Layer#name()} is the entry's name. An
 *     output matrix is a {@link Layer.Embedding} of its own. The eps of a norm is not part of the
 *     format
 * @param count how often the model has the layer, at least 1
 * @param layerIndex block that stands for all of them ({@code layer_idx}), from 0
 * @param listedParameters parameters of one such layer, if the file lists them ({@code
 *     parameter_count}); always equal to {@link Layer#parameterCount()}
 * @param unknownSpecs fields of {@code specs} that this library does not know, as parsed
 * @param unknownFields fields of the entry that this library does not know, as parsed
 */
public record LayerType(
    Layer layer,
    int count,
    OptionalInt layerIndex,
    OptionalLong listedParameters,
    Map<String, Object> unknownSpecs,
    Map<String, Object> unknownFields) {

  /**
   * Copies the maps and checks the sizes; whether they suit the model is for {@link LayerSpec}.
   *
   * @throws InvalidInputException if a size is out of range, or the format has no class for the
   *     layer ({@link Layer.LmHead})
   */
  public LayerType {
    parameters(layer, count);
    unknownSpecs = Collections.unmodifiableMap(new LinkedHashMap<>(unknownSpecs));
    unknownFields = Collections.unmodifiableMap(new LinkedHashMap<>(unknownFields));
  }

  /**
   * Describes a layer, with its number of parameters.
   *
   * @param layer sizes, weights and parameters
   * @param count how often the model has the layer, at least 1
   * @throws InvalidInputException if a size is out of range, or the format has no class for the
   *     layer ({@link Layer.LmHead})
   */
  public LayerType(Layer layer, int count) {
    this(
        layer,
        count,
        layer instanceof Layer.Embedding ? OptionalInt.empty() : OptionalInt.of(0),
        OptionalLong.of(parameters(layer, 1)),
        Map.of(),
        Map.of());
  }

  /**
   * Returns the name of the entry.
   *
   * @return unique in its layer-spec, for instance {@code attention}
   */
  public String name() {
    return layer.name();
  }

  /**
   * Returns the class as the file names it.
   *
   * @return {@code AttentionLayer}, {@code GroupedQueryAttentionLayer}, {@code MLPLayer}, {@code
   *     GatedMLPLayer}, {@code NormLayer} or {@code EmbeddingLayer}
   */
  public String className() {
    return LayerClass.of(layer).jsonName();
  }

  /**
   * Returns the number of parameters of all layers of this type.
   *
   * @return count times {@link Layer#parameterCount()}
   */
  public long parameterCount() {
    return parameters(layer, count);
  }

  /** The parameters of all, where sizes and count are such that 64 bits hold them. */
  private static long parameters(Layer layer, int count) {
    LayerClass.of(layer);
    LayerClass.specs(layer)
        .forEach(
            (name, value) -> {
              if (value instanceof Integer size && (size < 1 || size > SpecCheck.MAX_SIZE)) {
                throw new InvalidInputException(
                    layer.name()
                        + "."
                        + name
                        + " is "
                        + size
                        + ", expected 1 to "
                        + SpecCheck.MAX_SIZE);
              }
            });
    if (count < 1 || count > SpecCheck.MAX_COUNT) {
      throw new InvalidInputException(
          layer.name() + ".count is " + count + ", expected 1 to " + SpecCheck.MAX_COUNT);
    }
    try {
      return Math.multiplyExact(count, layer.parameterCount());
    } catch (ArithmeticException e) {
      throw new InvalidInputException(
          layer.name() + " times " + count + " has more parameters than 64 bits can count");
    }
  }

  /** The entry as JSON. */
  Map<String, Object> toMap() {
    Map<String, Object> specs = new LinkedHashMap<>();
    layerIndex.ifPresent(index -> specs.put("layer_idx", (long) index));
    LayerClass.specs(layer)
        .forEach(
            (name, value) ->
                specs.put(name, value instanceof Integer size ? (Object) size.longValue() : value));
    listedParameters.ifPresent(parameters -> specs.put("parameter_count", parameters));
    unknownSpecs.forEach(specs::putIfAbsent);
    Map<String, Object> entry = new LinkedHashMap<>();
    entry.put("name", name());
    entry.put("class", className());
    entry.put("count", (long) count);
    entry.put("specs", specs);
    unknownFields.forEach(entry::putIfAbsent);
    return entry;
  }
}
