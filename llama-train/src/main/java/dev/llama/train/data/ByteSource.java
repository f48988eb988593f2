package dev.llama.train.data;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;

/** The bytes of a file from some place on, with the number of the line that each is in. */
final class ByteSource implements Closeable {
  private static final int BUFFER_BYTES = 1 << 16;

  private final SeekableByteChannel channel;
  private final ByteBuffer buffer = ByteBuffer.allocate(BUFFER_BYTES).limit(0);
  private final byte[] bytes = buffer.array();
  private long bufferStart; // offset in the file of the buffer's first byte
  private int at;
  private int limit;
  private long line;

  /**
   * Opens a file.
   *
   * @param offset of the first byte to be read
   * @param line number of the line that this byte is in, from 1
   */
  ByteSource(Path file, long offset, long line) throws IOException {
    this.channel = Files.newByteChannel(file);
    this.line = line;
    bufferStart = offset;
    try {
      channel.position(offset);
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  /** Returns the next byte, 0 to 255, or -1 at the end, and goes on behind it. */
  int read() throws IOException {
    int b = peek();
    if (b >= 0) {
      at++;
      if (b == '\n') {
        line++;
      }
    }
    return b;
  }

  /** Returns the next byte, 0 to 255, or -1 at the end, and stays there. */
  int peek() throws IOException {
    return at < limit || fill() ? bytes[at] & 0xFF : -1;
  }

  /**
   * Appends the rest of a line, without its line end, to a buffer and goes on behind it.
   *
   * @param mostBytes what the buffer may hold at most
   * @return what there was
   */
  Line readLine(ByteBuilder out, int mostBytes) throws IOException {
    boolean any = false;
    while (at < limit || fill()) {
      any = true;
      int start = at;
      while (at < limit && bytes[at] != '\n') {
        at++;
      }
      if (out.size() + (at - start) > mostBytes) {
        return Line.TOO_LONG;
      }
      out.append(bytes, start, at - start);
      if (at < limit) {
        at++;
        line++;
        out.dropCarriageReturn();
        return Line.READ;
      }
    }
    return any ? Line.READ : Line.NONE;
  }

  /** What {@link #readLine} found. */
  enum Line {
    /** A line, perhaps an empty one. */
    READ,
    /** The end of the file. */
    NONE,
    /** More than fits. */
    TOO_LONG
  }

  /** Passes over the rest of a line. */
  void skipLine() throws IOException {
    while (read() != '\n') {
      if (peek() < 0) {
        return;
      }
    }
  }

  /** Returns the offset in the file of the next byte. */
  long offset() {
    return bufferStart + at;
  }

  /** Returns the number of the line that the next byte is in, from 1. */
  long line() {
    return line;
  }

  private boolean fill() throws IOException {
    bufferStart += limit;
    at = 0;
    buffer.clear();
    limit = Math.max(channel.read(buffer), 0);
    return limit > 0;
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
