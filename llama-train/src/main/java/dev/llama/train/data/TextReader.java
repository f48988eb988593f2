package dev.llama.train.data;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;

/** Documents of plain text. */
final class TextReader extends DocumentReader {
  private static final byte[] BYTE_ORDER_MARK = {(byte) 0xEF, (byte) 0xBB, (byte) 0xBF};

  private final DocumentRule.Kind rule;
  private final byte[] separator;
  private final ByteBuilder document = new ByteBuilder();

  TextReader(Path file, ByteSource in, DocumentRule rule) {
    super(file, in);
    this.rule = rule.kind();
    this.separator = rule.separator().getBytes(StandardCharsets.UTF_8);
  }

  @Override
  String next() throws IOException {
    while (true) {
      document.clear();
      boolean fileStart = in.offset() == 0;
      long firstLine = in.line();
      boolean more = true;
      while (more) {
        int start = document.size();
        long line = in.line();
        ByteSource.Line found = in.readLine(document, MAX_DOCUMENT_BYTES);
        if (found == ByteSource.Line.TOO_LONG) {
          throw tooLong(firstLine, "choose another rule of where documents end, or cut the file");
        }
        if (fileStart && start == 0) {
          dropByteOrderMark();
        }
        if (found == ByteSource.Line.NONE) {
          if (start == 0) {
            return null;
          }
          more = false;
        } else if (endsDocument(start)) {
          document.truncate(rule == DocumentRule.Kind.LINE ? document.size() : start);
          more = false;
        } else if (start == 0 && document.isBlank(0)) {
          document.clear(); // before the document's first line
        } else {
          if (start == 0) {
            firstLine = line;
          }
          document.append('\n');
        }
      }
      trimLineEnds();
      if (!document.isBlank(0)) {
        return decode(document, firstLine);
      }
    }
  }

  private boolean endsDocument(int lineStart) {
    return switch (rule) {
      case LINE -> true;
      case FILE -> false;
      case BLANK_LINE -> lineStart > 0 && document.isBlank(lineStart);
      case SEPARATOR -> document.isTrimmed(lineStart, separator);
    };
  }

  private void dropByteOrderMark() {
    if (document.size() >= 3 && startsWithMark()) {
      byte[] rest = Arrays.copyOfRange(document.array(), 3, document.size());
      document.clear();
      document.append(rest, 0, rest.length);
    }
  }

  private boolean startsWithMark() {
    return Arrays.equals(document.array(), 0, 3, BYTE_ORDER_MARK, 0, 3);
  }

  private void trimLineEnds() {
    int size = document.size();
    while (size > 0 && document.array()[size - 1] == '\n') {
      size--;
    }
    document.truncate(size);
  }
}
