package dev.llama.core.model;

import dev.llama.DType;
import dev.llama.ModelConfig;
import dev.llama.spi.Backend;
import dev.llama.spi.Batch;
import dev.llama.spi.Draw;
import dev.llama.spi.RopeTable;
import dev.llama.spi.Step;
import dev.llama.spi.Tensor;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * The memory of a forward pass of up to a number of rows: allocated once, used by one thread at a
 * time, handed from session to session by {@link WorkspacePool}.
 */
final class Workspace implements AutoCloseable {
  /**
   * Rows of logits computed at a time, when every position's are asked for: a whole chunk of them
   * would take hundreds of megabytes with a vocabulary of 128K.
   */
  private static final int LOGIT_ROWS = 16;

  private final int capacity;
  private final Backend backend;
  private final List<Tensor> owned = new ArrayList<>();
  private final Activations full;
  private final Tensor logits; // [min(capacity, LOGIT_ROWS), vocab]
  private final FloatBuffer hostLogits;
  private final ByteBuffer hostBytes;
  private final int vocabSize;
  private final Batch batch;
  private final Decoder decoder;
  private final RopeTable modelRope;
  private final Tensor choice; // I32 [1]
  private final Tensor draws; // I32 [1, Draw.WORDS]; null unless the backend draws
  private Activations current;
  private Step decode; // one row up to its logits, with the model's own frequencies; lazily
  private Step greedy; // the same, and the best of the logits; lazily
  private Step drawn; // the same, and one drawn from the logits; lazily

  /** Activations of the same number of rows. */
  record Activations(
      Tensor hidden, // [rows, hidden]
      Tensor normed, // [rows, hidden]
      Tensor query, // [rows, heads * headDim]
      Tensor key, // [rows, kvHeads * headDim]
      Tensor value, // [rows, kvHeads * headDim]
      Tensor attended, // [rows, heads * headDim]
      Tensor gate, // [rows, intermediate]
      Tensor up) { // [rows, intermediate]

    /** The rows from one on. */
    Activations from(int row) {
      return row == 0 ? this : slice(row, hidden.rows() - row);
    }

    private Activations slice(long first, long rows) {
      return new Activations(
          hidden.slice(first, rows),
          normed.slice(first, rows),
          query.slice(first, rows),
          key.slice(first, rows),
          value.slice(first, rows),
          attended.slice(first, rows),
          gate.slice(first, rows),
          up.slice(first, rows));
    }
  }

  Workspace(
      Backend backend, ModelConfig config, Decoder decoder, RopeTable modelRope, int capacity) {
    this.backend = backend;
    this.decoder = decoder;
    this.modelRope = modelRope;
    this.capacity = capacity;
    vocabSize = config.vocabSize();
    long hidden = config.hiddenSize();
    long query = (long) config.numAttentionHeads() * config.headDim();
    long key = (long) config.numKeyValueHeads() * config.headDim();
    long intermediate = config.intermediateSize();
    try {
      full =
          new Activations(
              allocate(capacity, hidden),
              allocate(capacity, hidden),
              allocate(capacity, query),
              allocate(capacity, key),
              allocate(capacity, key),
              allocate(capacity, query),
              allocate(capacity, intermediate),
              allocate(capacity, intermediate));
      logits = allocate(Math.min(capacity, LOGIT_ROWS), vocabSize);
      choice = allocate(DType.I32, 1);
      draws = backend.sampleOp().isPresent() ? allocate(DType.I32, 1, Draw.WORDS) : null;
      batch = backend.newBatch(capacity);
    } catch (RuntimeException | Error e) {
      owned.forEach(Tensor::close);
      throw e;
    }
    current = full;
    hostBytes =
        ByteBuffer.allocate(Math.multiplyExact(Math.max(vocabSize, Draw.WORDS), Float.BYTES))
            .order(ByteOrder.LITTLE_ENDIAN);
    hostLogits = hostBytes.asFloatBuffer();
  }

