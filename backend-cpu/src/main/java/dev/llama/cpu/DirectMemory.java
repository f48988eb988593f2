package dev.llama.cpu;

import dev.llama.BackendException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.function.IntFunction;

/**
 * Memory outside the heap. The JVM frees it only when its garbage collector happens to run, so what
 * is given back is kept for the next request of the same size: opening and closing sessions in a
 * loop stays within the memory of one. Thread-safe.
 */
final class DirectMemory implements AutoCloseable {
  /** Where buffers begin: on a cache line. */
  static final int ALIGNMENT = 64;

  /** Bytes behind a buffer that can be read: kernels read whole vectors where the last row ends. */
  private static final int SLACK = 64;

  private static final long MAX_IDLE = 256L << 20;

  /** What less than that needs is not asked for beforehand: looking the limit up takes long. */
  private static final long SMALL = 64L << 20;

  private final long limit; // 0: the JVM's
  private final IntFunction<ByteBuffer> source;
  private final Map<Integer, ArrayDeque<ByteBuffer>> idle = new HashMap<>();
  private long idleBytes;
  private long usedBytes;
  private boolean closed;

  /** Takes memory in large pages, or from the JVM. */
  DirectMemory() {
    this(0, new LargePages()::allocate);
  }

  /**
   * Takes memory from elsewhere, for tests.
   *
   * @param limit what can be had at most, in bytes; 0 for what the JVM gives
   * @param source makes direct buffers, or throws OutOfMemoryError
   */
  DirectMemory(long limit, IntFunction<ByteBuffer> source) {
    this.limit = limit;
    this.source = source;
  }

  /** Returns the bytes that are handed out, for tests. */
  synchronized long usedBytes() {
    return usedBytes;
  }

  /** Returns the bytes that wait for the next request, for tests. */
  synchronized long idleBytes() {
    return idleBytes;
  }

  /**
   * Refuses what can never be had, before anything is taken for it, unless it is little.
   *
   * @param bytes needed in all
   * @param purpose for the message
   * @throws BackendException if the JVM's limit is lower
   */
  void requireWithinLimit(long bytes, String purpose) {
    if (bytes > SMALL && bytes > limit()) {
      throw exhausted(bytes, purpose, null);
    }
  }

  /**
   * Takes a buffer, filled with zeros.
   *
   * @param bytes at least 1
   * @param purpose for the message
   * @return aligned, native byte order, exactly {@code bytes} long
   * @throws BackendException if there is no memory; what was handed out before remains usable
   */
  ByteBuffer allocate(int bytes, String purpose) {
    int capacity = capacity(bytes);
    ByteBuffer recycled = poll(capacity, bytes);
    if (recycled != null) {
      return zeroed(recycled, bytes);
    }
    try {
      return take(capacity, bytes);
    } catch (OutOfMemoryError first) {
      dropIdle();
      try {
        return take(capacity, bytes);
      } catch (OutOfMemoryError e) {
        throw exhausted(bytes, purpose, e);
      }
    }
  }

  /** Gives a buffer back that {@link #allocate} returned. */
  synchronized void release(ByteBuffer buffer) {
    usedBytes -= buffer.limit();
    if (!closed) {
      idle.computeIfAbsent(buffer.capacity(), size -> new ArrayDeque<>()).push(buffer);
      idleBytes += buffer.capacity();
    }
  }

  /** Gives buffers back; those that are null were not taken. */
  void releaseAll(ByteBuffer[] buffers) {
    for (ByteBuffer buffer : buffers) {
      if (buffer != null) {
        release(buffer);
      }
    }
  }

  private static int capacity(int bytes) {
    return (int) Math.min(Integer.MAX_VALUE - 4L * ALIGNMENT, (bytes + 63L) & -64L);
  }

  private synchronized ByteBuffer poll(int capacity, int bytes) {
    ArrayDeque<ByteBuffer> same = idle.get(capacity);
    if (same == null || same.isEmpty()) {
      // What waits has other sizes than what is asked for now; do not let it pile up.
      if (idleBytes > MAX_IDLE) {
        dropIdle();
      }
      return null;
    }
    idleBytes -= capacity;
    usedBytes += bytes;
    return same.pop();
  }

  private ByteBuffer take(int capacity, int bytes) {
    ByteBuffer buffer = source.apply(capacity + ALIGNMENT + SLACK).alignedSlice(ALIGNMENT);
    // The slice ends at a multiple of the alignment; cut it to what was asked for.
    ByteBuffer result = buffer.slice(0, capacity).limit(bytes).order(ByteOrder.nativeOrder());
    synchronized (this) {
      usedBytes += bytes;
    }
    return result;
  }

  private static ByteBuffer zeroed(ByteBuffer buffer, int bytes) {
    buffer.clear().limit(bytes);
    byte[] zeros = new byte[Math.min(bytes, 1 << 16)];
    for (int at = 0; at < bytes; at += zeros.length) {
      buffer.put(at, zeros, 0, Math.min(zeros.length, bytes - at));
    }
    return buffer;
  }

  private synchronized void dropIdle() {
    idle.clear();
    idleBytes = 0;
  }

  private BackendException exhausted(long bytes, String purpose, OutOfMemoryError cause) {
    return new BackendException(
        "no memory for "
            + purpose
            + ": needed "
            + bytes
            + " bytes, the JVM's limit for memory outside the heap is "
            + limit()
            + ", handed out here and not given back "
            + usedBytes()
            + (cause == null ? "" : " (" + cause.getMessage() + ")")
            + "; raise it with -XX:MaxDirectMemorySize (default: the maximum heap size, -Xmx), or"
            + " use a smaller context or fewer sessions",
        cause);
  }

  private long limit() {
    return limit == 0 ? Jvm.LIMIT : limit;
  }

  /** Returns whether the JVM would give so many bytes, if it gave no others. */
  static boolean isWithinLimit(long bytes) {
    return bytes <= SMALL || bytes <= Jvm.LIMIT;
  }

  /** Found out when it is needed. */
  private static final class Jvm {
    private static final long LIMIT = jvmLimit();
  }

  /** Returns the JVM's limit, as far as it can be known. */
  private static long jvmLimit() {
    try {
      String flag = "-XX:MaxDirectMemorySize=";
      for (String argument : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
        if (argument.startsWith(flag)) {
          long size = parse(argument.substring(flag.length()));
          if (size > 0) {
            return size;
          }
        }
      }
    } catch (LinkageError | SecurityException e) {
      // A runtime image without java.management: the default it is.
      return Runtime.getRuntime().maxMemory();
    }
    return Runtime.getRuntime().maxMemory();
  }

  private static long parse(String size) {
    int shift = "kmgt".indexOf(Character.toLowerCase(size.charAt(size.length() - 1))) + 1;
    try {
      long number = Long.parseLong(shift == 0 ? size : size.substring(0, size.length() - 1));
      return Math.multiplyExact(number, 1L << 10 * shift);
    } catch (NumberFormatException | ArithmeticException e) {
      return 0; // the JVM has its own opinion of it; keep to the default
    }
  }

  @Override
  public synchronized void close() {
    closed = true;
    dropIdle();
  }
}
