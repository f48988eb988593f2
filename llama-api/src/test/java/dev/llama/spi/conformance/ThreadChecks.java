package dev.llama.spi.conformance;

import dev.llama.DType;
import dev.llama.spi.AttentionSpec;
import dev.llama.spi.Batch;
import dev.llama.spi.KvCache;
import dev.llama.spi.KvShape;
import dev.llama.spi.Ops.Write;
import dev.llama.spi.RopeTable;
import dev.llama.spi.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Operations from many threads at once. */
interface ThreadChecks extends Checks {

  /** Every thread gets the bits that one thread alone gets. */
  @Test
  default void threadsDoNotDisturbOneAnother() throws Exception {
    DType type = lab().backend().supports(DType.Q8_0) ? DType.Q8_0 : DType.F32;
    StoredWeight weight = StoredWeight.random(Lab.random("threads"), type, 129, 96);
    Tensor shared = lab().load(weight.data());
    Tensor norm = lab().weights(Lab.normal(Lab.random("threads norm"), 96, 1));
    Tensor frequencies = lab().weights(RopeChecks.frequencies(16));
    double[][] alone = new double[12][];
    for (int i = 0; i < alone.length; i++) {
      alone[i] = work(i, shared, norm, frequencies);
    }
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try {
      List<Future<double[]>> together = new ArrayList<>();
      for (int round = 0; round < 5; round++) {
        for (int i = 0; i < alone.length; i++) {
          int which = i;
          Callable<double[]> task = () -> work(which, shared, norm, frequencies);
          together.add(threads.submit(task));
        }
      }
      for (int i = 0; i < together.size(); i++) {
        double[] found = together.get(i).get(60, TimeUnit.SECONDS);
        Expect.same("work item " + i % alone.length, found, alone[i % alone.length], 129);
      }
    } finally {
      threads.shutdownNow();
    }
  }

  /** A small layer: norm, product, rotation, attention, product. */
  private double[] work(int item, Tensor weight, Tensor norm, Tensor frequencies) {
    int rows = new int[] {1, 5, 33}[item % 3];
    AttentionSpec spec = new AttentionSpec(0, 6, 6, 16, 0.25f, 0);
    try (Lab own = new Lab(lab().backend());
        KvCache cache = own.backend().newKvCache(new KvShape(1, 6, 16, DType.F32, 100));
        Batch batch = own.backend().newBatch(rows)) {
      double[] values = Lab.normal(Lab.random("thread " + item), rows * 96, 1);
      Tensor x = own.matrix(values, 96);
      Tensor k = own.matrix(values, 96);
      Tensor out = own.unset(rows, 96);
      Tensor result = own.matrix(new double[rows * 129], 129);
      for (int step = 0; step < 3; step++) {
        cache.reserve((step + 1) * rows);
        batch.clear();
        batch.add(cache, new int[rows], 0, rows, step * rows);
        batch.commit();
        own.ops().rmsNorm(x, null, x, norm, 1e-5f);
        own.ops()
            .rope(x, k, batch.positions(), new RopeTable(frequencies, 1, RopeTable.Pairing.HALVES));
        own.ops().attention(out, null, x, k, x, batch, spec);
        own.ops().matmul(result, out, weight, Write.ADD);
      }
      return own.read(result);
    }
  }
}
