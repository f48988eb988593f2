package dev.llama.cuda;

import com.sun.jna.Pointer;
import dev.llama.BackendException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * Copies between the host and the device, through two pinned buffers: while the device takes one,
 * the host fills the other. For who has entered the {@link Gpu}.
 */
final class Transfers implements AutoCloseable {
  /** Large enough for the link's full speed, small enough to begin at once. */
  static final int CHUNK_BYTES = 4 << 20;

  private static final int BUFFERS = 2;

  /** One thread copies slower than the link does, and waits for pages of the file besides. */
  private static final int COPIERS = 4;

  /** What is too little to be divided. */
  private static final int LEAST_DIVIDED = 1 << 20;

  private final Gpu gpu;
  private final long[] addresses = new long[BUFFERS];
  private final ByteBuffer[] buffers = new ByteBuffer[BUFFERS];
  private final long[] events = new long[BUFFERS];
  private int turn;
  private ExecutorService copiers; // null until there is much to copy

  /**
   * Takes the buffers.
   *
   * @param gpu whose context is current
   */
  Transfers(Gpu gpu) {
    this.gpu = gpu;
    try {
      for (int i = 0; i < BUFFERS; i++) {
        Driver.check(
            Cu.cuMemHostAlloc(gpu.outAddress(), CHUNK_BYTES, 0), "cuMemHostAlloc", CHUNK_BYTES);
        addresses[i] = gpu.out();
        buffers[i] = new Pointer(addresses[i]).getByteBuffer(0, CHUNK_BYTES);
        Driver.check(Cu.cuEventCreate(gpu.outAddress(), Cu.EVENT_DISABLE_TIMING), "cuEventCreate");
        events[i] = gpu.out();
      }
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  /**
   * Enqueues to copy to the device; the source may be changed afterwards.
   *
   * @param destination device address
   * @param source everything remaining; its position does not change
   */
  void upload(long destination, ByteBuffer source) {
    for (long from = 0; from < source.remaining(); from += CHUNK_BYTES) {
      int bytes = (int) Math.min(CHUNK_BYTES, source.remaining() - from);
      int i = turn;
      turn = (turn + 1) % BUFFERS;
      Driver.check(Cu.cuEventSynchronize(events[i]), "cuEventSynchronize");
      fill(buffers[i], source, source.position() + (int) from, bytes);
      Driver.check(
          Cu.cuMemcpyHtoDAsync(destination + from, addresses[i], bytes, gpu.stream()),
          "cuMemcpyHtoDAsync",
          bytes);
      Driver.check(Cu.cuEventRecord(events[i], gpu.stream()), "cuEventRecord");
    }
  }

  private void fill(ByteBuffer buffer, ByteBuffer source, int from, int bytes) {
    if (bytes >= LEAST_DIVIDED) {
      try {
        List<Callable<ByteBuffer>> parts = new ArrayList<>();
        int size = bytes / COPIERS + 1;
        for (int at = 0; at < bytes; at += size) {
          int start = at;
          int count = Math.min(size, bytes - at);
          parts.add(() -> buffer.put(start, source, from + start, count));
        }
        for (var part : copiers().invokeAll(parts)) {
          part.get();
        }
        return;
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt(); // whoever interrupted wants to know; copy all the same
      } catch (ExecutionException e) {
        throw new BackendException("the source of a copy cannot be read: " + e.getCause(), e);
      }
    }
    buffer.put(0, source, from, bytes);
  }

  private ExecutorService copiers() {
    if (copiers == null) {
      copiers =
          Executors.newFixedThreadPool(
              COPIERS,
              work -> {
                Thread thread = new Thread(work, "llama-cuda-copy");
                thread.setDaemon(true);
                return thread;
              });
    }
    return copiers;
  }

  /**
   * Copies to the host, after everything enqueued so far has run.
   *
   * @param destination has room from its position on, which does not change
   * @param source device address
   * @param bytes how many
   */
  void download(ByteBuffer destination, long source, long bytes) {
    for (long from = 0; from < bytes; from += CHUNK_BYTES) {
      int chunk = (int) Math.min(CHUNK_BYTES, bytes - from);
      Driver.check(
          Cu.cuMemcpyDtoHAsync(addresses[turn], source + from, chunk, gpu.stream()),
          "cuMemcpyDtoHAsync",
          chunk);
      Driver.check(Cu.cuStreamSynchronize(gpu.stream()), "cuStreamSynchronize");
      destination.put(destination.position() + (int) from, buffers[turn], 0, chunk);
    }
  }

  @Override
  public void close() {
    if (copiers != null) {
      copiers.shutdownNow();
    }
    for (int i = 0; i < BUFFERS; i++) {
      if (events[i] != 0) {
        Cu.cuEventDestroy(events[i]);
      }
      if (addresses[i] != 0) {
        Cu.cuMemFreeHost(addresses[i]);
      }
    }
  }
}
