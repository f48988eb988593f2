package dev.llama.naive;

import dev.llama.BackendException;
import dev.llama.DType;
import dev.llama.InvalidInputException;
import dev.llama.spi.KvCache;
import dev.llama.spi.KvShape;
import java.util.Arrays;

/**
 * One array for each key and value; arrays are replaced, never changed, so that forks share them.
 */
class NaiveKvCache implements KvCache {
  private final KvShape shape;
  private double[][]
      entries; // [length * layers * 2][keyValueHeads * headDim], keys at even indices

  NaiveKvCache(KvShape shape) {
    this(shape, new double[0][]);
  }

  NaiveKvCache(KvShape shape, double[][] entries) {
    this.shape = shape;
    this.entries = entries;
  }

  private int perPosition() {
    return 2 * shape.layers();
  }

  /** Keeps a row of keys and a row of values. */
  void store(int layer, int position, double[] key, double[] value) {
    int at = position * perPosition() + 2 * layer;
    entries[at] = rounded(key);
    entries[at + 1] = rounded(value);
  }

  private double[] rounded(double[] row) {
    return shape.type() == DType.F32
        ? row
        : Arrays.stream(row).map(x -> Formats.fromHalf(Formats.toHalf((float) x))).toArray();
  }

  Scalar.History history(int layer) {
    return new Scalar.History() {
      @Override
      public double[] key(int position) {
        return entries[position * perPosition() + 2 * layer];
      }

      @Override
      public double[] value(int position) {
        return entries[position * perPosition() + 2 * layer + 1];
      }
    };
  }

  @Override
  public KvShape shape() {
    return shape;
  }

  @Override
  public int length() {
    return entries.length / perPosition();
  }

  @Override
  public void reserve(int length) {
    if (length < length() || length > shape.maxPositions()) {
      throw new InvalidInputException(
          "length " + length + ", expected " + length() + " to " + shape.maxPositions());
    }
    double bytes = (double) length * perPosition() * shape.keyValueHeads() * shape.headDim() * 8;
    if (bytes > Runtime.getRuntime().maxMemory()) {
      throw new BackendException(
          length + " positions need " + (long) bytes + " bytes, more than the Java heap has");
    }
    entries = Arrays.copyOf(entries, length * perPosition());
  }

  @Override
  public void truncate(int length) {
    if (length < 0 || length > length()) {
      throw new InvalidInputException("length " + length + ", expected 0 to " + length());
    }
    entries = Arrays.copyOf(entries, length * perPosition());
  }

  @Override
  public KvCache fork() {
    return new NaiveKvCache(shape, entries.clone());
  }

  @Override
  public long bytes() {
    return (long) entries.length * shape.keyValueHeads() * shape.type().bytes(shape.headDim());
  }

  @Override
  public void close() {
    entries = new double[0][];
  }
}
