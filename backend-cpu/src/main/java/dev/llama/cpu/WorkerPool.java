package dev.llama.cpu;

import dev.llama.BackendException;
import dev.llama.InvalidInputException;
import java.util.ArrayDeque;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.locks.LockSupport;

/**
 * The threads of one backend. The calling thread takes part in the work. One call at a time has the
 * workers; a call that finds them busy, for instance one from inside a task, does its work alone,
 * so that calls never wait for one another.
 *
 * <p>Each thread begins with a share of its own, of neighbouring parts: what it asks of memory in
 * advance at the end of one part is the beginning of its next. Then it helps the others.
 *
 * <p>Idle workers spin for a moment before they sleep: the operations of a token follow one another
 * at that distance, and waking a thread costs more than a small operation.
 */
final class WorkerPool implements AutoCloseable {
  /** Part of a loop over {@code [0, count)}. */
  interface Task {
    /**
     * Does a part.
     *
     * @param from first index
     * @param to behind the last index
     * @param scratch this thread's work space
     */
    void run(int from, int to, Scratch scratch);
  }

  private static final long SPIN_NANOS = 1_000_000; // longer than what lies between two tokens
  private static final int SPINS_PER_LOOK = 64; // at the clock
  private static final int MAX_THREADS = 1024;
  private static final int APART = 32; // counters in cache lines of their own

  private final Worker[] workers;
  private final AtomicBoolean busy = new AtomicBoolean();
  private final Scratch ownerScratch = new Scratch();
  private final ArrayDeque<Scratch> spare = new ArrayDeque<>();
  private final boolean spin;

  // The present job. Written by the owner before it advances the epoch; workers join by entering
  // `active`, and the owner leaves only when all that joined have left.
  private Task task;
  private int count;
  private int grain;
  private int parts;
  private boolean halving;
  private final AtomicIntegerArray next; // part of each thread's share
  private final AtomicInteger active = new AtomicInteger();
  private volatile int epoch;
  private volatile boolean open;
  private volatile Throwable failure;
  private volatile Thread owner;
  private volatile boolean closed;

  /**
   * Starts the threads.
   *
   * @param threads at least 0; 0 for the number of cores
   */
  WorkerPool(int threads) {
    if (threads < 0 || threads > MAX_THREADS) {
      throw new InvalidInputException(
          "threads is " + threads + "; it may be 0 (all cores) to " + MAX_THREADS);
    }
    int size = threads == 0 ? Processors.cores() : threads;
    spin = size <= Runtime.getRuntime().availableProcessors();
    workers = new Worker[size - 1];
    next = new AtomicIntegerArray(size * APART);
    for (int i = 0; i < workers.length; i++) {
      workers[i] = new Worker(i + 1);
    }
    for (Worker worker : workers) {
      worker.start();
    }
  }

  /** Returns the number of threads that take part, the caller included. */
  int threads() {
    return workers.length + 1;
  }

  /**
   * Runs a loop, in parts of {@code grain} indices, and returns when it is done.
   *
   * @param count number of indices; at most {@code grain} of them run in the calling thread alone
   * @param grain size of a part, at least 1
   * @param task runs the parts, in any order, on any of the threads
   */
  void parallelFor(int count, int grain, Task task) {
    run(count, grain, false, task);
  }

  /**
   * As {@link #parallelFor}, for indices of equal cost that read memory in the order in which it
   * lies. Between two parts that stream is interrupted, so there are few of them: a thread does
   * half of its share at once, then half of the rest, and the last ones, of {@code grain} indices,
   * are small enough for all threads to end together.
   *
   * @param count number of indices; at most {@code grain} of them run in the calling thread alone
   * @param grain size of the smallest parts, at least 1
   * @param task runs the parts, in any order, on any of the threads
   */
  void parallelStream(int count, int grain, Task task) {
    run(count, grain, true, task);
  }

  private void run(int count, int grain, boolean halve, Task task) {
    requireOpen();
    if (count <= 0) {
      return;
    }
    if (!busy.compareAndSet(false, true)) {
      runAlone(count, task);
      return;
    }
    try {
      if (count <= grain || workers.length == 0) {
        task.run(0, count, ownerScratch);
      } else {
        runShared(count, grain, halve, task);
      }
    } catch (OutOfMemoryError e) {
      throw outOfMemory(e);
    } finally {
      busy.set(false);
    }
  }

  /** Refuses to go on when the backend has been closed. */
  void requireOpen() {
    if (closed) {
      throw new InvalidInputException("the backend is closed");
    }
  }

