package dev.llama.spi.conformance;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.llama.BackendException;
import dev.llama.DType;
import dev.llama.LlamaException;
import dev.llama.spi.Backend;
import dev.llama.spi.Batch;
import dev.llama.spi.Step;
import dev.llama.spi.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** Tensors, copies, batches, recorded steps, and the backend's own life. */
interface MemoryChecks extends Checks {

  @Test
  default void backendSaysWhatItIs() {
    assertFalse(lab().backend().description().isBlank());
    assertSame(lab().backend().ops(), lab().backend().ops());
  }

  @Test
  default void allocatedMemoryIsZero() {
    for (int round = 0; round < 3; round++) {
      for (DType type : new DType[] {DType.F32, DType.I32}) {
        Tensor tensor = lab().backend().allocate(type, 129, 257);
        assertEquals(type, tensor.type());
        Expect.same("a new tensor", lab().read(tensor), new double[129 * 257], 257);
        lab().write(tensor, Lab.filled(129 * 257, 7));
        tensor.close();
        tensor.close();
      }
    }
  }

  @Test
  default void tensorsHaveRowsAndWidth() {
    Tensor matrix = lab().keep(lab().backend().allocate(DType.F32, 5, 3));
    assertArrayEquals(new long[] {5, 3}, matrix.shape());
    assertEquals(5, matrix.rows());
    assertEquals(3, matrix.width());
    Tensor vector = lab().keep(lab().backend().allocate(DType.I32, 5));
    assertArrayEquals(new long[] {5}, vector.shape());
    assertEquals(1, vector.rows());
    assertEquals(5, vector.width());
    matrix.shape()[0] = 100;
    assertEquals(5, matrix.rows(), "shape() must return a copy");
  }

  @Test
  default void viewsShareMemory() {
    Tensor matrix = lab().keep(lab().backend().allocate(DType.F32, 5, 3));
    lab().write(matrix, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14);
    Tensor view = matrix.slice(1, 3);
    assertArrayEquals(new long[] {3, 3}, view.shape());
    Expect.same("view", lab().read(view), new double[] {3, 4, 5, 6, 7, 8, 9, 10, 11}, 3);
    Tensor inner = view.slice(2, 1);
    Expect.same("view of a view", lab().read(inner), new double[] {9, 10, 11}, 3);
    lab().write(inner, -1, -2, -3);
    inner.close();
    view.close();
    Expect.same(
        "matrix whose view was written",
        lab().read(matrix),
        new double[] {0, 1, 2, 3, 4, 5, 6, 7, 8, -1, -2, -3, 12, 13, 14},
        3);
    Tensor vector = lab().keep(lab().backend().allocate(DType.I32, 5));
    lab().write(vector, 5, 6, 7, 8, 9);
    assertArrayEquals(new long[] {2}, vector.slice(3, 2).shape());
    Expect.same("view of a vector", lab().read(vector.slice(3, 2)), new double[] {8, 9}, 1);
  }

  @Test
  default void copiesAreLittleEndianWhateverTheBuffer() {
    Tensor tensor = lab().keep(lab().backend().allocate(DType.I32, 2));
    for (boolean direct : new boolean[] {false, true}) {
      for (ByteOrder order : new ByteOrder[] {ByteOrder.BIG_ENDIAN, ByteOrder.LITTLE_ENDIAN}) {
        ByteBuffer source = direct ? ByteBuffer.allocateDirect(11) : ByteBuffer.allocate(11);
        source.put(new byte[] {99, 98, 97, 1, 0, 0, 0, 2, 1, 0, 0}).position(3).order(order);
        lab().backend().write(tensor, source.asReadOnlyBuffer().order(order));
        ByteBuffer destination = direct ? ByteBuffer.allocateDirect(20) : ByteBuffer.allocate(20);
        destination.position(5).order(order);
        lab().backend().read(tensor, destination);
        destination.order(ByteOrder.LITTLE_ENDIAN);
        assertEquals(1, destination.getInt(5));
        assertEquals(258, destination.getInt(9));
        assertEquals(0, destination.get(4));
        assertEquals(0, destination.get(13));
      }
    }
  }

  @Test
  default void copiesOfAnotherSizeAreRefused() {
    Backend backend = lab().backend();
    Tensor tensor = lab().keep(backend.allocate(DType.F32, 3, 5));
    lab().write(tensor, Lab.filled(15, 2));
    for (int bytes : new int[] {0, 56, 59, 61, 64, 120}) {
      assertThrows(
          LlamaException.class,
          () -> backend.write(tensor, ByteBuffer.allocateDirect(bytes)),
          "write of " + bytes + " bytes to a tensor of 60");
    }
    for (int bytes : new int[] {0, 56, 59}) {
      assertThrows(
          LlamaException.class,
          () -> backend.read(tensor, ByteBuffer.allocateDirect(bytes)),
          "read of a tensor of 60 bytes into " + bytes);
    }
    Expect.same("tensor after refused copies", lab().read(tensor), Lab.filled(15, 2), 5);
  }

