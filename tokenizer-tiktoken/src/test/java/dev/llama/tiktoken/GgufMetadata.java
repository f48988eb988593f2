package dev.llama.tiktoken;

import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import dev.llama.spi.TokenizerSource;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The tokenizer keys of well-formed GGUF files, as much as the tests need. */
final class GgufMetadata {
  private static final int STRING = 8;
  private static final int ARRAY = 9;

  private GgufMetadata() {}

  static Tokenizer tokenizer(Map<String, Object> metadata) {
    return tokenizer(metadata, TokenizerOptions.defaults());
  }

  static Tokenizer tokenizer(Map<String, Object> metadata, TokenizerOptions options) {
    TokenizerSource source = new TokenizerSource.GgufVocabulary(Path.of("test.gguf"), metadata);
    return Fixtures.PROVIDER.open(source, options).orElseThrow();
  }

  static Map<String, Object> read(Path file) {
    ByteBuffer in;
    try {
      in = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    in.position(16); // magic, version, number of tensors
    Map<String, Object> metadata = new LinkedHashMap<>();
    for (long count = in.getLong(); count > 0; count--) {
      String key = string(in);
      Object value = value(in, in.getInt());
      if (key.startsWith("tokenizer.")) {
        metadata.put(key, value);
      }
    }
    return metadata;
  }

  private static Object value(ByteBuffer in, int type) {
    return switch (type) {
      case 0, 1 -> (long) in.get();
      case 2, 3 -> (long) in.getShort();
      case 4, 5 -> (long) in.getInt();
      case 6 -> (double) in.getFloat();
      case 7 -> in.get() != 0;
      case STRING -> string(in);
      case ARRAY -> array(in);
      case 10, 11 -> in.getLong();
      default -> in.getDouble();
    };
  }

  private static Object array(ByteBuffer in) {
    int type = in.getInt();
    List<Object> list = new ArrayList<>();
    for (long count = in.getLong(); count > 0; count--) {
      list.add(value(in, type));
    }
    return type == STRING
        ? list
        : list.stream().mapToInt(element -> ((Number) element).intValue()).toArray();
  }

  private static String string(ByteBuffer in) {
    byte[] bytes = new byte[(int) in.getLong()];
    in.get(bytes);
    return new String(bytes, StandardCharsets.UTF_8);
  }
}
