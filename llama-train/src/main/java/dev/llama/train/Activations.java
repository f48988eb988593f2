package dev.llama.train;

import dev.llama.DType;
import dev.llama.ModelConfig;
import dev.llama.spi.Backend;
import dev.llama.spi.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * The memory of a forward and backward pass over a number of rows, allocated once. Outputs of norms
 * and activation functions are not kept for the backward pass but computed again: that saves a
 * third of the memory, and costs a per cent of the time.
 */
final class Activations implements AutoCloseable {
  /**
   * Logits are computed for some rows at a time: all at once would take gigabytes with 128K ids.
   */
  private static final long MAX_LOGITS = 1 << 25;

  private final Backend backend;
  private final long rows;
  private final List<Tensor> owned = new ArrayList<>();
  private long bytes;

  final List<Block> blocks = new ArrayList<>();
  final List<Chunk> chunks = new ArrayList<>();
  Tensor last; // [rows, hidden], the output of the last block
  NormStatistics lastNorm;

  // Used by every block in turn.
  Tensor normed; // [rows, hidden]
  Tensor activated; // [rows, intermediate]

  // Gradients; null where a model is only evaluated.
  Tensor dHidden; // [rows, hidden]
  Tensor dNormed; // [rows, hidden]
  Tensor dBranch; // [rows, hidden]
  Tensor dQuery; // [rows, heads * headDim]
  Tensor dKey; // [rows, kvHeads * headDim]
  Tensor dValue; // [rows, kvHeads * headDim]
  Tensor dAttended; // [rows, heads * headDim]
  Tensor dActivated; // [rows, intermediate]

  Tensor targets; // I32 [rows]
  Tensor loss; // [rows]
  Tensor scale; // [1], 1 / number of targets

  /** What the backward operation of a norm needs. */
  record NormStatistics(
      Tensor mean, // [rows], null for RMS norms
      Tensor rstd) {} // [rows]

  /** What a block leaves for the backward pass. */
  record Block(
      Tensor input, // [rows, hidden], the residual stream in front of the block
      NormStatistics attentionNorm,
      Tensor query, // [rows, heads * headDim], rotated
      Tensor key, // [rows, kvHeads * headDim], rotated
      Tensor value, // [rows, kvHeads * headDim]
      Tensor attended, // [rows, heads * headDim]
      Tensor lse, // [rows, heads]
      Tensor middle, // [rows, hidden], the residual stream between attention and MLP
      NormStatistics mlpNorm,
      Tensor gate, // [rows, intermediate], null in a plain MLP
      Tensor up) {} // [rows, intermediate]

  /** Rows whose logits are computed together; views but for the logits. */
  record Chunk(
      Tensor normed, // [n, hidden]
      Tensor dNormed, // [n, hidden], null where a model is only evaluated
      Tensor logits, // [n, vocab]
      Tensor targets, // I32 [n]
      Tensor loss) {} // [n]

  /**
   * Allocates everything.
   *
   * @param backend holds the memory
   * @param config the model
   * @param rows tokens of a batch
   * @param trained whether there are gradients
   * @throws dev.llama.BackendException if memory does not suffice
   */
  Activations(Backend backend, ModelConfig config, int rows, boolean trained) {
    this.backend = backend;
    this.rows = rows;
    try {
      allocate(config, trained);
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  private void allocate(ModelConfig config, boolean trained) {
    long hidden = config.hiddenSize();
    long query = (long) config.numAttentionHeads() * config.headDim();
    long key = (long) config.numKeyValueHeads() * config.headDim();
    long intermediate = config.intermediateSize();
    boolean gated = config.mlpType().equals("gated");
    for (int i = 0; i < config.numHiddenLayers(); i++) {
      blocks.add(
          new Block(
              matrix(hidden),
              statistics(config),
              matrix(query),
              matrix(key),
              matrix(key),
              matrix(query),
              matrix(config.numAttentionHeads()),
              matrix(hidden),
              statistics(config),
              gated ? matrix(intermediate) : null,
              matrix(intermediate)));
    }
    last = matrix(hidden);
    lastNorm = statistics(config);
    normed = matrix(hidden);
    activated = matrix(intermediate);
    if (trained) {
      dHidden = matrix(hidden);
      dNormed = matrix(hidden);
      dBranch = matrix(hidden);
      dQuery = matrix(query);
      dKey = matrix(key);
      dValue = matrix(key);
      dAttended = matrix(query);
      dActivated = matrix(intermediate);
    }
    targets = tensor(DType.I32, rows);
    loss = tensor(DType.F32, rows);
    scale = tensor(DType.F32, 1);
    addChunks(config.vocabSize());
  }

  private void addChunks(long vocab) {
    long most = Math.min(rows, Math.max(1, MAX_LOGITS / vocab));
    Tensor logits = tensor(DType.F32, most, vocab);
    for (long first = 0; first < rows; first += most) {
      long n = Math.min(most, rows - first);
      chunks.add(
          new Chunk(
              normed.slice(first, n),
              dNormed == null ? null : dNormed.slice(first, n),
              n == most ? logits : logits.slice(0, n),
              targets.slice(first, n),
              loss.slice(first, n)));
    }
  }

  private NormStatistics statistics(ModelConfig config) {
    Tensor mean =
        switch (config.normType()) {
          case RMS_NORM -> null;
          case LAYER_NORM -> tensor(DType.F32, rows);
        };
    return new NormStatistics(mean, tensor(DType.F32, rows));
  }

  private Tensor matrix(long width) {
    return tensor(DType.F32, rows, width);
  }

  private Tensor tensor(DType type, long... shape) {
    Tensor tensor = backend.allocate(type, shape);
    owned.add(tensor);
    bytes += type.bytes(tensor.rows() * tensor.width());
    return tensor;
  }

  /** Size of everything. */
  long bytes() {
    return bytes;
  }

  @Override
  public void close() {
    owned.forEach(Tensor::close);
    owned.clear();
  }
}
