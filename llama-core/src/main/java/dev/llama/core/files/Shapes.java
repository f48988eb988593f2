package dev.llama.core.files;

import static dev.llama.core.files.Faults.fault;

import dev.llama.DType;
import dev.llama.FormatException;
import java.nio.file.Path;
import java.util.Arrays;

/** Sizes of tensors from shapes that a file gives. */
final class Shapes {
  private Shapes() {}

  /**
   * Returns the stored size of a tensor.
   *
   * @param path file, for messages
   * @param name of the tensor, for messages
   * @param type of the elements
   * @param shape sizes of at least 0, slowest first
   * @return bytes
   * @throws FormatException if the size exceeds 64 bits or rows are no whole number of blocks
   */
  static long byteSize(Path path, String name, DType type, long[] shape) {
    long rowLength = shape.length == 0 ? 1 : shape[shape.length - 1];
    if (rowLength % type.blockElements() != 0) {
      throw fault(
          path,
          "tensor %s has rows of %d elements, but %s stores blocks of %d",
          name,
          rowLength,
          type,
          type.blockElements());
    }
    try {
      long elements = 1;
      for (long size : shape) {
        elements = Math.multiplyExact(elements, size);
      }
      return Math.multiplyExact(elements / type.blockElements(), (long) type.blockBytes());
    } catch (ArithmeticException e) {
      throw fault(
          path, "tensor %s: the size of %s %s exceeds 64 bits", name, type, Arrays.toString(shape));
    }
  }
}
