package dev.llama.naive;

import dev.llama.DType;
import dev.llama.InvalidInputException;
import dev.llama.spi.Tensor;

/** Floats, or integers that are exact as floats: activations are rounded to F32 when stored. */
final class NaiveTensor implements Tensor {
  private final DType type;
  private final double[] values;
  private final int start;
  private final long[] shape;

  NaiveTensor(DType type, double[] values, int start, long... shape) {
    this.type = type;
    this.values = values;
    this.start = start;
    this.shape = shape.clone();
  }

  int size() {
    return Math.toIntExact(shape.length == 1 ? shape[0] : shape[0] * shape[1]);
  }

  double get(int i) {
    return values[start + i];
  }

  void set(int i, double value) {
    values[start + i] = type == DType.F32 ? (float) value : value;
  }

  static double[] values(Tensor tensor) {
    NaiveTensor t = (NaiveTensor) tensor;
    double[] copy = new double[t.size()];
    System.arraycopy(t.values, t.start, copy, 0, copy.length);
    return copy;
  }

  static int[] ints(Tensor tensor) {
    double[] values = values(tensor);
    int[] ints = new int[values.length];
    for (int i = 0; i < ints.length; i++) {
      ints[i] = (int) values[i];
    }
    return ints;
  }

  static void set(Tensor tensor, double[] values) {
    NaiveTensor t = (NaiveTensor) tensor;
    for (int i = 0; i < values.length; i++) {
      t.set(i, values[i]);
    }
  }

  static void add(Tensor tensor, double[] values) {
    NaiveTensor t = (NaiveTensor) tensor;
    for (int i = 0; i < values.length; i++) {
      t.set(i, t.get(i) + values[i]);
    }
  }

  @Override
  public DType type() {
    return type;
  }

  @Override
  public long[] shape() {
    return shape.clone();
  }

  @Override
  public long rows() {
    return shape.length == 1 ? 1 : shape[0];
  }

  @Override
  public long width() {
    return shape[shape.length - 1];
  }

  @Override
  public Tensor slice(long first, long count) {
    if (first < 0 || count < 1 || first > shape[0] - count) {
      throw new InvalidInputException(
          "rows " + first + " to " + (first + count) + " of a tensor of " + shape[0]);
    }
    return shape.length == 1
        ? new NaiveTensor(type, values, Math.toIntExact(start + first), count)
        : new NaiveTensor(type, values, Math.toIntExact(start + first * shape[1]), count, shape[1]);
  }

  @Override
  public void close() {}
}
