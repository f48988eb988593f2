package dev.llama.core.model;

import dev.llama.Layer;
import dev.llama.spi.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The tensors of a model on its backend, by their names in the layer definitions. */
final class Weights implements AutoCloseable {
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();

  /** A projection: a matrix and, in some models, a bias. */
  record Linear(
      Tensor weight, // [outputs, inputs]
      Tensor bias) {} // [outputs] or null

  /** Makes the tensor of one weight. */
  @FunctionalInterface
  interface Source {
    Tensor tensor(Layer.Weight weight);
  }

  /** Makes all tensors of the layers. If one fails, those made before are closed. */
  static Weights load(List<Layer> layers, Source source) {
    Weights weights = new Weights();
    try {
      for (Layer layer : layers) {
        for (Layer.Weight weight : layer.weights()) {
          weights.tensors.put(weight.name(), source.tensor(weight));
        }
      }
      return weights;
    } catch (RuntimeException | Error e) {
      weights.close();
      throw e;
    }
  }

  Tensor get(String name) {
    Tensor tensor = tensors.get(name);
    if (tensor == null) {
      throw new IllegalStateException("no layer defines " + name);
    }
    return tensor;
  }

  Linear linear(String name, boolean bias) {
    return new Linear(get(name + ".weight"), bias ? get(name + ".bias") : null);
  }

  @Override
  public void close() {
    tensors.values().forEach(Tensor::close);
    tensors.clear();
  }
}
