package dev.llama.core.files;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Writes GGUF files for tests: metadata first, then tensors, then {@link #write}. */
final class GgufBytes {
  static final int UINT8 = 0;
  static final int INT8 = 1;
  static final int UINT16 = 2;
  static final int INT16 = 3;
  static final int UINT32 = 4;
  static final int INT32 = 5;
  static final int FLOAT32 = 6;
  static final int BOOL = 7;
  static final int STRING = 8;
  static final int ARRAY = 9;
  static final int UINT64 = 10;
  static final int INT64 = 11;
  static final int FLOAT64 = 12;

  private static final int ALIGNMENT = 32;

  private final ByteArrayOutputStream metadata = new ByteArrayOutputStream();
  private final ByteArrayOutputStream tensors = new ByteArrayOutputStream();
  private final ByteArrayOutputStream data = new ByteArrayOutputStream();
  private int version = 3;
  private long metadataCount;
  private long tensorCount;

  /** The keys that a small Llama must have: hidden 4, 2 heads, 1 block, 3 tokens. */
  static GgufBytes llama() {
    return new GgufBytes()
        .text("general.architecture", "llama")
        .uint32("llama.vocab_size", 3)
        .uint32("llama.context_length", 16)
        .uint32("llama.embedding_length", 4)
        .uint32("llama.block_count", 1)
        .uint32("llama.feed_forward_length", 8)
        .uint32("llama.attention.head_count", 2)
        .float32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  }

  GgufBytes version(int number) {
    version = number;
    return this;
  }

  GgufBytes key(String key, int type, byte... value) {
    metadataCount++;
    put(metadata, string(key));
    put(metadata, int32(type));
    put(metadata, value);
    return this;
  }

  GgufBytes text(String key, String value) {
    return key(key, STRING, string(value));
  }

  GgufBytes uint32(String key, int value) {
    return key(key, UINT32, int32(value));
  }

  GgufBytes float32(String key, float value) {
    return key(key, FLOAT32, int32(Float.floatToIntBits(value)));
  }

  GgufBytes bool(String key, boolean value) {
    return key(key, BOOL, (byte) (value ? 1 : 0));
  }

  GgufBytes array(String key, int type, long length, byte... elements) {
    return key(key, ARRAY, join(int32(type), int64(length), elements));
  }

  /** Adds a tensor with its shape fastest first, as GGUF has it. */
  GgufBytes tensor(String name, int type, byte[] bytes, long... fastestFirst) {
    tensorCount++;
    put(tensors, string(name));
    put(tensors, int32(fastestFirst.length));
    for (long size : fastestFirst) {
      put(tensors, int64(size));
    }
    put(tensors, int32(type));
    put(tensors, int64(data.size()));
    put(data, bytes);
    pad(data);
    return this;
  }

  GgufBytes floats(String name, float... values) {
    ByteBuffer bytes = buffer(4 * values.length);
    bytes.asFloatBuffer().put(values);
    return tensor(name, 0, bytes.array(), values.length);
  }

  byte[] header() {
    return join(
        "GGUF".getBytes(StandardCharsets.US_ASCII),
        int32(version),
        int64(tensorCount),
        int64(metadataCount),
        metadata.toByteArray(),
        tensors.toByteArray());
  }

  byte[] toBytes() {
    ByteArrayOutputStream file = new ByteArrayOutputStream();
    put(file, header());
    pad(file);
    put(file, data.toByteArray());
    return file.toByteArray();
  }

  Path write(Path path) {
    try {
      return Files.write(path, toBytes());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static byte[] string(String text) {
    byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
    return join(int64(utf8.length), utf8);
  }

  static byte[] int32(int value) {
    return buffer(4).putInt(value).array();
  }

  static byte[] int64(long value) {
    return buffer(8).putLong(value).array();
  }

  static byte[] join(byte[]... parts) {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      put(all, part);
    }
    return all.toByteArray();
  }

  private static void put(ByteArrayOutputStream out, byte[] bytes) {
    out.write(bytes, 0, bytes.length);
  }

  private static void pad(ByteArrayOutputStream out) {
    while (out.size() % ALIGNMENT != 0) {
      out.write(0);
    }
  }

  private static ByteBuffer buffer(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }
}
