package dev.llama.cpu;

import java.lang.ref.Cleaner;
import java.nio.ByteBuffer;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/**
 * Memory in pages of 2 MiB, from the operating system: what is read once for each token, as a KV
 * cache is, takes half as long again from pages of 4 KiB. The JVM has no such memory without a flag
 * for all of its own. It does not count this memory either, so that is done here, with the same
 * limit for each backend. Thread-safe.
 */
final class LargePages {
  private static final int PAGE = 2 << 20;
  private static final int LONGEST_PAUSE = 256; // milliseconds
  private static final Cleaner CLEANER = Cleaner.create();

  private final AtomicLong mapped = new AtomicLong();

  /**
   * Takes memory. What is smaller than a page, and all of it where there are no kernels or no such
   * pages, comes from the JVM. It is given back when the buffer is no longer reachable.
   *
   * @param bytes at least 1
   * @return zeros
   * @throws OutOfMemoryError if there is none
   */
  ByteBuffer allocate(int bytes) {
    if (bytes < PAGE || !NativeLibrary.isLoaded()) {
      return ByteBuffer.allocateDirect(bytes);
    }
    reserve(bytes);
    Mapping mapping = new Mapping(bytes, mapped);
    if (mapping.start == 0) {
      mapping.run();
      return ByteBuffer.allocateDirect(bytes);
    }
    try {
      ByteBuffer buffer = NativeKernels.buffer((mapping.start + PAGE - 1) & -PAGE, bytes);
      CLEANER.register(buffer, mapping);
      return buffer;
    } catch (RuntimeException | Error e) {
      mapping.run();
      throw e;
    }
  }

  /** Returns the bytes that are in use, for tests. */
  long mappedBytes() {
    return mapped.get();
  }

  /** Counts memory in; what is not reachable may have to be found first, as the JVM does it. */
  private void reserve(int bytes) {
    for (int pause = 1; !DirectMemory.isWithinLimit(mapped.addAndGet(bytes)); pause *= 2) {
      long others = mapped.addAndGet(-bytes);
      if (pause > LONGEST_PAUSE || Thread.currentThread().isInterrupted()) {
        throw new OutOfMemoryError(others + " bytes are in use in large pages");
      }
      System.gc();
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(pause));
    }
  }

  /** Memory, with a page more than is used, so that there is a place to begin. */
  private static final class Mapping implements Runnable {
    private final int bytes;
    private final AtomicLong mapped;
    private final long start; // 0: none

    Mapping(int bytes, AtomicLong mapped) {
      this.bytes = bytes;
      this.mapped = mapped;
      start = NativeKernels.map((long) bytes + PAGE);
    }

    @Override
    public void run() {
      if (start != 0) {
        NativeKernels.unmap(start, (long) bytes + PAGE);
      }
      mapped.addAndGet(-bytes);
    }
  }
}
