package dev.llama.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.BackendException;
import dev.llama.InvalidInputException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Loops run completely, once, on several threads, and never wait for one another. */
@Timeout(60)
class WorkerPoolTest {
  private static void assertEachOnce(WorkerPool pool, int count, int grain) {
    AtomicIntegerArray visits = new AtomicIntegerArray(count);
    WorkerPool.Task visit =
        (from, to, scratch) -> {
          for (int i = from; i < to; i++) {
            visits.incrementAndGet(i);
          }
        };
    pool.parallelFor(count, grain, visit);
    assertAll(visits, 1);
    pool.parallelStream(count, grain, visit);
    assertAll(visits, 2);
  }

  private static void assertAll(AtomicIntegerArray visits, int times) {
    for (int i = 0; i < visits.length(); i++) {
      assertEquals(times, visits.get(i), "index " + i);
    }
  }

  @Test
  void everyIndexRunsOnce() {
    try (WorkerPool pool = new WorkerPool(4)) {
      for (int count : new int[] {0, 1, 2, 3, 17, 1000}) {
        for (int grain : new int[] {1, 2, 7, 1000, Integer.MAX_VALUE}) {
          assertEachOnce(pool, count, grain);
        }
      }
    }
  }

  @Test
  void partsOfAStreamBecomeSmallerDownToTheGrain() {
    try (WorkerPool pool = new WorkerPool(2)) {
      Queue<Integer> sizes = new ConcurrentLinkedQueue<>();
      pool.parallelStream(1000, 10, (from, to, scratch) -> sizes.add(to - from));
      assertEquals(1000, sizes.stream().mapToInt(Integer::intValue).sum());
      // Of the 50 parts that each thread has, it takes 25, 13, 6, 3, 2 and 1 at a time.
      assertEquals(250, Collections.max(sizes));
      assertEquals(10, Collections.min(sizes));
      assertEquals(12, sizes.size());
    }
  }

  @Test
  void manyLoopsInARowWakeTheWorkersAgain() throws InterruptedException {
    try (WorkerPool pool = new WorkerPool(3)) {
      for (int i = 0; i < 2000; i++) {
        assertEachOnce(pool, 5, 1);
      }
      Thread.sleep(20); // let the workers fall asleep
      assertEachOnce(pool, 100, 1);
    }
  }

  @Test
  void allThreadsTakePart() {
    try (WorkerPool pool = new WorkerPool(3)) {
      Set<Thread> seen = ConcurrentHashMap.newKeySet();
      CountDownLatch together = new CountDownLatch(3);
      pool.parallelFor(
          3,
          1,
          (from, to, scratch) -> {
            seen.add(Thread.currentThread());
            together.countDown();
            try {
              assertTrue(together.await(30, TimeUnit.SECONDS));
            } catch (InterruptedException e) {
              throw new AssertionError(e);
            }
          });
      assertEquals(3, seen.size());
      assertTrue(seen.contains(Thread.currentThread()));
    }
  }

  @Test
  void exceptionsReachTheCallerAndThePoolGoesOn() {
    try (WorkerPool pool = new WorkerPool(2)) {
      IllegalStateException thrown = new IllegalStateException("from a task");
      for (int i = 0; i < 50; i++) {
        int bad = i;
        assertSame(
            thrown,
            assertThrows(
                IllegalStateException.class,
                () ->
                    pool.parallelFor(
                        50,
                        1,
                        (from, to, scratch) -> {
                          if (from == bad) {
                            throw thrown;
                          }
                        })));
        assertEachOnce(pool, 50, 1);
      }
    }
  }

  @Test
  void lackOfMemoryIsABackendException() {
    try (WorkerPool pool = new WorkerPool(2)) {
      BackendException e =
          assertThrows(
              BackendException.class,
              () ->
                  pool.parallelFor(
                      10,
                      1,
                      (from, to, scratch) -> {
                        throw new OutOfMemoryError("a test");
                      }));
      assertTrue(e.getMessage().contains("a test"));
      assertEachOnce(pool, 10, 1);
    }
  }

  @Test
  void aLoopInsideALoopRunsAlone() {
    try (WorkerPool pool = new WorkerPool(3)) {
      AtomicInteger sum = new AtomicInteger();
      pool.parallelFor(
          10,
          1,
          (from, to, outer) ->
              pool.parallelFor(
                  10,
                  1,
                  (f, t, inner) -> {
                    assertFalse(inner == outer, "scratch is in use by the outer task");
                    sum.addAndGet(t - f);
                  }));
      assertEquals(100, sum.get());
    }
  }

  @Test
  void severalCallersAtOnce() throws InterruptedException {
    try (WorkerPool pool = new WorkerPool(3)) {
      AtomicReference<Throwable> failure = new AtomicReference<>();
      List<Thread> callers = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        Thread caller =
            new Thread(
                () -> {
                  try {
                    for (int j = 0; j < 300; j++) {
                      assertEachOnce(pool, 40, 1);
                    }
                  } catch (Throwable e) {
                    failure.set(e);
                  }
                });
        callers.add(caller);
        caller.start();
      }
      for (Thread caller : callers) {
        caller.join();
      }
      assertSame(null, failure.get());
    }
  }

  @Test
  void closeStopsTheThreads() throws InterruptedException {
    WorkerPool pool = new WorkerPool(3);
    Set<Thread> workers = ConcurrentHashMap.newKeySet();
    CountDownLatch together = new CountDownLatch(3);
    pool.parallelFor(
        3,
        1,
        (from, to, scratch) -> {
          workers.add(Thread.currentThread());
          together.countDown();
          try {
            together.await();
          } catch (InterruptedException e) {
            throw new AssertionError(e);
          }
        });
    workers.remove(Thread.currentThread());
    pool.close();
    pool.close();
    for (Thread worker : workers) {
      assertTrue(worker.isDaemon());
      worker.join();
    }
    assertThrows(InvalidInputException.class, () -> pool.parallelFor(1, 1, (f, t, s) -> {}));
  }

  @Test
  void senselessNumbersOfThreadsAreRefused() {
    assertThrows(InvalidInputException.class, () -> new WorkerPool(-1));
    assertThrows(InvalidInputException.class, () -> new WorkerPool(1 << 20));
  }
}
