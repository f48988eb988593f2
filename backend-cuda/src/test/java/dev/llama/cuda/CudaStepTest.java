package dev.llama.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.llama.DType;
import dev.llama.InvalidInputException;
import dev.llama.cuda.Emulator.Setting;
import dev.llama.spi.AttentionSpec;
import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.Batch;
import dev.llama.spi.KvCache;
import dev.llama.spi.KvShape;
import dev.llama.spi.Ops.Write;
import dev.llama.spi.Step;
import dev.llama.spi.Tensor;
import dev.llama.spi.conformance.Lab;
import dev.llama.spi.conformance.StoredWeight;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Recorded steps are graphs: one launch each, made again only when what they stand on changes. */
class CudaStepTest {
  private static final AttentionSpec SPEC = new AttentionSpec(0, 4, 2, 16, 0.25f, 0);

  private Backend backend;
  private Lab lab;

  @BeforeEach
  void open() {
    Emulator.require();
    backend = new CudaBackendProvider().open(BackendOptions.defaults());
    lab = new Lab(backend);
  }

  @AfterEach
  void close() {
    if (backend != null) {
      lab.close();
      backend.close();
    }
  }

  /** A step of one row with attention, and its inputs. */
  private final class Decode {
    final Batch batch = lab.batch(1);
    final Tensor q = lab.matrix(Lab.normal(Lab.random("q"), 64, 1), 64);
    final Tensor k = lab.matrix(Lab.normal(Lab.random("k"), 32, 1), 32);
    final Tensor v = lab.matrix(Lab.normal(Lab.random("v"), 32, 1), 32);
    final Tensor out = lab.unset(1, 64);
    final Runnable body = () -> lab.ops().attention(out, null, q, k, v, batch, SPEC);
    final Step step = lab.keep(backend.record(body));

    void place(KvCache cache, int position) {
      cache.reserve(position + 1);
      batch.clear();
      batch.add(cache, new int[] {7}, 0, 1, position);
      batch.commit();
    }
  }

  private KvCache cache(DType type) {
    return lab.cache(new KvShape(1, 2, 16, type, 2000));
  }

  /** The context grows over pages and page tables, and the sequence changes: the graph stays. */
  @Test
  void oneGraphServesEveryLengthAndSession() {
    Decode decode = new Decode();
    KvCache[] caches = {cache(DType.F16), cache(DType.F16)};
    decode.place(caches[0], 0);
    decode.step.run();
    long made = Emulator.get(Setting.INSTANTIATIONS);
    long launches = Emulator.get(Setting.LAUNCHES);
    for (int position = 1; position < 140; position++) {
      decode.place(caches[0], position);
      decode.step.run();
      decode.place(caches[1], position - 1);
      decode.step.run();
      if (position == 130) {
        caches[0].reserve(1300); // the page table moves
        caches[0].truncate(position + 1);
      }
    }
    assertEquals(made, Emulator.get(Setting.INSTANTIATIONS));
    assertEquals(launches, Emulator.get(Setting.LAUNCHES));
    double[] recorded = lab.read(decode.out);
    decode.body.run();
    assertArrayEquals(recorded, lab.read(decode.out));
  }

  @Test
  void anotherTypeOfCacheMakesANewGraph() {
    Decode decode = new Decode();
    for (DType type : new DType[] {DType.F16, DType.F32, DType.F16}) {
      decode.place(cache(type), 0);
      long made = Emulator.get(Setting.INSTANTIATIONS);
      decode.step.run();
      assertEquals(made + 1, Emulator.get(Setting.INSTANTIATIONS));
      double[] recorded = lab.read(decode.out);
      decode.body.run();
      assertArrayEquals(recorded, lab.read(decode.out));
    }
  }

  /** Work space that has moved is not used by old graphs. */
  @Test
  void aLargerWorkSpaceMakesANewGraph() {
    Tensor weight = lab.load(StoredWeight.random(Lab.random("w"), DType.Q8_0, 17, 64).data());
    Tensor x = lab.matrix(Lab.normal(Lab.random("x"), 64, 1), 64);
    Tensor out = lab.unset(1, 17);
    Step step = lab.keep(backend.record(() -> lab.ops().matmul(out, x, weight, Write.SET)));
    step.run();
    double[] expected = lab.read(out);
    Tensor wide = lab.load(StoredWeight.random(Lab.random("w"), DType.BF16, 3, 65536).data());
    Tensor rows = lab.keep(backend.allocate(DType.F32, 64, 65536));
    lab.ops().matmul(lab.unset(64, 3), rows, wide, Write.SET);
    long made = Emulator.get(Setting.INSTANTIATIONS);
    step.run();
    assertArrayEquals(expected, lab.read(out));
    assertEquals(made + 1, Emulator.get(Setting.INSTANTIATIONS));
  }

  /** What the body adds is added once for each run, and not when it is recorded. */
  @Test
  void recordingRunsNothing() {
    Tensor sum = lab.matrix(new double[] {0, 0}, 2);
    Tensor one = lab.matrix(new double[] {1, 2}, 2);
    Step step = lab.keep(backend.record(() -> lab.ops().add(sum, one)));
    for (int i = 1; i <= 3; i++) {
      step.run();
      assertArrayEquals(new double[] {i, 2 * i}, lab.read(sum));
    }
  }

  /** A body that fails leaves the stream as it was. */
  @Test
  void aBodyThatFailsIsNoGraph() {
    Tensor sum = lab.matrix(new double[] {0, 0}, 2);
    Tensor three = lab.matrix(new double[] {1, 2, 3}, 3);
    Step step = backend.record(() -> lab.ops().add(sum, three));
    assertThrows(InvalidInputException.class, step::run);
    int[] calls = new int[1];
    Step late =
        backend.record(
            () -> {
              lab.ops().add(sum, sum);
              if (++calls[0] == 2) {
                throw new IllegalStateException("during the capture");
              }
            });
    assertThrows(IllegalStateException.class, late::run);
    lab.ops().add(sum, lab.matrix(new double[] {1, 2}, 2));
    assertArrayEquals(new double[] {1, 2}, lab.read(sum));
    late.close();
    assertThrows(InvalidInputException.class, late::run);
  }
}
