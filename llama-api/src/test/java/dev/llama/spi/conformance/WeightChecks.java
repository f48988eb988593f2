package dev.llama.spi.conformance;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.llama.BackendException;
import dev.llama.DType;
import dev.llama.naive.Formats;
import dev.llama.spi.Ops.Write;
import dev.llama.spi.Tensor;
import java.nio.ByteBuffer;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

/** Loading of weights of every type, and rows selected from them. */
interface WeightChecks extends Checks {

  @Test
  default void supportsFloatsAndRefusesWhatIsNoWeight() {
    assertTrue(lab().backend().supports(DType.F32), "F32 must be supported");
    for (DType type : DType.values()) {
      if (!Formats.readable(type)) {
        assertFalse(lab().backend().supports(type), type + " cannot be computed with");
      }
      if (!lab().backend().supports(type)) {
        int bytes = 4 * type.blockBytes();
        HeapTensorData weight =
            new HeapTensorData("weight", type, StoredWeight.direct(bytes), 4, type.blockElements());
        assertThrows(BackendException.class, () -> lab().backend().load(weight), "load of " + type);
      }
    }
  }

  @Test
  default void loadedWeightsHaveTheirShape() {
    StoredWeight weight = StoredWeight.random(new Random(1), DType.F32, 3, 17);
    Tensor matrix = lab().load(weight.data());
    assertArrayEquals(new long[] {3, 17}, matrix.shape());
    assertEquals(3, matrix.rows());
    assertEquals(17, matrix.width());
    matrix.close();
    matrix.close();
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16"})
  default void vectorsBecomeF32(DType type) {
    assumeTrue(lab().backend().supports(type), "the backend does not support " + type);
    for (int width : new int[] {1, 3, 17, 300}) {
      StoredWeight weight = StoredWeight.random(Lab.random("vector"), type, 1, width);
      ByteBuffer bytes = weight.data().bytes(0, (int) weight.data().byteSize());
      Tensor vector = lab().load(new HeapTensorData("norm", type, bytes, width));
      assertEquals(DType.F32, vector.type());
      assertArrayEquals(new long[] {width}, vector.shape());
      Expect.same("vector of " + type, lab().read(vector), weight.values(), width);
    }
  }

  /** Plain types exactly, quantised ones up to the rounding of their scales' products. */
  @ParameterizedTest
  @EnumSource(
      mode = Mode.MATCH_ANY,
      names = {"F32", "F16", "BF16", "Q.*"})
  default void embedSelectsRowsOfType(DType type) {
    assumeTrue(lab().backend().supports(type), "the backend does not support " + type);
    int[] widths = type.isQuantized() ? new int[] {256, 768} : new int[] {1, 3, 17, 64, 300};
    int[] indices = {0, 7, 3, 3, 48, 1, 0, 48, 25, 12, 6, 31, 2, 9, 48, 10, 11};
    for (int width : widths) {
      for (int rows : new int[] {1, 3, 17}) {
        String what = "embed of " + type + " width=" + width + " rows=" + rows;
        StoredWeight weight = StoredWeight.random(Lab.random(what), type, 49, width);
        int[] chosen = java.util.Arrays.copyOf(indices, rows);
        double[] expected = new double[rows * width];
        double[] bound = new double[rows * width];
        for (int i = 0; i < expected.length; i++) {
          expected[i] = weight.values()[chosen[i / width] * width + i % width];
          bound[i] = type.isQuantized() ? 0x1p-20 : 0; // values are up to 0.015 * 63 * 31
        }
        Tensor out = lab().unset(rows, width);
        lab().ops().embed(out, lab().load(weight.data()), lab().ints(chosen));
        Expect.close(what, lab().read(out), expected, bound, width);
      }
    }
  }

  @Test
  default void embedSelectsRowsOfActivations() {
    double[] table = Lab.normal(Lab.random("table"), 9 * 33, 1);
    Tensor out = lab().unset(3, 33);
    lab().ops().embed(out, lab().matrix(table, 33), lab().ints(8, 0, 8));
    double[] expected = new double[3 * 33];
    System.arraycopy(table, 8 * 33, expected, 0, 33);
    System.arraycopy(table, 0, expected, 33, 33);
    System.arraycopy(table, 8 * 33, expected, 66, 33);
    Expect.same("embed of activations", lab().read(out), expected, 33);
  }

  /** All 65536 numbers of the type: subnormals, infinities, both zeros. */
  @ParameterizedTest
  @EnumSource(names = {"F16", "BF16"})
  default void everySixteenBitNumberIsRead(DType type) {
    assumeTrue(lab().backend().supports(type), "the backend does not support " + type);
    ByteBuffer bytes = StoredWeight.direct(2 << 16);
    for (int i = 0; i < 1 << 16; i++) {
      bytes.putShort((short) i);
    }
    bytes.flip();
    StoredWeight table = StoredWeight.of(type, bytes, 256, 256);
    int[] all = new int[256];
    for (int i = 0; i < 256; i++) {
      all[i] = i;
    }
    Tensor out = lab().unset(256, 256);
    lab().ops().embed(out, lab().load(table.data()), lab().ints(all));
    Expect.same("embed of every " + type, lab().read(out), table.values(), 256);

    StoredWeight column = StoredWeight.of(type, bytes, 1 << 16, 1);
    Tensor product = lab().unset(1, 1 << 16);
    lab()
        .ops()
        .matmul(product, lab().matrix(new double[] {1}, 1), lab().load(column.data()), Write.SET);
    // Subnormals of F32 may be flushed in arithmetic.
    Expect.close(
        "matmul of 1 with every " + type,
        lab().read(product),
        column.values(),
        Bounds.relative(new double[1 << 16], 0, Float.MIN_NORMAL),
        1 << 16);
  }
}
