package dev.llama.core.files;

import static dev.llama.core.files.Faults.fault;

import dev.llama.FormatException;
import dev.llama.spi.Texts;
import java.math.BigInteger;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Reads the header of a GGUF file from front to back. Every count and length is compared with the
 * bytes that are left before anything is allocated from it.
 */
final class GgufReader {
  private static final int UINT8 = 0;
  private static final int INT8 = 1;
  private static final int UINT16 = 2;
  private static final int INT16 = 3;
  static final int UINT32 = 4;
  static final int INT32 = 5;
  static final int FLOAT32 = 6;
  static final int BOOL = 7;
  static final int STRING = 8;
  static final int ARRAY = 9;
  private static final int UINT64 = 10;
  private static final int INT64 = 11;
  private static final int FLOAT64 = 12;

  /** Least bytes of one value, or of one element of an array, by type. */
  private static final int[] LEAST_BYTES = {1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};

  /** Bytes that a text of a vocabulary takes, with its length, or a little more. */
  private static final int TYPICAL_TEXT = 20;

  /** Key length, a key of one byte, value type, a value of one byte. */
  private static final int LEAST_ENTRY = 8 + 1 + 4 + 1;

  private final Path path;
  private final ByteBuffer bytes;
  private final CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder();

  /**
   * Starts at the first byte.
   *
   * @param path file, for messages
   * @param bytes the first bytes of the file; the header must end within them
   */
  GgufReader(Path path, ByteBuffer bytes) {
    this.path = path;
    this.bytes = bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Bytes of the file, from the start up to the end. */
  record Range(int start, int end) {}

  /** Returns the number of bytes read so far. */
  int position() {
    return bytes.position();
  }

  int uint32Bits(String what) {
    require(Integer.BYTES, what);
    return bytes.getInt();
  }

  /** Reads an unsigned 64-bit number that must fit a signed one. */
  long uint64(String what) {
    require(Long.BYTES, what);
    long value = bytes.getLong();
    if (value < 0) {
      throw fault(path, "%s is %s, expected less than 2^63", what, Long.toUnsignedString(value));
    }
    return value;
  }

  /** Reads a number of things that take at least so many bytes each. */
  int count(String what, int leastBytes) {
    long count = uint64(what);
    long most = bytes.remaining() / leastBytes;
    if (count > most) {
      throw fault(
          path,
          "%s is %d, but the header has room for at most %d; the file is cut off or broken",
          what,
          count,
          most);
    }
    return (int) count;
  }

  String string(String what) {
    int length = count("length of " + what, 1);
    ByteBuffer text = bytes.slice();
    ((Buffer) text).limit(length);
    skip(length);
    try {
      return decoder.decode(text).toString();
    } catch (CharacterCodingException e) {
      throw new FormatException(path, what + " is not valid UTF-8", e);
    }
  }

  private void skip(int length) {
    ((Buffer) bytes).position(bytes.position() + length);
  }

  private void require(int length, String what) {
    if (bytes.remaining() < length) {
      throw fault(path, "ends within the header, at %s; the file is cut off or broken", what);
    }
  }

  /**
   * Reads all metadata.
   *
   * @param count number of entries
   * @param stored receives where the type and bytes of each value are
   * @return values by key, in the file's order, not modifiable: Long (BigInteger above 2^63 - 1),
   *     Double, Boolean, String; arrays as int[] (up to 32 bits signed, 16 unsigned), long[]
   *     (unsigned 64-bit numbers keep their bits), float[], double[], boolean[], Texts
   */
  Map<String, Object> metadata(int count, Map<String, Range> stored) {
    Map<String, Object> metadata = new LinkedHashMap<>();
    for (int i = 0; i < count; i++) {
      String key = string("key " + i);
      if (key.isEmpty()) {
        throw fault(path, "metadata key %d is empty", i);
      }
      int start = position();
      if (metadata.putIfAbsent(key, value(key, type(key))) != null) {
        throw fault(path, "metadata key %s occurs twice", key);
      }
      stored.put(key, new Range(start, position()));
    }
    return Collections.unmodifiableMap(metadata);
  }

  /** Reads the number of metadata entries. */
  int metadataCount() {
    return count("number of metadata entries", LEAST_ENTRY);
  }

  private int type(String key) {
    int type = uint32Bits("type of " + key);
    if (type < 0 || type >= LEAST_BYTES.length) {
      throw fault(
          path,
          "metadata key %s has value type %s, expected 0 to %d",
          key,
          Integer.toUnsignedString(type),
          LEAST_BYTES.length - 1);
    }
    return type;
  }

  private Object value(String key, int type) {
    require(LEAST_BYTES[type], key);
    return switch (type) {
      case UINT8 -> (long) (bytes.get() & 0xFF);
      case INT8 -> (long) bytes.get();
      case UINT16 -> (long) (bytes.getShort() & 0xFFFF);
      case INT16 -> (long) bytes.getShort();
      case UINT32 -> bytes.getInt() & 0xFFFF_FFFFL;
      case INT32 -> (long) bytes.getInt();
      case UINT64 -> unsigned(bytes.getLong());
      case INT64 -> bytes.getLong();
      case FLOAT32 -> (double) bytes.getFloat();
      case FLOAT64 -> bytes.getDouble();
      case BOOL -> bytes.get() != 0;
      case STRING -> string(key);
      default -> array(key);
    };
  }

  private static Object unsigned(long bits) {
    if (bits >= 0) {
      return bits;
    }
    return new BigInteger(Long.toUnsignedString(bits));
  }

  private Object array(String key) {
    int type = type("elements of " + key);
    if (type == ARRAY) {
      throw fault(path, "metadata key %s is an array of arrays, which no Llama uses", key);
    }
    int length = count("length of " + key, LEAST_BYTES[type]);
    return switch (type) {
      case UINT32, UINT64, INT64 -> longs(type, length);
      case FLOAT32 -> floats(length);
      case FLOAT64 -> doubles(length);
      case BOOL -> booleans(length);
      case STRING -> strings(key, length);
      default -> ints(type, length);
    };
  }

  private int[] ints(int type, int length) {
    int[] values = new int[length];
    if (type == INT32) {
      bytes.asIntBuffer().get(values);
      skip(length * Integer.BYTES);
      return values;
    }
    for (int i = 0; i < length; i++) {
      values[i] =
          switch (type) {
            case UINT8 -> bytes.get() & 0xFF;
            case INT8 -> bytes.get();
            case UINT16 -> bytes.getShort() & 0xFFFF;
            default -> bytes.getShort();
          };
    }
    return values;
  }

  private long[] longs(int type, int length) {
    long[] values = new long[length];
    for (int i = 0; i < length; i++) {
      values[i] = type == UINT32 ? bytes.getInt() & 0xFFFF_FFFFL : bytes.getLong();
    }
    return values;
  }

  private float[] floats(int length) {
    float[] values = new float[length];
    bytes.asFloatBuffer().get(values);
    skip(length * Float.BYTES);
    return values;
  }

  private double[] doubles(int length) {
    double[] values = new double[length];
    bytes.asDoubleBuffer().get(values);
    skip(length * Double.BYTES);
    return values;
  }

  private boolean[] booleans(int length) {
    boolean[] values = new boolean[length];
    for (int i = 0; i < length; i++) {
      values[i] = bytes.get() != 0;
    }
    return values;
  }

  /**
   * Reads texts without making a string of each: their bytes, with the lengths in between, are
   * copied at once, and then gone through.
   */
  private Texts strings(String key, int length) {
    byte[] raw = new byte[Math.min(bytes.remaining(), TYPICAL_TEXT * length + Long.BYTES)];
    ByteBuffer source = bytes.duplicate();
    source.get(raw);
    int[] starts = new int[length + 1];
    int end = 0; // of the text before
    for (int i = 0; i < length; i++) {
      if (raw.length - end < Long.BYTES) {
        raw = more(raw, end + Long.BYTES, source, key);
      }
      long size = littleEndian(raw, end);
      int start = end + Long.BYTES;
      if (size < 0 || size > raw.length - start) {
        if (size < 0 || size > bytes.remaining() - start) {
          skip(end);
          count("length of " + key, 1); // throws
        }
        raw = more(raw, start + (int) size, source, key);
      }
      starts[i] = start;
      end = start + (int) size;
      if (!Utf8Check.isValid(raw, start, end)) {
        throw fault(path, "%s is not valid UTF-8", key);
      }
    }
    starts[length] = end + Long.BYTES;
    skip(end);
    return new Texts(raw, starts, Long.BYTES);
  }

  /** Reads more of the same array, so that there are at least {@code size} bytes of it. */
  private byte[] more(byte[] raw, int size, ByteBuffer source, String key) {
    if (size > bytes.remaining()) {
      skip(bytes.remaining());
      require(1, key); // throws
    }
    int wanted = Math.max(size, raw.length + (raw.length >> 1));
    byte[] longer = Arrays.copyOf(raw, Math.min(bytes.remaining(), wanted));
    source.get(longer, raw.length, longer.length - raw.length);
    return longer;
  }

  private static long littleEndian(byte[] raw, int at) {
    long value = 0;
    for (int i = Long.BYTES - 1; i >= 0; i--) {
      value = value << 8 | raw[at + i] & 0xFF;
    }
    return value;
  }
}
