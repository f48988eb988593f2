package dev.llama.sentencepiece;

import dev.llama.FormatException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * Walks over the fields of one protobuf message. After {@link #next()} a field is either read by
 * one of the value methods, which check its wire type, or left by {@link #skip()}.
 */
final class ProtobufReader {
  private static final int VARINT = 0;
  private static final int FIXED64 = 1;
  private static final int LENGTH_DELIMITED = 2;
  private static final int FIXED32 = 5;

  private final Path origin;
  private final byte[] bytes;
  private final int end;
  private final CharsetDecoder utf8;
  private int position;
  private int field;
  private int wireType;

  ProtobufReader(Path origin, byte[] bytes) {
    this(origin, bytes, 0, bytes.length, StandardCharsets.UTF_8.newDecoder());
    utf8.onMalformedInput(CodingErrorAction.REPORT);
    utf8.onUnmappableCharacter(CodingErrorAction.REPORT);
  }

  private ProtobufReader(Path origin, byte[] bytes, int start, int end, CharsetDecoder utf8) {
    this.origin = origin;
    this.bytes = bytes;
    this.position = start;
    this.end = end;
    this.utf8 = utf8;
  }

  /** Goes to the next field; false at the end of the message. */
  boolean next() {
    if (position == end) {
      return false;
    }
    long tag = varint();
    field = (int) (tag >>> 3);
    wireType = (int) (tag & 7);
    if (tag >>> 32 != 0 || field == 0) {
      throw broken("field number " + (tag >>> 3) + ", expected 1 to 536870911");
    }
    return true;
  }

  /** The number of the current field. */
  int field() {
    return field;
  }

  long integer() {
    expect(VARINT);
    return varint();
  }

  boolean bool() {
    return integer() != 0;
  }

  float float32() {
    expect(FIXED32);
    int at = advance(4);
    return Float.intBitsToFloat(
        bytes[at] & 255
            | (bytes[at + 1] & 255) << 8
            | (bytes[at + 2] & 255) << 16
            | bytes[at + 3] << 24);
  }

  String string() {
    expect(LENGTH_DELIMITED);
    int length = length();
    int at = advance(length);
    try {
      return utf8.decode(ByteBuffer.wrap(bytes, at, length)).toString();
    } catch (CharacterCodingException e) {
      throw new FormatException(
          origin, "field " + field + " at byte " + at + " is no valid UTF-8 text", e);
    }
  }

  /** The length of the current field's contents, which are passed over. */
  int skippedLength() {
    expect(LENGTH_DELIMITED);
    int length = length();
    advance(length);
    return length;
  }

  ProtobufReader message() {
    expect(LENGTH_DELIMITED);
    int length = length();
    int at = advance(length);
    return new ProtobufReader(origin, bytes, at, at + length, utf8);
  }

  void skip() {
    switch (wireType) {
      case VARINT -> varint();
      case FIXED64 -> advance(8);
      case LENGTH_DELIMITED -> advance(length());
      case FIXED32 -> advance(4);
      default ->
          throw broken("field " + field + " has wire type " + wireType + ", expected 0, 1, 2 or 5");
    }
  }

  /** A complaint about the place that was reached. */
  FormatException broken(String problem) {
    return new FormatException(
        origin,
        problem
            + " (at byte "
            + position
            + " of "
            + bytes.length
            + "); the file is damaged or no SentencePiece model, fetch it again");
  }

  private void expect(int type) {
    if (wireType != type) {
      throw broken("field " + field + " has wire type " + wireType + ", expected " + type);
    }
  }

  private int length() {
    long length = varint();
    if (length < 0 || length > end - position) {
      throw broken(
          "field "
              + field
              + " has length "
              + Long.toUnsignedString(length)
              + ", but only "
              + (end - position)
              + " bytes are left");
    }
    return (int) length;
  }

  private int advance(int count) {
    int at = position;
    if (count > end - position) {
      throw broken(
          "field "
              + field
              + " needs "
              + count
              + " bytes, but only "
              + (end - position)
              + " are left");
    }
    position += count;
    return at;
  }

  private long varint() {
    long value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      if (position == end) {
        throw broken("the data stop inside a number");
      }
      byte b = bytes[position++];
      value |= (long) (b & 127) << shift;
      if (b >= 0) {
        return value;
      }
    }
    throw broken("a number is longer than ten bytes");
  }
}
