package dev.llama.cpu;

import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Keys and values of all layers for a run of positions. What one head of one layer holds is one
 * matrix: keys [headDim][positions], values [positions][headDim], so that scores and sums of values
 * are both taken by whole vectors. They lie as [layer][keys, values][head]. Counts the caches that
 * share it.
 */
final class KvPage {
  final Segment data;
  private final ByteBuffer buffer;
  private final DirectMemory memory;
  private final AtomicInteger references = new AtomicInteger(1);

  /**
   * Takes memory for a page.
   *
   * @param memory where from
   * @param bytes size
   */
  KvPage(DirectMemory memory, int bytes) {
    this.memory = memory;
    this.buffer = memory.allocate(bytes, "a page of a KV cache");
    this.data = new Segment(buffer);
  }

  KvPage share() {
    references.incrementAndGet();
    return this;
  }

  boolean isShared() {
    return references.get() > 1;
  }

  void release() {
    if (references.decrementAndGet() == 0) {
      memory.release(buffer);
    }
  }

  void copyFrom(KvPage other) {
    data.bytes.put(0, other.data.bytes, 0, data.bytes.limit());
  }
}
