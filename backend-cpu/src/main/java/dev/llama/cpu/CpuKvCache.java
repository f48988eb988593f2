package dev.llama.cpu;

import dev.llama.DType;
import dev.llama.InvalidInputException;
import dev.llama.spi.KvCache;
import dev.llama.spi.KvShape;
import java.util.Arrays;

/** Keys and values of one sequence in pages, shared with forks until one of them writes. */
final class CpuKvCache implements KvCache {
  private static final int MAX_PAGE_POSITIONS = 64;
  private static final int MIN_PAGE_POSITIONS = 16; // a vector of the kernels
  private static final long MAX_PAGE_BYTES = 64L << 20;

  private final DirectMemory memory;
  private final KvShape shape;
  private final int pagePositions;
  private final int pageBytes;
  private KvPage[] pages;
  private int pageCount;
  private int length;
  private boolean closed;

  /**
   * Makes an empty cache.
   *
   * @param memory where pages come from
   * @param shape checked here
   */
  CpuKvCache(DirectMemory memory, KvShape shape) {
    this.memory = memory;
    this.shape = shape;
    if (shape.layers() < 1
        || shape.keyValueHeads() < 1
        || shape.headDim() < 1
        || shape.maxPositions() < 1
        || (shape.type() != DType.F32 && shape.type() != DType.F16)) {
      throw new InvalidInputException(
          "KV cache: sizes must be at least 1 and the type F32 or F16, not " + shape);
    }
    long heads = (long) shape.layers() * shape.keyValueHeads();
    long perPosition =
        heads > Integer.MAX_VALUE
            ? Long.MAX_VALUE
            : 2 * heads * shape.headDim() * shape.type().blockBytes();
    if (perPosition > Segments.MAX_BYTES / MIN_PAGE_POSITIONS) {
      throw new InvalidInputException("KV cache: one position of " + shape + " exceeds 64 MiB");
    }
    int positions = MAX_PAGE_POSITIONS;
    while (positions > MIN_PAGE_POSITIONS && positions * perPosition > MAX_PAGE_BYTES) {
      positions /= 2;
    }
    pagePositions = positions;
    pageBytes = (int) (positions * perPosition);
    pages = new KvPage[4];
  }

  private CpuKvCache(CpuKvCache origin) {
    memory = origin.memory;
    shape = origin.shape;
    pagePositions = origin.pagePositions;
    pageBytes = origin.pageBytes;
    pages = new KvPage[origin.pages.length];
    for (int i = 0; i < origin.pageCount; i++) {
      pages[i] = origin.pages[i].share();
    }
    pageCount = origin.pageCount;
    length = origin.length;
  }

  @Override
  public KvShape shape() {
    return shape;
  }

  @Override
  public int length() {
    return length;
  }

  /** Returns how many positions a page holds. */
  int pagePositions() {
    return pagePositions;
  }

  /** Returns the page that holds a position with room. */
  KvPage page(int position) {
    return pages[position / pagePositions];
  }

  /** Returns where the keys of a head begin in every page, in elements. */
  int keyIndex(int layer, int head) {
    return (2 * layer * shape.keyValueHeads() + head) * pagePositions * shape.headDim();
  }

  /** Returns where a value begins in its page, in elements. */
  int valueIndex(int layer, int head, int position) {
    int plane = (2 * layer + 1) * shape.keyValueHeads() + head;
    return (plane * pagePositions + position % pagePositions) * shape.headDim();
  }

  @Override
  public void reserve(int newLength) {
    requireOpen();
    if (newLength < length || newLength > shape.maxPositions()) {
      throw new InvalidInputException(
          "KV cache: cannot reserve "
              + newLength
              + " positions; it may be "
              + length
              + " to "
              + shape.maxPositions());
    }
    int needed = pagesFor(newLength);
    long bytes = (long) (needed - pageCount) * pageBytes;
    memory.requireWithinLimit(bytes, "a KV cache of " + newLength + " positions");
    if (newLength > length) {
      unshare(length, Math.min(newLength, pageCount * pagePositions));
    }
    if (needed > pages.length) {
      pages = Arrays.copyOf(pages, Math.max(needed, 2 * pages.length));
    }
    int before = pageCount;
    try {
      while (pageCount < needed) {
        pages[pageCount] = new KvPage(memory, pageBytes);
        pageCount++;
      }
    } catch (RuntimeException e) {
      drop(before);
      throw e;
    }
    length = newLength;
  }

  /**
   * Copies the pages of positions that are about to be written, where a fork shares them.
   *
   * @param from first position
   * @param to behind the last position
   */
  void unshare(int from, int to) {
    for (int i = from / pagePositions; i < pagesFor(to); i++) {
      if (pages[i].isShared()) {
        KvPage copy = new KvPage(memory, pageBytes);
        copy.copyFrom(pages[i]);
        pages[i].release();
        pages[i] = copy;
      }
    }
  }

  @Override
  public void truncate(int newLength) {
    requireOpen();
    if (newLength < 0 || newLength > length) {
      throw new InvalidInputException(
          "KV cache: cannot truncate to " + newLength + "; it has " + length + " positions");
    }
    drop(pagesFor(newLength));
    length = newLength;
  }

  @Override
  public KvCache fork() {
    requireOpen();
    return new CpuKvCache(this);
  }

  @Override
  public long bytes() {
    return (long) pageCount * pageBytes;
  }

  void requireOpen() {
    if (closed) {
      throw new InvalidInputException("the KV cache is closed");
    }
  }

  private int pagesFor(int positions) {
    return positions / pagePositions + (positions % pagePositions == 0 ? 0 : 1);
  }

  private void drop(int keep) {
    while (pageCount > keep) {
      pages[--pageCount].release();
      pages[pageCount] = null;
    }
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      drop(0);
      length = 0;
    }
  }
}
