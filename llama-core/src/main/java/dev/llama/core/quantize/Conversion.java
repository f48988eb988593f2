package dev.llama.core.quantize;

import dev.llama.CancelledException;
import dev.llama.DType;
import dev.llama.FormatException;
import dev.llama.core.files.GgufWriter;
import dev.llama.spi.TensorData;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;

/** Converts the tensors of a model, a few rows at a time, and writes them to their places. */
final class Conversion {
  /** Elements of a piece of work, unless a row has more. */
  private static final long PIECE = 1 << 18;

  private final Source source;
  private final List<DType> targets;
  private final GgufWriter writer;
  private final PartialFile file;
  private final Quantizer.ProgressListener listener;
  private final BooleanSupplier cancelled;
  private final List<Piece> pieces = new ArrayList<>();
  private final AtomicInteger next = new AtomicInteger();
  private final long dataStart;
  private final long total;
  private final double[] differences; // by tensor: sum of squares
  private final double[] magnitudes;
  private volatile boolean failed;
  private long done;

  /** Rows of a tensor, from the first up to the end. */
  private record Piece(int tensor, long from, long to) {}

  Conversion(
      Source source,
      List<DType> targets,
      GgufWriter writer,
      PartialFile file,
      Quantizer.ProgressListener listener,
      BooleanSupplier cancelled) {
    this.source = source;
    this.targets = targets;
    this.writer = writer;
    this.file = file;
    this.listener = listener;
    this.cancelled = cancelled;
    differences = new double[targets.size()];
    magnitudes = new double[targets.size()];
    dataStart = writer.dataStart();
    long bytes = 0;
    for (int i = 0; i < targets.size(); i++) {
      Source.Item item = source.items().get(i);
      bytes += item.data().byteSize();
      long rows = rows(item);
      long step = Math.max(1, PIECE / item.width());
      for (long row = 0; row < rows; row += step) {
        pieces.add(new Piece(i, row, Math.min(rows, row + step)));
      }
    }
    total = bytes;
  }

  private static long rows(Source.Item item) {
    long elements = 1;
    for (long size : item.data().shape()) {
      elements *= size;
    }
    return item.width() == 0 ? 0 : elements / item.width();
  }

  /**
   * Converts everything.
   *
   * @return relative error of each tensor
   */
  double[] run(int threads) throws IOException, InterruptedException {
    listener.progress(0, total);
    ExecutorService pool =
        Executors.newFixedThreadPool(
            threads,
            task -> {
              Thread thread = new Thread(task, "llama-quantize");
              thread.setDaemon(true);
              return thread;
            });
    try {
      List<Future<?>> workers = new ArrayList<>();
      for (int i = 0; i < threads; i++) {
        workers.add(
            pool.submit(
                () -> {
                  new Worker().run();
                  return null;
                }));
      }
      for (Future<?> worker : workers) {
        await(worker);
      }
    } finally {
      failed = true; // whoever is still at work has lost its reader
      pool.shutdown();
    }
    double[] errors = new double[differences.length];
    for (int i = 0; i < errors.length; i++) {
      errors[i] = magnitudes[i] == 0 ? 0 : Math.sqrt(differences[i] / magnitudes[i]);
    }
    return errors;
  }

  private static void await(Future<?> worker) throws IOException, InterruptedException {
    try {
      worker.get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof IOException io) {
        throw io;
      } else if (e.getCause() instanceof RuntimeException unchecked) {
        throw unchecked;
      } else if (e.getCause() instanceof Error error) {
        throw error;
      }
      throw new IllegalStateException(e.getCause());
    }
  }

  private synchronized void finished(
      int tensor, long sourceBytes, double difference, double magnitude) {
    differences[tensor] += difference;
    magnitudes[tensor] += magnitude;
    done += sourceBytes;
    listener.progress(done, total);
  }

  /** One thread's buffers. */
  private final class Worker {
    private byte[] stored = new byte[0];
    private byte[] encoded = new byte[0];
    private float[] values = new float[0];
    private float[] decoded = new float[0];

    void run() throws IOException {
      try {
        for (int i = next.getAndIncrement();
            i < pieces.size() && !failed;
            i = next.getAndIncrement()) {
          if (cancelled.getAsBoolean()) {
            throw new CancelledException(source.path() + ": stopped; nothing is written");
          }
          convert(pieces.get(i));
        }
      } catch (RuntimeException | IOException | Error e) {
        failed = true;
        throw e;
      }
    }

    private void convert(Piece piece) throws IOException {
      Source.Item item = source.items().get(piece.tensor);
      DType target = targets.get(piece.tensor);
      int width = Math.toIntExact(item.width());
      int rows = Math.toIntExact(piece.to - piece.from);
      long start = dataStart + writer.offset(piece.tensor);
      long rowBytes = target.bytes(width);
      int sourceRow = Math.toIntExact(item.data().type().bytes(width));
      if (item.isCopy(target)) {
        ByteBuffer bytes = item.data().bytes(piece.from * sourceRow, rows * sourceRow);
        file.write(bytes, start + piece.from * rowBytes);
        finished(piece.tensor, (long) rows * sourceRow, 0, 0);
        return;
      }
      int count = rows * width;
      grow(count, Math.toIntExact(rows * rowBytes), sourceRow);
      for (int r = 0; r < rows; r++) {
        read(item, item.sourceRow(piece.from + r), sourceRow, r * width, width);
      }
      double magnitude = check(item, target, piece, count, width);
      Format format = Format.of(target);
      format.encode(values, 0, count, encoded, 0);
      format.decode(encoded, 0, count, decoded, 0);
      file.write(
          ByteBuffer.wrap(encoded, 0, (int) (rows * rowBytes)), start + piece.from * rowBytes);
      double difference = 0;
      for (int i = 0; i < count; i++) {
        double d = values[i] - decoded[i];
        difference += d * d;
      }
      finished(piece.tensor, (long) rows * sourceRow, difference, magnitude);
    }

    private void grow(int count, int bytes, int sourceRow) {
      if (values.length < count) {
        values = new float[count];
        decoded = new float[count];
      }
      encoded = encoded.length < bytes ? new byte[bytes] : encoded;
      stored = stored.length < sourceRow ? new byte[sourceRow] : stored;
    }

    private void read(Source.Item item, long row, int rowBytes, int at, int width) {
      TensorData data = item.data();
      data.bytes(row * rowBytes, rowBytes).get(stored, 0, rowBytes);
      Format.of(data.type()).decode(stored, 0, width, values, at);
    }

    /** Refuses what the target cannot store; returns the sum of squares. */
    private double check(Source.Item item, DType target, Piece piece, int count, int width) {
      float largest = Format.largest(target);
      double squares = 0;
      for (int i = 0; i < count; i++) {
        if (!(Math.abs(values[i]) <= largest)) {
          throw new FormatException(
              source.path(),
              item.data().name()
                  + " has "
                  + values[i]
                  + " in row "
                  + item.sourceRow(piece.from + i / width)
                  + ", column "
                  + i % width
                  + ", expected a number of magnitude up to "
                  + largest
                  + ", which is what "
                  + target
                  + " stores"
                  + (Float.isFinite(values[i])
                      ? "; choose BF16 or F32"
                      : "; the weights are broken"));
        }
        squares += (double) values[i] * values[i];
      }
      return squares;
    }
  }
}
