package dev.llama.cuda;

import dev.llama.BackendException;
import dev.llama.DType;
import dev.llama.InvalidInputException;
import dev.llama.spi.KvCache;
import dev.llama.spi.KvShape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Keys and values of one sequence in pages of the device's memory, shared with forks until one of
 * them writes. The list of the pages' addresses is on the device as well, so that what is recorded
 * for one length of the sequence runs for every other.
 */
final class CudaKvCache implements KvCache {
  /** Positions of a page; the kernels' {@code KV_PAGE}. */
  static final int PAGE = 64;

  private static final int FIRST_TABLE = 16;

  private final Gpu gpu;
  private final KvShape shape;
  private final long pageBytes;
  private Page[] pages = new Page[4];
  private int pageCount;
  private int length;
  private long table; // device: address of each page
  private int tableCapacity;
  private int tableValid; // entries from 0 on that are as the pages are
  private boolean closed;

  /** Memory that several caches may use. Guarded by the lock of the Gpu. */
  private static final class Page {
    private final long address;
    private int users = 1;

    Page(long address) {
      this.address = address;
    }
  }

  /**
   * Makes an empty cache.
   *
   * @param gpu where
   * @param shape checked here
   */
  CudaKvCache(Gpu gpu, KvShape shape) {
    if (shape.layers() < 1
        || shape.keyValueHeads() < 1
        || shape.headDim() < 1
        || shape.maxPositions() < 1
        || (shape.type() != DType.F32 && shape.type() != DType.F16)) {
      throw new InvalidInputException(
          "KV cache: sizes must be at least 1 and the type F32 or F16, not " + shape);
    }
    this.gpu = gpu;
    this.shape = shape;
    try {
      long perPosition =
          Math.multiplyExact(
              2L * shape.layers() * shape.keyValueHeads(),
              (long) shape.headDim() * shape.type().blockBytes());
      pageBytes = Math.multiplyExact(perPosition, (long) PAGE);
    } catch (ArithmeticException e) {
      throw new InvalidInputException("KV cache: a page of " + shape + " exceeds 2^63 bytes");
    }
  }

  private CudaKvCache(CudaKvCache origin) {
    gpu = origin.gpu;
    shape = origin.shape;
    pageBytes = origin.pageBytes;
    pages = origin.pages.clone();
    pageCount = origin.pageCount;
    length = origin.length;
    for (int i = 0; i < pageCount; i++) {
      pages[i].users++;
    }
  }

  @Override
  public KvShape shape() {
    return shape;
  }

  @Override
  public int length() {
    return length;
  }

  @Override
  public void reserve(int newLength) {
    requireOpen();
    if (newLength < length || newLength > shape.maxPositions()) {
      throw new InvalidInputException(
          "KV cache: cannot reserve "
              + newLength
              + " positions; it has "
              + length
              + " and may have "
              + shape.maxPositions());
    }
    gpu.enter();
    try {
      int before = pageCount;
      requireWithinDevice(pagesFor(newLength));
      try {
        while (pageCount < pagesFor(newLength)) {
          append(new Page(gpu.allocate(pageBytes, "a page of the KV cache")));
        }
        growTable();
        if (newLength > length) {
          unshare(length, Math.min(newLength, before * PAGE));
        }
      } catch (RuntimeException e) {
        drop(before);
        throw e;
      }
      length = newLength;
    } finally {
      gpu.exit();
    }
  }

  /** Refuses at once what the device could not hold even if it were empty. */
  private void requireWithinDevice(long count) {
    long memory = gpu.device().memory();
    if (count > memory / pageBytes) {
      throw new BackendException(
          "out of memory on "
              + gpu.device()
              + ": "
              + count
              + " pages of the KV cache need "
              + (double) count * pageBytes
              + " bytes, the device has "
              + memory
              + "; take a smaller context");
    }
  }

  private void append(Page page) {
    if (pageCount == pages.length) {
      pages = Arrays.copyOf(pages, 2 * pageCount);
    }
    pages[pageCount++] = page;
  }

  private void growTable() {
    if (pageCount > tableCapacity) {
      int capacity = Math.max(FIRST_TABLE, 2 * pageCount);
      long larger = gpu.allocate((long) capacity * Long.BYTES, "the page table of a KV cache");
      if (table != 0) {
        gpu.free(table);
      }
      table = larger;
      tableCapacity = capacity;
      tableValid = 0;
    }
  }

  /**
   * Copies the pages of positions that are about to be written, where a fork shares them.
   *
   * @param from first position
   * @param to behind the last position
   */
  void unshare(int from, int to) {
    gpu.enter();
    try {
      for (int i = from / PAGE; i < pagesFor(to); i++) {
        if (pages[i].users > 1) {
          Page copy = new Page(gpu.allocate(pageBytes, "a copy of a page of the KV cache"));
          gpu.copy(copy.address, pages[i].address, pageBytes);
          pages[i].users--;
          pages[i] = copy;
          tableValid = Math.min(tableValid, i);
        }
      }
    } finally {
      gpu.exit();
    }
  }

  /**
   * Brings the page table on the device up to date. For who has entered the {@link Gpu}.
   *
   * @return its address
   */
  long table() {
    growTable();
    if (tableValid < pageCount) {
      ByteBuffer entries =
          ByteBuffer.allocate((pageCount - tableValid) * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
      for (int i = tableValid; i < pageCount; i++) {
        entries.putLong(pages[i].address);
      }
      entries.flip();
      gpu.transfers().upload(table + (long) tableValid * Long.BYTES, entries);
      tableValid = pageCount;
    }
    return table;
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
    gpu.enter();
    try {
      return new CudaKvCache(this);
    } finally {
      gpu.exit();
    }
  }

  @Override
  public long bytes() {
    return pageCount * pageBytes;
  }

  void requireOpen() {
    if (closed || gpu.isClosed()) {
      throw new InvalidInputException("the KV cache is closed");
    }
  }

  private static int pagesFor(int positions) {
    return positions / PAGE + (positions % PAGE == 0 ? 0 : 1);
  }

  private void drop(int keep) {
    if (gpu.isClosed()) {
      return; // all memory has been given back
    }
    gpu.enter();
    try {
      while (pageCount > keep) {
        Page page = pages[--pageCount];
        pages[pageCount] = null;
        if (--page.users == 0) {
          gpu.free(page.address);
        }
      }
      tableValid = Math.min(tableValid, pageCount);
    } finally {
      gpu.exit();
    }
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      drop(0);
      length = 0;
      if (table != 0) {
        gpu.free(table);
        table = 0;
      }
    }
  }
}
