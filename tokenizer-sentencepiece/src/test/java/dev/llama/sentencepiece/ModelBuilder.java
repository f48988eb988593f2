package dev.llama.sentencepiece;

import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import dev.llama.sentencepiece.Definition.Type;
import dev.llama.spi.TokenizerSource;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Writes small vocabularies: ids 0 to 2 are the usual three, then, if asked for, the bytes. */
final class ModelBuilder {
  static final Path ORIGIN = Paths.get("built/tokenizer.model");

  private final ByteArrayOutputStream pieces = new ByteArrayOutputStream();
  final List<String> texts = new ArrayList<>();
  final List<Float> scores = new ArrayList<>();
  final List<Integer> types = new ArrayList<>();
  final ByteArrayOutputStream trainer = new ByteArrayOutputStream();
  final ByteArrayOutputStream normalizer = new ByteArrayOutputStream();

  ModelBuilder(boolean byteFallback) {
    integer(trainer, 3, 2);
    integer(trainer, 35, byteFallback ? 1 : 0);
    integer(normalizer, 4, 0);
    piece("<unk>", 0, Type.UNKNOWN);
    piece("<s>", 0, Type.CONTROL);
    piece("</s>", 0, Type.CONTROL);
    for (int i = 0; byteFallback && i < 256; i++) {
      piece(String.format("<0x%02X>", i), 0, Type.BYTE);
    }
  }

  ModelBuilder piece(String text, float score, Type type) {
    texts.add(text);
    scores.add(score);
    types.add(type.ordinal());
    ByteArrayOutputStream piece = new ByteArrayOutputStream();
    bytes(piece, 1, text.getBytes(StandardCharsets.UTF_8));
    varint(piece, 2 << 3 | 5);
    int bits = Float.floatToIntBits(score);
    for (int i = 0; i < 32; i += 8) {
      piece.write(bits >> i);
    }
    integer(piece, 3, type.ordinal());
    bytes(pieces, 1, piece.toByteArray());
    return this;
  }

  /** Ordinary pieces, the first with the best score. */
  ModelBuilder normal(String... pieces) {
    for (String piece : pieces) {
      piece(piece, -texts.size(), Type.NORMAL);
    }
    return this;
  }

  static void integer(ByteArrayOutputStream out, int field, long value) {
    varint(out, field << 3);
    varint(out, value);
  }

  static void bytes(ByteArrayOutputStream out, int field, byte[] value) {
    varint(out, field << 3 | 2);
    varint(out, value.length);
    out.write(value, 0, value.length);
  }

  private static void varint(ByteArrayOutputStream out, long value) {
    long rest = value;
    while ((rest & ~127L) != 0) {
      out.write((int) (rest & 127 | 128));
      rest >>>= 7;
    }
    out.write((int) rest);
  }

  byte[] model() {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(pieces.toByteArray(), 0, pieces.size());
    bytes(out, 2, trainer.toByteArray());
    bytes(out, 3, normalizer.toByteArray());
    return out.toByteArray();
  }

  Tokenizer open() {
    return open(TokenizerOptions.defaults());
  }

  Tokenizer open(TokenizerOptions options) {
    return new SentencePieceProvider()
        .open(new TokenizerSource.ModelFile(ORIGIN, model()), options)
        .orElseThrow();
  }

  /** The same vocabulary as the metadata of a GGUF file. */
  Map<String, Object> gguf() {
    float[] floats = new float[scores.size()];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = scores.get(i);
    }
    Map<String, Object> metadata = new LinkedHashMap<>();
    metadata.put("tokenizer.ggml.model", "llama");
    metadata.put("tokenizer.ggml.tokens", new ArrayList<>(texts));
    metadata.put("tokenizer.ggml.scores", floats);
    metadata.put("tokenizer.ggml.token_type", types.stream().mapToInt(type -> type).toArray());
    return metadata;
  }

  static Tokenizer openGguf(Map<String, Object> metadata) {
    return Fixtures.open(new TokenizerSource.GgufVocabulary(ORIGIN, metadata));
  }
}
