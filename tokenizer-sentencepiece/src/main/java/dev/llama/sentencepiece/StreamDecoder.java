package dev.llama.sentencepiece;

import dev.llama.Tokenizer;

/** Turns tokens into text one by one, as {@link SurfaceTable#decode} does it for all at once. */
final class StreamDecoder implements Tokenizer.Decoder {
  private final SurfaceTable surface;
  private final byte[] pending = new byte[4]; // the start of a character, always fewer than 4 bytes
  private int count;
  private boolean begun; // whether the text's leading space is behind us

  StreamDecoder(SurfaceTable surface) {
    this.surface = surface;
  }

  @Override
  public String append(int id) {
    surface.check(id);
    if (!begun && !surface.beginsText(id)) {
      return "";
    }
    boolean first = !begun;
    begun = true;
    int value = surface.byteValue(id);
    if (value < 0) {
      // Another token ends the run of bytes; what is incomplete now stays so.
      return takePending() + (first ? surface.firstText(id) : surface.text(id));
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
    begun = false;
    return takePending();
  }

  private String takePending() {
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
