package dev.llama.core.files;

import dev.llama.FormatException;
import dev.llama.InvalidInputException;
import dev.llama.spi.TensorData;
import java.io.IOException;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * A read-only mapping of a file of any size. The file must not shrink while it is mapped: the
 * operating system answers a read beyond its end with a fault that Java cannot turn into an
 * ordinary exception. Thread-safe.
 *
 * <p>One Java mapping ends at 2 GiB - 1, so a larger file is mapped in segments. They begin every
 * GiB and are almost twice as long; the overlap costs address space only and puts any slice of up
 * to {@link TensorData#MAX_SLICE} bytes inside one segment.
 */
final class MappedFile implements AutoCloseable {
  /** Distance between the starts of segments. */
  private static final long STRIDE = TensorData.MAX_SLICE;

  private final Path path;
  private final long size;
  private volatile ByteBuffer[] segments;

  private MappedFile(Path path, long size, ByteBuffer[] segments) {
    this.path = path;
    this.size = size;
    this.segments = segments;
  }

  /**
   * Maps a file. Nothing is read yet.
   *
   * @param path a regular file, or a link to one
   * @return the mapping
   * @throws FormatException if the file is missing or cannot be read or mapped
   */
  static MappedFile open(Path path) {
    if (!Files.isRegularFile(path)) {
      throw new FormatException(
          path, Files.exists(path) ? "is not a regular file" : "there is no such file");
    }
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      long size = channel.size();
      ByteBuffer[] segments = new ByteBuffer[segmentCount(size)];
      for (int i = 0; i < segments.length; i++) {
        long start = i * STRIDE;
        segments[i] =
            channel.map(MapMode.READ_ONLY, start, Math.min(size - start, Integer.MAX_VALUE));
      }
      return new MappedFile(path, size, segments);
    } catch (IOException e) {
      throw new FormatException(path, "cannot be mapped into memory: " + e, e);
    }
  }

  /** The last segment must reach the end of the file; an empty file has none. */
  private static int segmentCount(long size) {
    if (size == 0) {
      return 0;
    }
    long beyondFirst = Math.max(0, size - Integer.MAX_VALUE);
    return Math.toIntExact(1 + (beyondFirst + STRIDE - 1) / STRIDE);
  }

  /**
   * Returns the mapped file.
   *
   * @return path as given
   */
  Path path() {
    return path;
  }

  /**
   * Returns the size of the file when it was opened.
   *
   * @return bytes
   */
  long size() {
    return size;
  }

  /**
   * Returns part of the file.
   *
   * @param offset first byte of the file, from 0
   * @param length bytes, at most {@link TensorData#MAX_SLICE}
   * @return a read-only, little-endian, direct buffer with position 0 and that limit
   * @throws InvalidInputException if the range is outside the file, or the mapping is closed
   */
  ByteBuffer slice(long offset, int length) {
    if (offset < 0 || length < 0 || length > TensorData.MAX_SLICE || offset > size - length) {
      throw new InvalidInputException(
          path + ": cannot slice " + length + " bytes from " + offset + ", the file has " + size);
    }
    ByteBuffer[] mapped = segments;
    if (mapped == null) {
      throw new InvalidInputException(path + ": is closed");
    }
    if (mapped.length == 0) {
      return ByteBuffer.allocateDirect(0).asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }
    int index = (int) Math.min(offset / STRIDE, mapped.length - 1);
    int start = (int) (offset - index * STRIDE);
    ByteBuffer view = mapped[index].duplicate();
    // Through Buffer: on Android 8 ByteBuffer has no position and limit of its own return type.
    Buffer bounds = view;
    bounds.limit(start + length);
    bounds.position(start);
    return view.slice().order(ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * Lets go of the mapping. Java unmaps it when the garbage collector finds that no slice is left;
   * on Windows the file cannot be deleted until then. There is no earlier safe moment: a slice in
   * use by another thread would read unmapped memory.
   */
  @Override
  public void close() {
    segments = null;
  }
}
