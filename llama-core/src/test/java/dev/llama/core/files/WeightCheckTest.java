package dev.llama.core.files;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.DType;
import dev.llama.FormatException;
import dev.llama.Layer;
import dev.llama.spi.RopeTable;
import dev.llama.spi.TensorData;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** One message tells all that is wrong between architecture and checkpoint. */
class WeightCheckTest {
  private static final Path PATH = Paths.get("model");
  private static final List<Layer> LAYERS =
      List.of(
          new Layer.Embedding("embed", 10, 4),
          new Layer.Norm("norm", 4, Layer.NormKind.RMS_NORM, 1e-5),
          new Layer.LmHead("head", 10, 4, false));

  @Test
  void listsEveryMismatchWithFoundAndExpected() {
    String message =
        rejected(
            LAYERS,
            tensor("embed.weight", DType.F32, 9, 4),
            tensor("head.weight", DType.I32, 10, 4));
    assertTrue(message.contains("mismatches with the 3 weights of the architecture: 3;"), message);
    assertTrue(message.contains("embed.weight is [9, 4], expected [10, 4]"), message);
    assertTrue(message.contains("norm.weight is missing, expected [4]"), message);
    assertTrue(message.contains("head.weight is stored as I32"), message);
  }

  @Test
  void capsTheList() {
    List<Layer> layers = new ArrayList<>();
    for (int i = 0; i < 60; i++) {
      layers.add(new Layer.Embedding("e" + i, 10, 4));
    }
    String message = rejected(layers);
    assertTrue(message.contains("e49.weight"), message);
    assertFalse(message.contains("e50.weight"), message);
    assertTrue(message.endsWith("and 10 more"), message);
  }

  @Test
  void ignoresWhatNoLayerAsksFor() {
    assertDoesNotThrow(
        () ->
            WeightCheck.check(
                PATH,
                LAYERS,
                source(
                    tensor("embed.weight", DType.Q8_0, 10, 4),
                    tensor("norm.weight", DType.BF16, 4),
                    tensor("head.weight", DType.F16, 10, 4),
                    tensor("rotary_emb.inv_freq", DType.I64, 2))));
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void acceptsFloatsAndQuantisedTypesAlone(DType type) {
    List<Layer> layers = List.of(new Layer.Norm("n", 4, Layer.NormKind.RMS_NORM, 1e-5));
    TensorSource source = source(tensor("n.weight", type, 4));
    boolean usable =
        switch (type) {
          case F32, F16, BF16 -> true;
          default -> type.isQuantized();
        };
    if (usable) {
      assertDoesNotThrow(() -> WeightCheck.check(PATH, layers, source));
    } else {
      assertThrows(FormatException.class, () -> WeightCheck.check(PATH, layers, source));
    }
  }

  private static String rejected(List<Layer> layers, TensorData... tensors) {
    FormatException e =
        assertThrows(FormatException.class, () -> WeightCheck.check(PATH, layers, source(tensors)));
    assertEquals(PATH, e.file());
    return e.getMessage();
  }

  private static TensorData tensor(String name, DType type, long... shape) {
    return new MappedTensor(name, type, shape, null, 0, 0);
  }

  private static TensorSource source(TensorData... tensors) {
    Map<String, TensorData> byName = new LinkedHashMap<>();
    for (TensorData tensor : tensors) {
      byName.put(tensor.name(), tensor);
    }
    return new TensorSource() {
      @Override
      public Path path() {
        return PATH;
      }

      @Override
      public Map<String, TensorData> tensors() {
        return byName;
      }

      @Override
      public RopeTable.Pairing pairing() {
        return RopeTable.Pairing.HALVES;
      }

      @Override
      public void close() {}
    };
  }
}