  private Tensor allocate(long rows, long width) {
    return allocate(DType.F32, rows, width);
  }

  private Tensor allocate(DType type, long... shape) {
    Tensor tensor = backend.allocate(type, shape);
    owned.add(tensor);
    return tensor;
  }

  int capacity() {
    return capacity;
  }

  Batch batch() {
    return batch;
  }

  private Activations rows(int rows) {
    if (current.hidden().rows() != rows) {
      current = rows == capacity ? full : full.slice(0, rows);
    }
    return current;
  }

  /** Runs the rows of the batch through all blocks; see {@link Decoder#forward}. */
  void forward(int rows, RopeTable rope, int firstOutput) {
    decoder.forward(batch, rows(rows), rope, firstOutput);
  }

  /** Runs the rows of the batch, and the last of them up to its logits, which become row 0. */
  void forwardToLogits(int rows, RopeTable rope) {
    if (capacity > 1 || rope != modelRope) {
      forward(rows, rope, rows - 1);
      logits(rows - 1, 1);
      return;
    }
    if (decode == null) {
      decode = backend.record(this::decodeRow);
    }
    decode.run();
  }

  private void decodeRow() {
    decoder.forward(batch, full, modelRope, 0);
    decoder.logits(logits, full.normed(), full.hidden());
  }

  /**
   * As {@link #forwardToLogits}, and chooses from the logits; {@link #readChoice} tells what.
   *
   * @param wanted drawn only if the backend has a SampleOp
   */
  void forwardToChoice(int rows, RopeTable rope, Choice wanted) {
    if (wanted.isDrawn()) {
      ((Buffer) hostBytes).clear();
      wanted.draw().put(hostBytes);
      ((Buffer) hostBytes).flip();
      backend.write(draws, hostBytes);
    }
    if (capacity > 1 || rope != modelRope) {
      forwardToLogits(rows, rope);
      choose(wanted.isDrawn());
      return;
    }
    if (wanted.isDrawn()) {
      drawn = drawn != null ? drawn : decodeAndChoose(true);
      drawn.run();
    } else {
      greedy = greedy != null ? greedy : decodeAndChoose(false);
      greedy.run();
    }
  }

  private Step decodeAndChoose(boolean draw) {
    return backend.record(
        () -> {
          decodeRow();
          choose(draw);
        });
  }

  private void choose(boolean draw) {
    Tensor row = logits.rows() == 1 ? logits : logits.slice(0, 1);
    if (draw) {
      backend.sampleOp().get().sample(choice, row, draws);
    } else {
      backend.ops().argmax(choice, row);
    }
  }

  /** Copies the chosen id to the host, after everything enqueued so far. */
  int readChoice() {
    ((Buffer) hostBytes).clear();
    backend.read(choice, hostBytes);
    return hostBytes.getInt(0);
  }

  /** Computes the logits of rows that {@link #forward} has run: at most {@link #logitRows()}. */
  void logits(int firstRow, int count) {
    Tensor hidden = current.hidden().slice(firstRow, count);
    Tensor normed = current.normed().slice(firstRow, count);
    decoder.logits(count == logitRows() ? logits : logits.slice(0, count), normed, hidden);
  }

  /** Rows of logits that can be computed at once. */
  int logitRows() {
    return (int) logits.rows();
  }

  /** Waits until everything enqueued so far has run. */
  void await() {
    ((Buffer) hostBytes).clear();
    backend.read(choice, hostBytes);
  }

  /** Copies a row of logits to the host, after everything enqueued so far. */
  void readLogits(int row, float[] destination) {
    ((Buffer) hostBytes).clear();
    backend.read(logits.rows() == 1 ? logits : logits.slice(row, 1), hostBytes);
    ((Buffer) hostLogits).clear();
    hostLogits.get(destination, 0, vocabSize);
  }

  @Override
  public void close() {
    for (Step step : new Step[] {decode, greedy, drawn}) {
      if (step != null) {
        step.close();
      }
    }
    batch.close();
    owned.forEach(Tensor::close);
  }
}
