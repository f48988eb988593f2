package dev.llama.cuda;

import dev.llama.DType;
import dev.llama.InvalidInputException;
import dev.llama.spi.Batch;
import dev.llama.spi.Tensor;

/** Checks of what an operation is given; kernels rely on it. */
final class Checks {
  private Checks() {}

  /** Returns a tensor of this backend that can be used. */
  static CudaTensor own(String op, String name, Tensor tensor) {
    if (!(tensor instanceof CudaTensor)) {
      throw new InvalidInputException(
          op + ": " + name + (tensor == null ? " is null" : " is a tensor of another backend"));
    }
    CudaTensor own = (CudaTensor) tensor;
    if (own.isClosed()) {
      throw new InvalidInputException(op + ": " + name + " is closed");
    }
    return own;
  }

  /** Returns an F32 tensor. */
  static CudaTensor floats(String op, String name, Tensor tensor) {
    CudaTensor own = own(op, name, tensor);
    requireType(op, name, own, DType.F32);
    return own;
  }

  /** Returns an F32 tensor of as many elements as rows, or null for null. */
  static CudaTensor perRow(String op, String name, Tensor tensor, CudaTensor x) {
    if (tensor == null) {
      return null;
    }
    CudaTensor own = floats(op, name, tensor);
    requireVector(op, name, own, x.rows());
    return own;
  }

  /** Returns an I32 vector of a length. */
  static CudaTensor integers(String op, String name, Tensor tensor, long length) {
    CudaTensor own = own(op, name, tensor);
    requireType(op, name, own, DType.I32);
    requireVector(op, name, own, length);
    return own;
  }

  /** Returns an F32 vector of a length. */
  static CudaTensor vector(String op, String name, Tensor tensor, long length) {
    CudaTensor own = floats(op, name, tensor);
    requireVector(op, name, own, length);
    return own;
  }

  /** Returns an F32 tensor of the same shape as another. */
  static CudaTensor like(
      String op, String name, Tensor tensor, String otherName, CudaTensor other) {
    CudaTensor own = floats(op, name, tensor);
    if (own.rows() != other.rows() || own.width() != other.width()) {
      throw mismatch(op, name, own, otherName, other);
    }
    return own;
  }

  /** Returns an F32 tensor of rows of a width. */
  static CudaTensor matrix(String op, String name, Tensor tensor, long rows, long width) {
    CudaTensor own = floats(op, name, tensor);
    if (own.rows() != rows || own.width() != width) {
      throw new InvalidInputException(
          "shape mismatch in "
              + op
              + ": "
              + name
              + " is "
              + CudaTensor.describe(own.shape())
              + ", expected ["
              + rows
              + ", "
              + width
              + "]");
    }
    return own;
  }

  /** Returns the format of weights that kernels read. */
  static Format format(String op, String name, CudaTensor tensor) {
    Format format = Format.of(tensor.type());
    if (format == null) {
      throw new InvalidInputException(op + ": " + name + " must not be " + tensor.type());
    }
    return format;
  }

  /** Returns a batch of this backend that can be used. */
  static CudaBatch batch(String op, Batch batch) {
    if (!(batch instanceof CudaBatch) || ((CudaBatch) batch).isClosed()) {
      throw new InvalidInputException(op + ": the batch is closed, or one of another backend");
    }
    return (CudaBatch) batch;
  }

  /** Returns a size as the kernels take it. */
  static int size(String op, long size) {
    if (size > Integer.MAX_VALUE) {
      throw new InvalidInputException(
          op + ": a size is " + size + "; kernels take up to " + Integer.MAX_VALUE);
    }
    return (int) size;
  }

  static InvalidInputException mismatch(
      String op, String name, CudaTensor a, String otherName, CudaTensor b) {
    return new InvalidInputException(
        "shape mismatch in "
            + op
            + ": "
            + name
            + " is "
            + CudaTensor.describe(a.shape())
            + ", "
            + otherName
            + " is "
            + CudaTensor.describe(b.shape()));
  }

  private static void requireType(String op, String name, CudaTensor tensor, DType type) {
    if (tensor.type() != type) {
      throw new InvalidInputException(
          op + ": " + name + " must be " + type + ", not " + tensor.type());
    }
  }

  private static void requireVector(String op, String name, CudaTensor tensor, long length) {
    if (tensor.rows() != 1 || tensor.width() != length) {
      throw new InvalidInputException(
          "shape mismatch in "
              + op
              + ": "
              + name
              + " is "
              + CudaTensor.describe(tensor.shape())
              + ", expected ["
              + length
              + "]");
    }
  }
}
