package dev.llama.core.quantize;

import dev.llama.DType;
import dev.llama.ModelConfig;
import dev.llama.core.files.GgufWriter;
import dev.llama.spi.TensorData;
import java.nio.file.Path;
import java.util.List;

/** A model to be written as a GGUF file. */
interface Source extends AutoCloseable {
  /** Returns the file or folder, for messages. */
  Path path();

  /** Returns the architecture. */
  ModelConfig config();

  /** Writes all metadata but the file's type and version of quantisation. */
  void describe(GgufWriter writer);

  /** Returns the tensors in the order of the new file. */
  List<Item> items();

  @Override
  void close();

  /**
   * A tensor.
   *
   * @param name in the new file
   * @param data as it is stored now
   * @param headDim width of the heads whose rows are to be brought from half-split into
   *     neighbouring pairs; 0: rows stay where they are
   */
  record Item(String name, TensorData data, int headDim) {
    /** Returns the row of the source that becomes a row of the new file. */
    long sourceRow(long row) {
      if (headDim == 0) {
        return row;
      }
      long inHead = row % headDim;
      return row - inHead + inHead / 2 + inHead % 2 * (headDim / 2);
    }

    /** Returns the number of rows, and of columns: a vector is one row, unless rows are moved. */
    long width() {
      long[] shape = data.shape();
      return shape.length == 0 || headDim != 0 && shape.length == 1 ? 1 : shape[shape.length - 1];
    }

    /** Returns whether the bytes of the new file can be those of the source. */
    boolean isCopy(DType target) {
      return target == data.type() && headDim == 0;
    }
  }
}
