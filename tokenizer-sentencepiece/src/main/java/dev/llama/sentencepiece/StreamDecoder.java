package dev.llama.sentencepiece;

import dev.llama.Tokenizer;

/** Turns tokens into text one by one. Keeps every space: what it decodes continues a text. */
final class StreamDecoder implements Tokenizer.Decoder {
  private final SurfaceTable surface;
  private final byte[] pending = new byte[4]; // the start of a character, always fewer than 4 bytes
  private int count;

  StreamDecoder(SurfaceTable surface) {
    this.surface = surface;
  }

  @Override
  public String append(int id) {
    surface.check(id);
    int value = surface.byteValue(id);
    if (value < 0) {
      // Another token ends the run of bytes; what is incomplete now stays so.
      return flush() + surface.text(id);
    }
    pending[count++] = (byte) value;
    int done = 0;
    while (done < count) {
      int length = Utf8.length(pending, done, count);
      if (length == 0) {
        break;
      }
      done += Math.abs(length);
    }
    String text = take(done);
    System.arraycopy(pending, done, pending, 0, count - done);
    count -= done;
    return text;
  }

  @Override
  public String flush() {
    String text = take(count);
    count = 0;
    return text;
  }

  private String take(int bytes) {
    if (bytes == 0) {
      return "";
    }
    char[] out = new char[bytes];
    return new String(out, 0, Utf8.decode(pending, 0, bytes, out, 0));
  }
}
