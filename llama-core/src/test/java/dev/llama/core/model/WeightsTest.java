package dev.llama.core.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.llama.Layer;
import dev.llama.ModelConfig;
import dev.llama.spi.Tensor;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * Matrices are loaded first, so that a backend can prepare a file before anything in it is read.
 */
class WeightsTest {
  private final List<Layer> layers = ModelConfig.preset("tinyllama-1.1b").layers();
  private final List<String> events = new ArrayList<>();

  /** Returns a tensor that can be closed, and no more. */
  private Tensor tensor(String name) {
    return (Tensor)
        Proxy.newProxyInstance(
            Tensor.class.getClassLoader(),
            new Class<?>[] {Tensor.class},
            (proxy, method, arguments) -> {
              assertEquals("close", method.getName());
              events.add("close " + name);
              return null;
            });
  }

  private Tensor load(Layer.Weight weight) {
    events.add(weight.shape().size() == 2 ? "matrix" : "vector");
    return tensor(weight.name());
  }

  @Test
  void vectorsFollowAllMatrices() {
    Weights.load(layers, this::load, () -> events.add("between"));
    long matrices = 2 + 22 * 7; // embedding, head, and those of 22 blocks
    assertEquals(matrices, events.indexOf("between"));
    assertEquals(matrices - 1, events.lastIndexOf("matrix"));
    assertEquals(matrices + 1, events.indexOf("vector"));
    assertEquals(matrices + 1 + 22 * 2 + 1, events.size());
  }

  @Test
  void whatWasMadeIsClosedIfTheRestFails() {
    IllegalStateException failure = new IllegalStateException("from a test");
    assertSame(
        failure,
        assertThrows(
            IllegalStateException.class,
            () ->
                Weights.load(
                    layers,
                    this::load,
                    () -> {
                      throw failure;
                    })));
    assertEquals(2 * (2 + 22 * 7), events.size());
    assertEquals("close " + layers.get(0).weights().get(0).name(), events.get(2 + 22 * 7));
  }
}
