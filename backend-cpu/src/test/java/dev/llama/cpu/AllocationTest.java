package dev.llama.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.llama.DType;
import dev.llama.spi.AttentionSpec;
import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.Batch;
import dev.llama.spi.KvCache;
import dev.llama.spi.KvShape;
import dev.llama.spi.Ops;
import dev.llama.spi.RopeTable;
import dev.llama.spi.Tensor;
import dev.llama.spi.conformance.StoredWeight;
import java.lang.management.ManagementFactory;
import java.lang.reflect.Method;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The native tier allocates nothing on the heap per token, so that no collector pauses what is
 * generated. An object for each operation, such as a lambda that captures its operands, fails.
 */
class AllocationTest {
  private static final int HIDDEN = 512;
  private static final int HEADS = 8;
  private static final int KEY_HEADS = 2;
  private static final int SIZE = 64;
  private static final int TOKENS = 300;
  private static final int ROUNDS = 5;

  /** A block of a decoder, for one row. */
  private static final class Block {
    private final Backend backend;
    private final Ops ops;
    private final Tensor hidden;
    private final Tensor normed;
    private final Tensor query;
    private final Tensor key;
    private final Tensor value;
    private final Tensor gate;
    private final Tensor up;
    private final Tensor norm;
    private final Tensor square; // [HIDDEN, HIDDEN]
    private final Tensor narrow; // [KEY_HEADS * SIZE, HIDDEN]
    private final Tensor best; // I32 [1]
    private final Tensor plain; // a vocabulary, [TOKENS, HIDDEN]
    private final Tensor quantized;
    private final RopeTable rope;
    private final AttentionSpec spec;

    Block(Backend backend) {
      this.backend = backend;
      ops = backend.ops();
      hidden = backend.allocate(DType.F32, 1, HIDDEN);
      normed = backend.allocate(DType.F32, 1, HIDDEN);
      query = backend.allocate(DType.F32, 1, HIDDEN);
      key = backend.allocate(DType.F32, 1, KEY_HEADS * SIZE);
      value = backend.allocate(DType.F32, 1, KEY_HEADS * SIZE);
      gate = backend.allocate(DType.F32, 1, HIDDEN);
      up = backend.allocate(DType.F32, 1, HIDDEN);
      norm = backend.allocate(DType.F32, HIDDEN);
      square = backend.allocate(DType.F32, HIDDEN, HIDDEN);
      narrow = backend.allocate(DType.F32, KEY_HEADS * SIZE, HIDDEN);
      best = backend.allocate(DType.I32, 1);
      Random random = new Random(1);
      plain = backend.load(StoredWeight.random(random, DType.BF16, TOKENS, HIDDEN).data());
      quantized = backend.load(StoredWeight.random(random, DType.Q4_0, TOKENS, HIDDEN).data());
      Tensor frequencies = backend.allocate(DType.F32, SIZE / 2);
      rope = new RopeTable(frequencies, 1, RopeTable.Pairing.HALVES);
      spec = new AttentionSpec(0, HEADS, KEY_HEADS, SIZE, 0.125f, 0);
    }

    void run(Batch batch) {
      ops.embed(hidden, plain, batch.tokens());
      ops.embed(hidden, quantized, batch.tokens());
      ops.rmsNorm(normed, null, hidden, norm, 1e-5f);
      ops.qkv(query, key, value, normed, square, narrow, narrow);
      ops.rope(query, key, batch.positions(), rope);
      ops.attention(normed, null, query, key, value, batch, spec);
      ops.matmul(hidden, normed, square, Ops.Write.ADD);
      ops.gateUp(gate, up, normed, square, square);
      ops.matmul(hidden, gate, square, Ops.Write.ADD);
      ops.argmax(best, hidden);
    }

    /** Runs tokens from a position on and returns the bytes that this thread allocated. */
    long run(KvCache cache, Batch batch, int[] token, int position, int count)
        throws ReflectiveOperationException {
      long before = allocatedBytes();
      for (int i = 0; i < count; i++) {
        batch.clear();
        batch.add(cache, token, 0, 1, position + i);
        batch.commit();
        run(batch);
      }
      return allocatedBytes() - before;
    }
  }

  /** By name: its module cannot be seen from the one under test. Looking it up allocates. */
  private static Method allocatedBytes;

  @BeforeAll
  static void findCounter() throws ReflectiveOperationException {
    allocatedBytes =
        Class.forName("com.sun.management.ThreadMXBean")
            .getMethod("getCurrentThreadAllocatedBytes");
  }

  private static long allocatedBytes() throws ReflectiveOperationException {
    return (long) allocatedBytes.invoke(ManagementFactory.getThreadMXBean());
  }

  /** Behind many tokens positions are split among threads. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void decodeAllocatesNothing(int threads) throws ReflectiveOperationException {
    BackendOptions options = new BackendOptions(Optional.of("native"), threads);
    KvShape shape = new KvShape(1, KEY_HEADS, SIZE, DType.F16, 4 * TOKENS);
    try (Backend backend = new CpuBackendProvider().open(options);
        KvCache cache = backend.newKvCache(shape);
        Batch batch = backend.newBatch(1)) {
      cache.reserve(4 * TOKENS);
      Block block = new Block(backend);
      int[] token = {0};
      // What is done for the first time allocates, and so does asking for the number of bytes.
      long asking = Long.MAX_VALUE;
      long few = Long.MAX_VALUE;
      long many = Long.MAX_VALUE;
      for (int round = 0; round < ROUNDS; round++) {
        asking = Math.min(asking, block.run(cache, batch, token, 0, 0));
        few = Math.min(few, block.run(cache, batch, token, 0, TOKENS));
        many = Math.min(many, block.run(cache, batch, token, 3 * TOKENS, TOKENS));
      }
      assertEquals(0, few - asking, "bytes for " + TOKENS + " tokens");
      assertEquals(0, many - asking, "bytes for " + TOKENS + " tokens behind others");
    }
  }
}
