package dev.llama.spi.conformance;

import dev.llama.DType;
import dev.llama.spi.Backend;
import dev.llama.spi.Batch;
import dev.llama.spi.KvCache;
import dev.llama.spi.KvShape;
import dev.llama.spi.Ops;
import dev.llama.spi.Tensor;
import dev.llama.spi.TensorData;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/**
 * Makes tensors for a test, reads them, and closes them. Activations are views into larger tensors;
 * closing the lab checks that the rows around them are as they were. Host numbers are doubles that
 * F32 represents exactly.
 */
public final class Lab implements AutoCloseable {
  private static final float GUARD = -12345.678f;

  private final Backend backend;
  private final List<AutoCloseable> open = new ArrayList<>();
  private final List<Tensor> guards = new ArrayList<>();

  public Lab(Backend backend) {
    this.backend = backend;
  }

  public Backend backend() {
    return backend;
  }

  public Ops ops() {
    return backend.ops();
  }

  /** Closes a thing with the lab. */
  public <T extends AutoCloseable> T keep(T thing) {
    open.add(thing);
    return thing;
  }

  /** Numbers from a normal distribution. */
  public static double[] normal(Random random, int n, double scale) {
    double[] values = new double[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) (random.nextGaussian() * scale);
    }
    return values;
  }

  /** Numbers from a normal distribution; the scale differs from row to row by powers of ten. */
  public static double[] mixed(Random random, int rows, int width, int decades) {
    double[] values = normal(random, rows * width, 1);
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (values[i] * Math.pow(10, i / width % (2 * decades + 1) - decades));
    }
    return values;
  }

  /** Generator seeded by the name of the case. */
  public static Random random(String name) {
    return new Random(name.hashCode());
  }

  /** A matrix of activations. */
  public Tensor matrix(double[] values, int width) {
    Tensor tensor = guarded(DType.F32, values.length / width, width);
    write(tensor, values);
    return tensor;
  }

  /** A vector of activations. */
  public Tensor vector(double[] values) {
    Tensor tensor = guarded(DType.F32, values.length);
    write(tensor, values);
    return tensor;
  }

  /** A matrix to be overwritten: holds NaN, which would show if it were used. */
  public Tensor unset(int rows, int width) {
    return matrix(filled(rows * width, Double.NaN), width);
  }

  /** A vector to be overwritten: holds NaN, which would show if it were used. */
  public Tensor unset(int size) {
    return vector(filled(size, Double.NaN));
  }

  /** A vector of integers. */
  public Tensor ints(int... values) {
    Tensor tensor = guarded(DType.I32, values.length);
    write(tensor, Arrays.stream(values).asDoubleStream().toArray());
    return tensor;
  }

  /** Weights as a model's file stores them. */
  public Tensor load(TensorData weight) {
    return keep(backend.load(weight));
  }

  /** A vector of weights. */
  public Tensor weights(double[] values) {
    return load(HeapTensorData.f32("weights", values, values.length));
  }

  public KvCache cache(KvShape shape) {
    return keep(backend.newKvCache(shape));
  }

  public Batch batch(int maxRows) {
    return keep(backend.newBatch(maxRows));
  }

  public static double[] filled(int size, double value) {
    double[] values = new double[size];
    Arrays.fill(values, value);
    return values;
  }

  private Tensor guarded(DType type, long... shape) {
    long[] larger = shape.clone();
    larger[0] += 2;
    Tensor whole = keep(backend.allocate(type, larger));
    write(whole, filled(size(whole), guard(type)));
    guards.add(whole.slice(0, 1));
    guards.add(whole.slice(shape[0] + 1, 1));
    return whole.slice(1, shape[0]);
  }

  private static double guard(DType type) {
    return type == DType.I32 ? (int) GUARD : GUARD;
  }

  private static int size(Tensor tensor) {
    return Math.toIntExact(tensor.rows() * tensor.width());
  }

  /** Copies to the backend. */
  public void write(Tensor tensor, double... values) {
    ByteBuffer bytes = buffer(tensor);
    for (double value : values) {
      if (tensor.type() == DType.I32) {
        bytes.putInt((int) value);
      } else {
        bytes.putFloat((float) value);
      }
    }
    backend.write(tensor, bytes.flip());
  }

  /** Copies from the backend. */
  public double[] read(Tensor tensor) {
    ByteBuffer bytes = buffer(tensor);
    backend.read(tensor, bytes);
    double[] values = new double[size(tensor)];
    for (int i = 0; i < values.length; i++) {
      values[i] = tensor.type() == DType.I32 ? bytes.getInt(4 * i) : bytes.getFloat(4 * i);
    }
    return values;
  }

  /** Copies a vector of integers from the backend. */
  public int[] readInts(Tensor tensor) {
    return Arrays.stream(read(tensor)).mapToInt(value -> (int) value).toArray();
  }

  private static ByteBuffer buffer(Tensor tensor) {
    return ByteBuffer.allocateDirect(4 * size(tensor)).order(ByteOrder.LITTLE_ENDIAN);
  }

  @Override
  public void close() {
    try {
      for (Tensor guard : guards) {
        double expected = (float) guard(guard.type());
        for (double found : read(guard)) {
          if (found != expected) {
            throw new AssertionError(
                "an operation wrote beside its output: " + found + " where " + expected + " was");
          }
        }
      }
    } finally {
      for (int i = open.size() - 1; i >= 0; i--) {
        closeQuietly(open.get(i));
      }
      open.clear();
      guards.clear();
    }
  }

  private static void closeQuietly(AutoCloseable thing) {
    try {
      thing.close();
    } catch (Exception e) {
      throw new AssertionError("close of " + thing + " failed", e);
    }
  }
}