  private void runAlone(int count, Task task) {
    Scratch scratch;
    synchronized (spare) {
      scratch = spare.poll();
    }
    if (scratch == null) {
      scratch = new Scratch();
    }
    try {
      task.run(0, count, scratch);
    } catch (OutOfMemoryError e) {
      throw outOfMemory(e);
    } finally {
      synchronized (spare) {
        spare.push(scratch);
      }
    }
  }

  private void runShared(int count, int grain, boolean halve, Task task) {
    this.task = task;
    this.count = count;
    this.grain = grain;
    halving = halve;
    parts = (count - 1) / grain + 1;
    failure = null;
    for (int i = 0; i < threads(); i++) {
      next.set(i * APART, shareBegin(i));
    }
    owner = Thread.currentThread();
    open = true;
    epoch++; // only the owner writes it
    int helpers = Math.min(workers.length, parts - 1);
    for (int i = 0; i < helpers; i++) {
      workers[i].wake();
    }
    takeParts(0, ownerScratch);
    open = false;
    awaitWorkers();
    owner = null;
    this.task = null;
    rethrow(failure);
  }

  private void awaitWorkers() {
    long start = 0;
    for (int i = 1; active.get() != 0; i++) {
      if (!spin || (i % SPINS_PER_LOOK == 0 && (start = started(start)) == 0)) {
        LockSupport.parkNanos(this, 50_000);
      } else {
        Thread.onSpinWait();
      }
    }
  }

  /** Returns when spinning began, or 0 if that is too long ago. */
  private static long started(long start) {
    long now = System.nanoTime();
    if (start == 0) {
      return now == 0 ? 1 : now;
    }
    return now - start < SPIN_NANOS ? start : 0;
  }

  private int shareBegin(int thread) {
    return (int) ((long) parts * thread / threads());
  }

  private void takeParts(int thread, Scratch scratch) {
    try {
      for (int i = 0; i < threads(); i++) {
        takeShare((thread + i) % threads(), scratch);
      }
    } catch (Throwable e) {
      failure = e;
    }
  }

  private void takeShare(int thread, Scratch scratch) {
    int end = shareBegin(thread + 1);
    while (failure == null) {
      int part = next.get(thread * APART);
      if (part >= end) {
        return;
      }
      int taken = halving ? (end - part + 1) / 2 : 1;
      if (next.compareAndSet(thread * APART, part, part + taken)) {
        long from = (long) part * grain;
        long to = from + (long) taken * grain;
        task.run((int) from, (int) Math.min(count, to), scratch);
      }
    }
  }

  /** One of the threads. */
  private final class Worker extends Thread {
    private final int number;
    private volatile boolean asleep;

    Worker(int number) {
      super("llama-cpu-" + number);
      this.number = number;
      setDaemon(true);
    }

    /** Called after a change that it waits for; costs next to nothing while it spins. */
    void wake() {
      if (asleep) {
        LockSupport.unpark(this);
      }
    }

    @Override
    public void run() {
      Scratch scratch = new Scratch();
      int seen = 0;
      while (!closed) {
        seen = await(seen);
        active.incrementAndGet();
        // Only after joining is it certain that the job stays as it is: the owner closes it first,
        // and then waits for those who joined.
        if (open) {
          takeParts(number, scratch);
        }
        if (active.decrementAndGet() == 0 && !spin) {
          LockSupport.unpark(owner);
        }
      }
    }

    private int await(int seen) {
      long start = 0;
      for (int i = 1; epoch == seen && !closed; i++) {
        if (!spin || (i % SPINS_PER_LOOK == 0 && (start = started(start)) == 0)) {
          asleep = true;
          // Whoever changes what is waited for looks at the flag afterwards.
          if (epoch == seen && !closed) {
            LockSupport.park(WorkerPool.this);
          }
          asleep = false;
        } else {
          Thread.onSpinWait();
        }
      }
      return epoch;
    }
  }

  private static void rethrow(Throwable failure) {
    if (failure instanceof RuntimeException) {
      throw (RuntimeException) failure;
    }
    if (failure instanceof Error) {
      throw (Error) failure;
    }
  }

  private static BackendException outOfMemory(OutOfMemoryError e) {
    return new BackendException(
        "no memory for work space ("
            + e.getMessage()
            + "); allow more with -Xmx and -XX:MaxDirectMemorySize, or use smaller prefill chunks",
        e);
  }

  boolean isClosed() {
    return closed;
  }

  /** Stops the threads. Idempotent. Work that is under way is finished. */
  @Override
  public void close() {
    closed = true;
    for (Worker worker : workers) {
      LockSupport.unpark(worker);
    }
  }
}
