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

  /**
   * Makes all tensors of the layers. If one fails, those made before are closed.
   *
   * @param betweenMatricesAndVectors runs when the matrices are there: vectors are read at once,
   *     and a backend may have to prepare the file for that
   */
  static Weights load(List<Layer> layers, Source source, Runnable betweenMatricesAndVectors) {
    Weights weights = new Weights();
    try {
      weights.load(layers, source, 2);
      betweenMatricesAndVectors.run();
      weights.load(layers, source, 1);
      return weights;
    } catch (RuntimeException | Error e) {
      weights.close();
      throw e;
    }
  }

  private void load(List<Layer> layers, Source source, int dimensions) {
    for (Layer layer : layers) {
      for (Layer.Weight weight : layer.weights()) {
        if (weight.shape().size() == dimensions) {
          tensors.put(weight.name(), source.tensor(weight));
        }
      }
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
