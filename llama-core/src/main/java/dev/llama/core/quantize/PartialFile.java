package dev.llama.core.quantize;

import dev.llama.InvalidInputException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/**
 * A file that appears under its name when it is complete, and not at all otherwise. Until then it
 * is hidden beside its place. Several threads may write.
 */
final class PartialFile implements AutoCloseable {
  private final Path target;
  private final Path hidden;
  private final FileChannel channel;
  private boolean complete;

  private PartialFile(Path target, Path hidden, FileChannel channel) {
    this.target = target;
    this.hidden = hidden;
    this.channel = channel;
  }

  /**
   * Creates a file.
   *
   * @param target its place
   * @throws InvalidInputException if the folder is missing or cannot be written to
   */
  static PartialFile create(Path target) {
    Path hidden =
        target.resolveSibling(
            "." + target.getFileName() + "." + Long.toHexString(System.nanoTime()) + ".part");
    try {
      FileChannel channel =
          FileChannel.open(hidden, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
      return new PartialFile(target, hidden, channel);
    } catch (IOException e) {
      throw cannotWrite(target, e);
    }
  }

  static InvalidInputException cannotWrite(Path target, IOException e) {
    InvalidInputException failure =
        new InvalidInputException(
            target + ": cannot be written, and nothing is left of it: " + e.getMessage());
    failure.initCause(e);
    return failure;
  }

  /** Writes bytes at a place in the file. */
  void write(ByteBuffer bytes, long position) throws IOException {
    long at = position;
    while (bytes.hasRemaining()) {
      at += channel.write(bytes, at);
    }
  }

  /** Gives the file its size; what is not written is 0. */
  void extend(long size) throws IOException {
    if (channel.size() < size) {
      write(ByteBuffer.allocate(1), size - 1);
    }
  }

  /** Puts the file, which is on the disk by then, in its place. */
  void complete(boolean overwrite) throws IOException {
    channel.force(true);
    channel.close();
    if (!overwrite && Files.exists(target)) {
      throw new IOException("there is a file of that name by now");
    }
    try {
      Files.move(hidden, target, StandardCopyOption.ATOMIC_MOVE);
    } catch (AtomicMoveNotSupportedException e) {
      Files.move(hidden, target, StandardCopyOption.REPLACE_EXISTING);
    }
    complete = true;
  }

  /** Deletes the file unless it is complete. Idempotent. */
  @Override
  public void close() {
    try {
      channel.close();
      if (!complete) {
        Files.deleteIfExists(hidden);
      }
    } catch (IOException e) {
      throw cannotWrite(target, e);
    }
  }
}
