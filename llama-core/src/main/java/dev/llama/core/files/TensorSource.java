package dev.llama.core.files;

import dev.llama.spi.RopeTable;
import dev.llama.spi.TensorData;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/**
 * The tensors of an opened checkpoint, under the names of the layer definitions. Thread-safe. The
 * bytes stay in the mapped files; after {@link #close()} they can no longer be asked for.
 */
public interface TensorSource extends AutoCloseable {
  /**
   * Returns where the tensors come from.
   *
   * @return the file or folder as it was given, for messages
   */
  Path path();

  /**
   * Returns all tensors.
   *
   * @return by name, in the order of the files; not modifiable
   */
  Map<String, TensorData> tensors();

  /**
   * Returns a tensor.
   *
   * @param name in the layer definitions, for instance {@code "model.norm.weight"}
   * @return the tensor, or empty if the checkpoint has none of that name
   */
  default Optional<TensorData> find(String name) {
    return Optional.ofNullable(tensors().get(name));
  }

  /**
   * Returns the row order of the query and key matrices.
   *
   * @return which elements of a head are rotated together
   */
  RopeTable.Pairing pairing();

  /**
   * Returns the stored size of all tensors.
   *
   * @return bytes
   */
  default long byteSize() {
    return tensors().values().stream().mapToLong(TensorData::byteSize).sum();
  }

  /** Lets go of the mapped files. Idempotent. */
  @Override
  void close();
}