  @Test
  default void absurdSizesAreRefusedAtOnce() {
    Backend backend = lab().backend();
    long[][] shapes = {{1L << 50}, {1L << 40, 1L << 10}, {1L << 33, 1L << 31}, {Long.MAX_VALUE, 3}};
    for (long[] shape : shapes) {
      assertTimeoutPreemptively(
          Duration.ofSeconds(20),
          () ->
              assertThrows(
                  BackendException.class,
                  () -> backend.allocate(DType.F32, shape),
                  "allocation of " + java.util.Arrays.toString(shape)));
    }
    Tensor tensor = lab().matrix(new double[] {1, 2, 3, 4}, 2);
    lab().ops().add(tensor, lab().matrix(new double[] {1, 1, 1, 1}, 2));
    Expect.same("add afterwards", lab().read(tensor), new double[] {2, 3, 4, 5}, 2);
  }

  @Test
  default void batchesHoldTheRowsOfTheLastCommit() {
    Batch batch = lab().batch(8);
    assertEquals(0, batch.rows());
    batch.clear();
    batch.add(null, new int[] {9, 10, 11, 12}, 1, 3, 5);
    batch.add(null, new int[] {20}, 0, 1, 0);
    batch.commit();
    expectRows(batch, new int[] {10, 11, 12, 20}, new int[] {5, 6, 7, 0});
    batch.clear();
    batch.add(null, new int[] {1, 2, 3, 4, 5, 6, 7, 8}, 0, 8, 100);
    assertEquals(4, batch.rows(), "rows before commit");
    batch.commit();
    expectRows(
        batch,
        new int[] {1, 2, 3, 4, 5, 6, 7, 8},
        new int[] {100, 101, 102, 103, 104, 105, 106, 107});
    batch.clear();
    batch.add(null, new int[] {7}, 0, 1, 3);
    batch.commit();
    expectRows(batch, new int[] {7}, new int[] {3});
    batch.close();
    batch.close();
  }

  private void expectRows(Batch batch, int[] tokens, int[] positions) {
    assertEquals(tokens.length, batch.rows());
    assertArrayEquals(new long[] {tokens.length}, batch.tokens().shape());
    Expect.same("tokens", lab().readInts(batch.tokens()), tokens);
    Expect.same("positions", lab().readInts(batch.positions()), positions);
  }

  @Test
  default void batchesRefuseMoreRowsThanTheyHold() {
    Batch batch = lab().batch(3);
    int[] tokens = {1, 2, 3, 4};
    batch.clear();
    assertThrows(LlamaException.class, () -> batch.add(null, tokens, 0, 4, 0));
    batch.add(null, tokens, 0, 2, 0);
    assertThrows(LlamaException.class, () -> batch.add(null, tokens, 0, 2, 0));
    assertThrows(LlamaException.class, () -> batch.add(null, tokens, 0, 0, 0));
    batch.add(null, tokens, 3, 1, 9);
    batch.commit();
    expectRows(batch, new int[] {1, 2, 4}, new int[] {0, 1, 9});
  }

  /** A recorded step sees what its tensors hold when it runs. */
  @Test
  default void stepsRunWithThePresentContents() {
    Lab lab = lab();
    StoredWeight weight = StoredWeight.random(Lab.random("step"), DType.F32, 17, 33);
    Tensor loaded = lab.load(weight.data());
    Tensor table = lab.matrix(Lab.normal(Lab.random("step table"), 10 * 33, 1), 33);
    Tensor tokens = lab.ints(0, 0, 0);
    Tensor x = lab.unset(3, 33);
    Tensor out = lab.unset(3, 17);
    Runnable body =
        () -> {
          lab.ops().embed(x, table, tokens);
          lab.ops().matmul(out, x, loaded, dev.llama.spi.Ops.Write.SET);
          lab.ops().gelu(out, out);
        };
    Step step = lab.backend().record(body);
    int[][] runs = {{1, 2, 3}, {9, 9, 0}, {4, 5, 6}};
    for (int[] run : runs) {
      lab.write(tokens, run[0], run[1], run[2]);
      step.run();
      double[] recorded = lab.read(out);
      body.run();
      Expect.same("recorded step", recorded, lab.read(out), 17);
    }
    step.close();
    step.close();
  }

  @Test
  default void backendsAreIndependentAndCloseTwice() {
    Backend other = reopen();
    Lab otherLab = new Lab(other);
    Tensor tensor = otherLab.matrix(new double[] {1, 2}, 2);
    other.ops().add(tensor, otherLab.matrix(new double[] {3, 4}, 2));
    Expect.same("add on a second backend", otherLab.read(tensor), new double[] {4, 6}, 2);
    otherLab.close();
    other.close();
    other.close();
    Tensor mine = lab().matrix(new double[] {1, 2}, 2);
    lab().ops().add(mine, lab().matrix(new double[] {3, 4}, 2));
    Expect.same("add after another was closed", lab().read(mine), new double[] {4, 6}, 2);
  }
}
