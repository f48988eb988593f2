package dev.llama.cuda;

import dev.llama.InvalidInputException;
import dev.llama.spi.Step;
import java.util.IdentityHashMap;
import java.util.Map;

/**
 * A sequence of operations as a CUDA graph: one call of the driver in place of hundreds. It is made
 * at the first run, and made anew when what it was made for has changed: the structure of a batch,
 * or where the work space is.
 */
final class CudaStep implements Step {
  private final Gpu gpu;
  private final CudaOps ops;
  private final Runnable body;
  private final Map<CudaBatch, CudaBatch.Structure> batches = new IdentityHashMap<>();
  private long graph;
  private int scratchGeneration;
  private boolean closed;

  /**
   * Prepares a step; nothing is called yet.
   *
   * @param gpu where
   * @param ops tell which batches they are given
   * @param body calls operations
   */
  CudaStep(Gpu gpu, CudaOps ops, Runnable body) {
    this.gpu = gpu;
    this.ops = ops;
    this.body = body;
  }

  @Override
  public void run() {
    gpu.enter();
    try {
      if (closed) {
        throw new InvalidInputException("the step is closed");
      }
      if (gpu.isPlanning() || gpu.isCapturing()) {
        throw new InvalidInputException("a step cannot be run while another is recorded");
      }
      if (graph == 0 || !isCurrent()) {
        capture();
      }
      gpu.launchGraph(graph);
    } finally {
      gpu.exit();
    }
  }

  private boolean isCurrent() {
    if (scratchGeneration != gpu.scratchGeneration()) {
      return false;
    }
    for (Map.Entry<CudaBatch, CudaBatch.Structure> entry : batches.entrySet()) {
      if (!entry.getKey().structure().equals(entry.getValue())) {
        return false;
      }
    }
    return true;
  }

  private void capture() {
    discard();
    batches.clear();
    ops.watchBatches(batch -> batches.put(batch, batch.structure()));
    try {
      graph = gpu.capture(body);
    } finally {
      ops.watchBatches(null);
    }
    scratchGeneration = gpu.scratchGeneration();
  }

  private void discard() {
    if (graph != 0) {
      gpu.destroyGraph(graph);
      graph = 0;
    }
  }

  @Override
  public void close() {
    closed = true;
    discard();
  }
}
