package dev.llama.cpu;

import dev.llama.DType;
import dev.llama.InvalidInputException;
import dev.llama.spi.AttentionSpec;
import dev.llama.spi.Batch;
import dev.llama.spi.Tensor;

/** Checks of what an operation is given; kernels rely on it. */
final class Checks {
  private Checks() {}

  /** Returns a tensor of this backend that can be used. */
  static CpuTensor own(String op, String name, Tensor tensor) {
    if (!(tensor instanceof CpuTensor)) {
      throw new InvalidInputException(
          op + ": " + name + (tensor == null ? " is null" : " is a tensor of another backend"));
    }
    CpuTensor own = (CpuTensor) tensor;
    if (own.isClosed()) {
      throw new InvalidInputException(op + ": " + name + " is closed");
    }
    return own;
  }

  /** Returns an F32 tensor. */
  static CpuTensor floats(String op, String name, Tensor tensor) {
    CpuTensor own = own(op, name, tensor);
    requireType(op, name, own, DType.F32);
    return own;
  }

  /** Returns an F32 tensor of as many elements as rows, or null for null. */
  static CpuTensor perRow(String op, String name, Tensor tensor, CpuTensor x) {
    if (tensor == null) {
      return null;
    }
    CpuTensor own = floats(op, name, tensor);
    requireVector(op, name, own, x.rows());
    return own;
  }

  /** Returns an I32 vector of a length. */
  static CpuTensor integers(String op, String name, Tensor tensor, long length) {
    CpuTensor own = own(op, name, tensor);
    requireType(op, name, own, DType.I32);
    requireVector(op, name, own, length);
    return own;
  }

  /** Returns an F32 vector of a length. */
  static CpuTensor vector(String op, String name, Tensor tensor, long length) {
    CpuTensor own = floats(op, name, tensor);
    requireVector(op, name, own, length);
    return own;
  }

  /** Returns an F32 tensor of the same shape as another. */
  static CpuTensor like(String op, String name, Tensor tensor, String otherName, CpuTensor other) {
    CpuTensor own = floats(op, name, tensor);
    if (own.rows() != other.rows() || own.width() != other.width()) {
      throw mismatch(op, name, own, otherName, other);
    }
    return own;
  }

  /** Returns an F32 tensor of rows of a width. */
  static CpuTensor matrix(String op, String name, Tensor tensor, long rows, long width) {
    CpuTensor own = floats(op, name, tensor);
    if (own.rows() != rows || own.width() != width) {
      throw new InvalidInputException(
          "shape mismatch in "
              + op
              + ": "
              + name
              + " is "
              + Segments.describe(own.shape())
              + ", expected ["
              + rows
              + ", "
              + width
              + "]");
    }
    return own;
  }

  /** Returns a batch of this backend that can be used. */
  static CpuBatch batch(String op, Batch batch) {
    if (!(batch instanceof CpuBatch) || ((CpuBatch) batch).isClosed()) {
      throw new InvalidInputException(op + ": the batch is closed, or one of another backend");
    }
    return (CpuBatch) batch;
  }

  /** Refuses sequences with caches, for what training alone does. */
  static void requireWithoutCaches(String op, String what, CpuBatch batch) {
    for (int i = 0; i < batch.runs(); i++) {
      if (batch.run(i).cache != null) {
        throw new InvalidInputException(
            op
                + ": "
                + what
                + " is for sequences without KV caches, but row "
                + batch.run(i).firstRow
                + " of the batch has one; add its rows with null for the cache");
      }
    }
  }

  /** Checks the seed of dropout, if there is any. */
  static void dropout(String op, AttentionSpec spec) {
    if (spec.dropout().isPresent()) {
      integers(op, "the seed of dropout", spec.dropout().get().seed(), 2);
    }
  }

  static InvalidInputException mismatch(
      String op, String name, CpuTensor a, String otherName, CpuTensor b) {
    return new InvalidInputException(
        "shape mismatch in "
            + op
            + ": "
            + name
            + " is "
            + Segments.describe(a.shape())
            + ", "
            + otherName
            + " is "
            + Segments.describe(b.shape()));
  }

  private static void requireType(String op, String name, CpuTensor tensor, DType type) {
    if (tensor.type() != type) {
      throw new InvalidInputException(
          op + ": " + name + " must be " + type + ", not " + tensor.type());
    }
  }

  private static void requireVector(String op, String name, CpuTensor tensor, long length) {
    if (tensor.rows() != 1 || tensor.width() != length) {
      throw new InvalidInputException(
          "shape mismatch in "
              + op
              + ": "
              + name
              + " is "
              + Segments.describe(tensor.shape())
              + ", expected ["
              + length
              + "]");
    }
  }
}
