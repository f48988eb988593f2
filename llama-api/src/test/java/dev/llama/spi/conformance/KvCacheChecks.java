package dev.llama.spi.conformance;

import static dev.llama.spi.conformance.AttentionRun.next;
import static dev.llama.spi.conformance.AttentionRun.spec;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.BackendException;
import dev.llama.DType;
import dev.llama.LlamaException;
import dev.llama.spi.KvCache;
import dev.llama.spi.KvShape;
import dev.llama.spi.conformance.AttentionRun.Sequence;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Caches: growth, truncation, forks. */
interface KvCacheChecks extends Checks {
  /** Lengths at which a page may be empty, partly filled, or full. */
  int[] LENGTHS = {1, 16, 31, 63, 64, 65, 127, 128, 129, 257};

  @Test
  default void cacheKnowsItsShapeAndLength() {
    KvShape shape = new KvShape(2, 2, 16, DType.F32, 100);
    KvCache cache = lab().cache(shape);
    assertEquals(shape, cache.shape());
    assertEquals(0, cache.length());
    for (int length : new int[] {0, 1, 1, 17, 99, 100}) {
      cache.reserve(length);
      assertEquals(length, cache.length());
    }
    for (int length : new int[] {100, 63, 63, 1, 0, 0}) {
      cache.truncate(length);
      assertEquals(length, cache.length());
    }
  }

  @Test
  default void cacheRefusesLengthsOutOfRange() {
    KvCache cache = lab().cache(new KvShape(1, 1, 16, DType.F16, 100));
    cache.reserve(40);
    assertThrows(LlamaException.class, () -> cache.reserve(101), "reserve beyond maxPositions");
    assertThrows(LlamaException.class, () -> cache.reserve(Integer.MAX_VALUE));
    assertThrows(LlamaException.class, () -> cache.reserve(39), "reserve below the length");
    assertThrows(LlamaException.class, () -> cache.reserve(-1));
    assertThrows(LlamaException.class, () -> cache.truncate(41), "truncate beyond the length");
    assertThrows(LlamaException.class, () -> cache.truncate(-1));
    assertEquals(40, cache.length(), "length after refused calls");
  }

  /** Memory is taken as the cache grows: a large limit costs nothing. */
  @Test
  default void cacheTakesMemoryAsItGrows() {
    KvShape shape = new KvShape(4, 8, 128, DType.F16, 1 << 20);
    KvCache cache = lab().cache(shape);
    long perPosition = 2L * 4 * 8 * 128 * 2;
    assertTrue(cache.bytes() < 5000 * perPosition, "an empty cache uses " + cache.bytes());
    cache.reserve(2000);
    long full = cache.bytes();
    assertTrue(
        full >= 2000 * perPosition && full < 6000 * perPosition,
        "2000 positions of " + perPosition + " bytes use " + full);
    cache.truncate(1);
    assertTrue(cache.bytes() < full, "after truncation " + cache.bytes() + " of " + full);
  }

  @Test
  default void absurdLengthsAreRefusedAtOnce() {
    KvCache cache = lab().cache(new KvShape(32, 8, 128, DType.F16, Integer.MAX_VALUE));
    cache.reserve(70);
    assertTimeoutPreemptively(
        Duration.ofSeconds(20),
        () ->
            assertThrows(
                BackendException.class,
                () -> cache.reserve(Integer.MAX_VALUE),
                "room for 256 TiB of keys and values"));
    assertEquals(70, cache.length(), "length after a refused call");
    cache.reserve(130);
    assertEquals(130, cache.length());
  }

  @Test
  default void closingACacheTwiceIsHarmless() {
    KvCache cache = lab().backend().newKvCache(new KvShape(1, 1, 16, DType.F32, 100));
    cache.reserve(70);
    KvCache fork = cache.fork();
    cache.close();
    cache.close();
    fork.close();
    fork.close();
  }

