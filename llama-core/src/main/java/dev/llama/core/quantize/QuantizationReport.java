package dev.llama.core.quantize;

import dev.llama.DType;
import java.util.List;

/**
 * What became of a model.
 *
 * @param tensors in the order of the new file
 * @param sourceBytes stored size of the tensors before
 * @param bytes size of the new file
 */
public record QuantizationReport(List<TensorReport> tensors, long sourceBytes, long bytes) {
  /** Copies the list. */
  public QuantizationReport {
    tensors = List.copyOf(tensors);
  }

  /**
   * What became of a tensor.
   *
   * @param name in the new file
   * @param shape slowest dimension first
   * @param from type before
   * @param to type in the new file
   * @param error root of the mean square of the differences, as a part of the root of the mean
   *     square of the elements; 0 where bytes were copied
   */
  public record TensorReport(String name, List<Long> shape, DType from, DType to, double error) {
    /** Copies the list. */
    public TensorReport {
      shape = List.copyOf(shape);
    }
  }
}
