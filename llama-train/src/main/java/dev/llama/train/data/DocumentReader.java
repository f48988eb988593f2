package dev.llama.train.data;

import dev.llama.FormatException;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * Reads the documents of a file, one after another. Between two documents {@link #offset} and
 * {@link #line} say where to go on: a new reader from there returns the same documents.
 */
abstract class DocumentReader implements Closeable {
  /** A document has to fit into memory several times, as text and as tokens. */
  static final int MAX_DOCUMENT_BYTES = 64 << 20;

  /** The file, for messages. */
  final Path file;

  final ByteSource in;

  DocumentReader(Path file, ByteSource in) {
    this.file = file;
    this.in = in;
  }

  /**
   * Returns the next document.
   *
   * @return text that is not empty, or {@code null} at the end of the file
   * @throws FormatException if it is broken: names file and line
   */
  abstract String next() throws IOException;

  final long offset() {
    return in.offset();
  }

  final long line() {
    return in.line();
  }

  final FormatException broken(long line, String problem) {
    return new FormatException(file, "line " + line + ": " + problem);
  }

  final FormatException tooLong(long line, String cure) {
    return broken(
        line,
        "a document of more than " + (MAX_DOCUMENT_BYTES >> 20) + " MiB begins here; " + cure);
  }

  /** Decodes UTF-8 that begins in a line. */
  final String decode(ByteBuilder bytes, long firstLine) {
    String text = new String(bytes.array(), 0, bytes.size(), StandardCharsets.UTF_8);
    if (text.indexOf('\uFFFD') >= 0) {
      requireUtf8(bytes, firstLine);
    }
    return text;
  }

  private void requireUtf8(ByteBuilder bytes, long firstLine) {
    CharsetDecoder decoder =
        StandardCharsets.UTF_8
            .newDecoder()
            .onMalformedInput(CodingErrorAction.REPORT)
            .onUnmappableCharacter(CodingErrorAction.REPORT);
    ByteBuffer source = ByteBuffer.wrap(bytes.array(), 0, bytes.size());
    CharBuffer target = CharBuffer.allocate(bytes.size());
    CoderResult result = decoder.decode(source, target, true);
    if (!result.isError()) {
      return; // the text holds U+FFFD itself
    }
    long line = firstLine;
    for (int i = 0; i < source.position(); i++) {
      if (bytes.array()[i] == '\n') {
        line++;
      }
    }
    throw broken(
        line,
        String.format(
            "the byte 0x%02x is not UTF-8 here; save the file as UTF-8, or leave it out",
            bytes.array()[source.position()]));
  }

  @Override
  public void close() throws IOException {
    in.close();
  }
}
