package dev.llama.train.data;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * Documents that are windows of FASTA records. A record is never held in memory, however long; to
 * go on in the middle of one, no more than the offset is needed.
 */
final class FastaReader extends DocumentReader {
  private final FastaOptions options;
  private final ByteBuilder window = new ByteBuilder();
  private boolean inLine; // whether something of the present line has been read

  FastaReader(Path file, ByteSource in, FastaOptions options) {
    super(file, in);
    this.options = options;
  }

  @Override
  String next() throws IOException {
    window.clear();
    boolean fileStart = in.offset() == 0;
    while (window.size() < options.window()) {
      int b = in.peek();
      if (b < 0 || b == '>' && !inLine && window.size() > 0) {
        break;
      }
      if ((b == '>' || b == ';') && !inLine) {
        in.skipLine(); // a header, or the comments of old files
        fileStart = false;
      } else if (b == '\n' || b == '\r' || b == ' ' || b == '\t') {
        inLine &= b != '\n';
        in.read();
      } else if (fileStart) {
        throw broken(in.line(), "begins with " + describe(b) + ", expected '>' and a name");
      } else if (isGap(b) && options.gaps() != FastaOptions.Gaps.KEEP) {
        if (options.gaps() == FastaOptions.Gaps.SPLIT && window.size() > 0) {
          break;
        }
        inLine = true;
        in.read();
      } else {
        window.append(residue(b));
        inLine = true;
        in.read();
      }
    }
    return window.size() == 0
        ? null
        : new String(window.array(), 0, window.size(), StandardCharsets.US_ASCII);
  }

  private static boolean isGap(int b) {
    return b == 'N' || b == 'n' || b == '-';
  }

  private int residue(int b) {
    boolean lower = b >= 'a' && b <= 'z';
    if (!lower && !(b >= 'A' && b <= 'Z') && b != '*' && b != '-') {
      throw broken(
          in.line(), describe(b) + " in a sequence, expected letters, '*', '-' or the next '>'");
    }
    return lower && options.letterCase() == FastaOptions.Case.UPPER ? b - 'a' + 'A' : b;
  }

  private static String describe(int b) {
    return b > ' ' && b < 0x7F ? "'" + (char) b + "'" : String.format("the byte 0x%02x", b);
  }
}