  /** What is truncated leaves no trace, not in the last bit. */
  @Test
  default void truncatedPositionsLeaveNoTrace() {
    for (DType type : new DType[] {DType.F32, DType.F16}) {
      for (int length : LENGTHS) {
        AttentionRun run = new AttentionRun(lab(), spec(4, 2, 8, 0), type, 2, 700);
        Sequence plain = run.open(1);
        run.prefill(plain, length, 300);
        Sequence detour = run.open(1);
        run.prefill(detour, length, 300);
        detour.seed = 2;
        run.prefill(detour, 90, 45);
        run.prefill(detour, 2, 1);
        detour.truncate(length);
        detour.seed = 1;
        for (int i = 0; i < 2; i++) {
          double[] expected = run.step(next(plain, 1));
          double[] found = run.step(next(detour, 1));
          Expect.same("decode after truncation to " + length, found, expected, 32);
        }
        double[] expected = run.step(next(plain, 20));
        Expect.same(
            "prefill after truncation to " + length, run.step(next(detour, 20)), expected, 32);
      }
    }
  }

  @Test
  default void truncationToNothingStartsAnew() {
    AttentionRun run = new AttentionRun(lab(), spec(4, 2, 16, 0), DType.F32, 1, 200);
    Sequence sequence = run.open(1);
    run.prefill(sequence, 130, 130);
    sequence.truncate(0);
    sequence.seed = 2;
    run.prefill(sequence, 70, 70);
  }

  @Test
  default void forksAreIndependent() {
    for (DType type : new DType[] {DType.F32, DType.F16}) {
      for (int length : LENGTHS) {
        AttentionRun run = new AttentionRun(lab(), spec(4, 2, 8, 0), type, 2, 700);
        Sequence parent = run.open(1);
        run.prefill(parent, length, 300);
        Sequence fork = parent.fork(2);
        assertEquals(parent.cache.length(), fork.cache.length(), "length of a fork");
        assertEquals(parent.cache.bytes(), fork.cache.bytes(), "bytes of a fork");
        run.step(next(fork, 3));
        run.step(next(parent, 1));
        Sequence grandchild = fork.fork(3);
        run.step(next(parent, 2), next(fork, 1), next(grandchild, 5));
        run.step(next(grandchild, 1), next(parent, 1), next(fork, 1));
      }
    }
  }

  /** A fork that goes back into what it shares must not change it for the others. */
  @Test
  default void truncatedForksLeaveTheOthersAlone() {
    for (int length : LENGTHS) {
      AttentionRun run = new AttentionRun(lab(), spec(4, 2, 16, 0), DType.F32, 2, 700);
      Sequence parent = run.open(1);
      run.prefill(parent, length, 300);
      Sequence fork = parent.fork(2);
      Sequence other = parent.fork(3);
      fork.truncate(length / 2);
      run.step(next(fork, 1));
      run.prefill(fork, 70, 35);
      parent.truncate(length - length / 3);
      parent.seed = 4;
      run.step(next(other, 1), next(parent, 1), next(fork, 1));
      run.prefill(parent, 40, 20);
      run.step(next(other, 2), next(fork, 2));
    }
  }

  @Test
  default void forksOutliveTheirParent() {
    AttentionRun run = new AttentionRun(lab(), spec(4, 2, 16, 0), DType.F32, 1, 300);
    Sequence parent = run.open(1);
    run.prefill(parent, 130, 130);
    Sequence fork = parent.fork(2);
    parent.cache.close();
    Sequence stranger = run.open(3);
    run.prefill(stranger, 200, 100);
    run.step(next(fork, 1), next(stranger, 1));
    run.step(next(fork, 80));
  }

  /** 2000 forks of 16 MiB: 32 GiB unless they share. */
  @Test
  default void forksShareMemory() {
    KvCache cache = lab().cache(new KvShape(4, 8, 128, DType.F32, 600));
    cache.reserve(512);
    List<KvCache> forks = new ArrayList<>();
    for (int i = 0; i < 2000; i++) {
      forks.add(lab().keep(cache.fork()));
    }
    assertEquals(512, forks.get(1999).length());
  }

  @Test
  default void forksContinueInOneBatch() {
    AttentionRun run = new AttentionRun(lab(), spec(4, 2, 16, 0), DType.F16, 1, 300);
    Sequence parent = run.open(1);
    run.prefill(parent, 100, 100);
    AttentionRun.Part[] parts = new AttentionRun.Part[20];
    Sequence[] forks = new Sequence[parts.length];
    for (int i = 0; i < forks.length; i++) {
      forks[i] = parent.fork(10 + i);
    }
    for (int step = 0; step < 40; step++) {
      for (int i = 0; i < forks.length; i++) {
        parts[i] = next(forks[i], 1);
      }
      run.step(parts);
    }
    run.step(next(parent, 1));
  }
}
