package dev.llama.core.files;

import dev.llama.DType;
import dev.llama.InvalidInputException;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The header of a GGUF file of version 3: metadata, then the list of tensors. Their bytes follow at
 * {@link #dataStart()}, each at its {@link #offset(int)}; whoever writes the file fills them in.
 */
public final class GgufWriter {
  private static final int VERSION = 3;
  private static final int DEFAULT_ALIGNMENT = 32;

  private final Map<String, byte[]> metadata = new LinkedHashMap<>();
  private final List<Entry> tensors = new ArrayList<>();
  private int alignment = DEFAULT_ALIGNMENT;
  private long end;

  /** A tensor of the list; offset from the start of the data. */
  private record Entry(String name, DType type, long[] shape, long offset) {}

  /** Starts a header without metadata and tensors. */
  public GgufWriter() {}

  /**
   * Adds a text.
   *
   * @param key not empty; an earlier value is replaced
   * @param value any text
   */
  public void put(String key, String value) {
    Bytes bytes = value(GgufReader.STRING);
    bytes.string(value);
    metadata.put(key, bytes.toByteArray());
  }

  /**
   * Adds a truth value.
   *
   * @param key not empty; an earlier value is replaced
   * @param value true or false
   */
  public void put(String key, boolean value) {
    Bytes bytes = value(GgufReader.BOOL);
    bytes.write(value ? 1 : 0);
    metadata.put(key, bytes.toByteArray());
  }

  /**
   * Adds an unsigned 32-bit number, the type of sizes, counts and ids.
   *
   * @param key not empty; an earlier value is replaced
   * @param value at least 0
   */
  public void put(String key, int value) {
    if (value < 0) {
      throw new InvalidInputException(key + " is " + value + ", expected at least 0");
    }
    Bytes bytes = value(GgufReader.UINT32);
    bytes.int32(value);
    metadata.put(key, bytes.toByteArray());
  }

  /**
   * Adds a 32-bit float.
   *
   * @param key not empty; an earlier value is replaced
   * @param value any number
   */
  public void put(String key, float value) {
    Bytes bytes = value(GgufReader.FLOAT32);
    bytes.int32(Float.floatToRawIntBits(value));
    metadata.put(key, bytes.toByteArray());
  }

  /**
   * Adds a list of texts.
   *
   * @param key not empty; an earlier value is replaced
   * @param values texts
   */
  public void put(String key, List<String> values) {
    Bytes bytes = array(GgufReader.STRING, values.size());
    values.forEach(bytes::string);
    metadata.put(key, bytes.toByteArray());
  }

  /**
   * Adds a list of signed 32-bit numbers.
   *
   * @param key not empty; an earlier value is replaced
   * @param values numbers
   */
  public void put(String key, int[] values) {
    Bytes bytes = array(GgufReader.INT32, values.length);
    for (int value : values) {
      bytes.int32(value);
    }
    metadata.put(key, bytes.toByteArray());
  }

  /**
   * Adds a list of 32-bit floats.
   *
   * @param key not empty; an earlier value is replaced
   * @param values numbers
   */
  public void put(String key, float[] values) {
    Bytes bytes = array(GgufReader.FLOAT32, values.length);
    for (float value : values) {
      bytes.int32(Float.floatToRawIntBits(value));
    }
    metadata.put(key, bytes.toByteArray());
  }

  /**
   * Takes over a value of another file as it is stored there.
   *
   * @param file that has the key
   * @param key of its metadata
   */
  public void copy(GgufFile file, String key) {
    metadata.put(key, file.storedValue(key));
  }

  /**
   * Sets what offsets of tensors are multiples of. To be called before the first tensor.
   *
   * @param bytes a power of two
   */
  public void align(int bytes) {
    alignment = bytes;
  }

  /**
   * Adds a tensor behind the last one.
   *
   * @param name in the file
   * @param type of the elements
   * @param shape slowest dimension first
   */
  public void tensor(String name, DType type, long[] shape) {
    long elements = 1;
    for (long size : shape) {
      elements = Math.multiplyExact(elements, size);
    }
    tensors.add(new Entry(name, type, shape.clone(), end));
    end = Math.addExact(aligned(end), aligned(type.bytes(elements)));
  }

  private long aligned(long offset) {
    return (offset + alignment - 1) / alignment * alignment;
  }

  /**
   * Returns the header, without the padding up to the data.
   *
   * @return bytes of the file from 0 on
   */
  public byte[] header() {
    Bytes bytes = new Bytes();
    bytes.int32(GgufFile.MAGIC);
    bytes.int32(VERSION);
    bytes.int64(tensors.size());
    bytes.int64(metadata.size());
    metadata.forEach(
        (key, value) -> {
          bytes.string(key);
          bytes.write(value, 0, value.length);
        });
    for (Entry tensor : tensors) {
      bytes.string(tensor.name);
      bytes.int32(tensor.shape.length);
      for (int i = tensor.shape.length - 1; i >= 0; i--) {
        bytes.int64(tensor.shape[i]);
      }
      bytes.int32(GgufFile.number(tensor.type));
      bytes.int64(tensor.offset);
    }
    return bytes.toByteArray();
  }

  /**
   * Returns where the data begins.
   *
   * @return byte of the file
   */
  public long dataStart() {
    return aligned(header().length);
  }

  /**
   * Returns where a tensor begins.
   *
   * @param index in the order in which tensors were added
   * @return byte from the start of the data
   */
  public long offset(int index) {
    return tensors.get(index).offset;
  }

  /**
   * Returns the size of the data, padding of the last tensor included.
   *
   * @return bytes
   */
  public long dataSize() {
    return end;
  }

  private static Bytes value(int type) {
    Bytes bytes = new Bytes();
    bytes.int32(type);
    return bytes;
  }

  private static Bytes array(int type, int length) {
    Bytes bytes = value(GgufReader.ARRAY);
    bytes.int32(type);
    bytes.int64(length);
    return bytes;
  }

  /** Little-endian numbers. */
  private static final class Bytes extends ByteArrayOutputStream {
    void int32(int value) {
      for (int shift = 0; shift < Integer.SIZE; shift += 8) {
        write(value >> shift);
      }
    }

    void int64(long value) {
      int32((int) value);
      int32((int) (value >> 32));
    }

    void string(String text) {
      byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
      int64(utf8.length);
      write(utf8, 0, utf8.length);
    }
  }
}
