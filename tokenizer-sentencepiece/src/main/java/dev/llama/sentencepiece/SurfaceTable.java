package dev.llama.sentencepiece;

import dev.llama.InvalidInputException;
import dev.llama.sentencepiece.Definition.Piece;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** The text of every token, end to end in one array, and the decoding of sequences. Immutable. */
final class SurfaceTable {
  private static final int NO_BYTE = -1;

  private final char[] chars;
  private final int[] starts; // by id, and the end behind the last
  private final short[] bytes; // value of a byte token, or NO_BYTE
  private final boolean[] startsWithSpace;
  private final boolean dropLeadingSpace;
  private final boolean dropLeadingSpaces;

  SurfaceTable(Definition definition) {
    List<Piece> pieces = definition.pieces();
    dropLeadingSpace = definition.surface().dropLeadingSpace();
    dropLeadingSpaces = definition.surface().dropLeadingSpaces();
    starts = new int[pieces.size() + 1];
    bytes = new short[pieces.size()];
    startsWithSpace = new boolean[pieces.size()];
    StringBuilder all = new StringBuilder();
    for (int id = 0; id < pieces.size(); id++) {
      Piece piece = pieces.get(id);
      bytes[id] = NO_BYTE;
      switch (piece.type()) {
        case CONTROL -> {}
        case UNKNOWN -> all.append(definition.surface().unknown());
        case BYTE -> {
          bytes[id] = (short) Piece.byteValue(piece.text());
          all.append(' '); // room for one unit
        }
        default -> {
          all.append(BytePairEncoder.plain(piece.text()));
          startsWithSpace[id] =
              !piece.text().isEmpty() && piece.text().charAt(0) == Definition.META_SPACE;
        }
      }
      starts[id + 1] = all.length();
    }
    chars = new char[all.length()];
    all.getChars(0, chars.length, chars, 0);
  }

  int size() {
    return bytes.length;
  }

  void check(int id) {
    if (id < 0 || id >= bytes.length) {
      throw new InvalidInputException(
          "token id " + id + " is not in the vocabulary, which has ids 0 to " + (bytes.length - 1));
    }
  }

  /** The value of a byte token, or a negative number. */
  int byteValue(int id) {
    return bytes[id];
  }

  /** The text of a token that is no byte token. */
  String text(int id) {
    return new String(chars, starts[id], starts[id + 1] - starts[id]);
  }

  String decode(int[] ids) {
    long capacity = 0;
    for (int id : ids) {
      check(id);
      capacity += starts[id + 1] - starts[id];
    }
    if (capacity > Integer.MAX_VALUE - 8) {
      throw new InvalidInputException(
          ids.length + " tokens have " + capacity + " characters; decode them in parts");
    }
    char[] out = new char[(int) capacity];
    int length = 0;
    int i = firstWithText(ids);
    int from = i < ids.length ? starts[ids[i]] + droppedChars(ids[i]) : 0;
    while (i < ids.length) {
      int id = ids[i];
      if (bytes[id] >= 0) {
        int end = endOfBytes(ids, i);
        length = Utf8.decode(byteRun(ids, i, end), 0, end - i, out, length);
        i = end;
      } else {
        int to = starts[id + 1];
        for (int j = from; j < to; j++) {
          out[length++] = chars[j];
        }
        i++;
      }
      from = i < ids.length ? starts[ids[i]] : 0;
    }
    return new String(out, 0, length);
  }

  byte[] decodeBytes(int[] ids) {
    for (int id : ids) {
      check(id);
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    int first = firstWithText(ids);
    for (int i = first; i < ids.length; i++) {
      int id = ids[i];
      if (bytes[id] >= 0) {
        out.write(bytes[id]);
      } else {
        byte[] text = text(id).getBytes(StandardCharsets.UTF_8);
        int from = i == first ? droppedChars(id) : 0;
        out.write(text, from, text.length - from);
      }
    }
    return out.toByteArray();
  }

  /** The token with which the text begins: those before it have no text, or a dropped space. */
  private int firstWithText(int[] ids) {
    int i = 0;
    while (i < ids.length && !beginsText(ids[i])) {
      i++;
    }
    return i;
  }

  /** Whether something of this token is left when it is the first of a text. */
  boolean beginsText(int id) {
    int length = starts[id + 1] - starts[id];
    boolean dropped = dropLeadingSpaces && length == 1 && startsWithSpace[id];
    return bytes[id] >= 0 || (length > 0 && !dropped);
  }

  /** The text of a token that is no byte token, where it is the first of a text. */
  String firstText(int id) {
    return text(id).substring(droppedChars(id));
  }

  /** How many characters the first token with text loses: its leading space. */
  private int droppedChars(int id) {
    return dropLeadingSpace && startsWithSpace[id] ? 1 : 0;
  }

  private int endOfBytes(int[] ids, int from) {
    int end = from;
    while (end < ids.length && bytes[ids[end]] >= 0) {
      end++;
    }
    return end;
  }

  private byte[] byteRun(int[] ids, int from, int to) {
    byte[] run = new byte[to - from];
    for (int i = from; i < to; i++) {
      run[i - from] = (byte) bytes[ids[i]];
    }
    return run;
  }
}
