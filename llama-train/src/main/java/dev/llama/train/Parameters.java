package dev.llama.train;

import dev.llama.DType;
import dev.llama.Layer;
import dev.llama.spi.Backend;
import dev.llama.spi.Tensor;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** The trained tensors of a model on its backend, by their names in the layer definitions. */
final class Parameters implements AutoCloseable {
  private final Map<String, Parameter> byName = new LinkedHashMap<>();

  /**
   * A trained tensor and what the optimiser keeps beside it: all F32, all of the same shape. The
   * latter are {@code null} where a model is only evaluated.
   *
   * @param name in a checkpoint
   * @param weight [outputs, inputs] or [size]
   * @param gradient of the loss
   * @param m mean of gradients
   * @param v mean of squared gradients
   */
  record Parameter(String name, Tensor weight, Tensor gradient, Tensor m, Tensor v) {
    /** Decay is for matrices: norms and biases have no direction that could grow. */
    boolean decays() {
      return weight.shape().length == 2;
    }

    long elements() {
      return weight.rows() * weight.width();
    }

    private void close() {
      for (Tensor tensor : new Tensor[] {weight, gradient, m, v}) {
        if (tensor != null) {
          tensor.close();
        }
      }
    }
  }

  /** A projection: a matrix and, in some models, a bias. */
  record Linear(
      Parameter weight, // [outputs, inputs]
      Parameter bias) {} // [outputs] or null

  /**
   * Makes the parameters of all layers. If one fails, those made before are closed.
   *
   * @param layers the model
   * @param weights makes the tensor of a weight: F32, on {@code backend}
   * @param backend holds gradients and moments, which begin as zeros
   * @param trained whether there are any
   */
  static Parameters make(
      List<Layer> layers,
      Function<Layer.Weight, Tensor> weights,
      Backend backend,
      boolean trained) {
    Parameters parameters = new Parameters();
    try {
      for (Layer layer : layers) {
        for (Layer.Weight weight : layer.weights()) {
          parameters.add(weight, weights.apply(weight), backend, trained);
        }
      }
      return parameters;
    } catch (RuntimeException | Error e) {
      parameters.close();
      throw e;
    }
  }

  private void add(Layer.Weight weight, Tensor tensor, Backend backend, boolean trained) {
    Tensor[] beside = new Tensor[3];
    try {
      for (int i = 0; trained && i < beside.length; i++) {
        beside[i] = backend.allocate(DType.F32, tensor.shape());
      }
    } finally { // registered in any case, so that close gives back what there is
      byName.put(
          weight.name(), new Parameter(weight.name(), tensor, beside[0], beside[1], beside[2]));
    }
  }

  Parameter get(String name) {
    Parameter parameter = byName.get(name);
    if (parameter == null) {
      throw new IllegalStateException("no layer defines " + name);
    }
    return parameter;
  }

  Linear linear(String name, boolean bias) {
    return new Linear(get(name + ".weight"), bias ? get(name + ".bias") : null);
  }

  /** All, in the order of the layers. */
  Collection<Parameter> all() {
    return new ArrayList<>(byName.values());
  }

  @Override
  public void close() {
    byName.values().forEach(Parameter::close);
    byName.clear();
  }
}
