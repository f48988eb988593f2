package dev.llama.core.files;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.DType;
import dev.llama.FormatException;
import dev.llama.InvalidInputException;
import dev.llama.spi.RopeTable;
import dev.llama.spi.TensorData;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** GGUF containers are read as they are, and every broken header ends in a FormatException. */
class GgufFileTest {
  private static final int HIGHEST_TYPE = 64;

  @TempDir Path folder;

  @Test
  void readsEveryKindOfValue() {
    GgufBytes bytes =
        new GgufBytes()
            .key("u8", GgufBytes.UINT8, (byte) 200)
            .key("i8", GgufBytes.INT8, (byte) -100)
            .key("u16", GgufBytes.UINT16, (byte) 0xFF, (byte) 0xFF)
            .key("i16", GgufBytes.INT16, (byte) 0xFF, (byte) 0xFF)
            .key("u32", GgufBytes.UINT32, GgufBytes.int32(-1))
            .key("i32", GgufBytes.INT32, GgufBytes.int32(-1))
            .key("u64", GgufBytes.UINT64, GgufBytes.int64(-1))
            .key("i64", GgufBytes.INT64, GgufBytes.int64(-1))
            .float32("f32", 1.5f)
            .key("f64", GgufBytes.FLOAT64, GgufBytes.int64(Double.doubleToLongBits(-2.25e-300)))
            .bool("bool", true)
            .text("text", "caf\u00e9");
    Map<String, Object> metadata = open(bytes).metadata();
    assertEquals(
        List.of(
            200L,
            -100L,
            65535L,
            -1L,
            4294967295L,
            -1L,
            new BigInteger("18446744073709551615"),
            -1L,
            1.5,
            -2.25e-300,
            true,
            "caf\u00e9"),
        List.copyOf(metadata.values()));
    assertThrows(UnsupportedOperationException.class, metadata::clear);
  }

  @Test
  void readsEveryKindOfArray() {
    byte[] two = GgufBytes.join(GgufBytes.int32(-1), GgufBytes.int32(7));
    byte[] twoLong = GgufBytes.join(GgufBytes.int64(-1), GgufBytes.int64(7));
    Map<String, Object> metadata =
        open(new GgufBytes()
                .array("u8", GgufBytes.UINT8, 2, (byte) -1, (byte) 7)
                .array("i8", GgufBytes.INT8, 2, (byte) -1, (byte) 7)
                .array("u16", GgufBytes.UINT16, 1, (byte) -1, (byte) -1)
                .array("i16", GgufBytes.INT16, 1, (byte) -1, (byte) -1)
                .array("u32", GgufBytes.UINT32, 2, two)
                .array("i32", GgufBytes.INT32, 2, two)
                .array("u64", GgufBytes.UINT64, 2, twoLong)
                .array("i64", GgufBytes.INT64, 2, twoLong)
                .array("f32", GgufBytes.FLOAT32, 1, GgufBytes.int32(Float.floatToIntBits(1.5f)))
                .array("f64", GgufBytes.FLOAT64, 1, GgufBytes.int64(Double.doubleToLongBits(2.5)))
                .array("bool", GgufBytes.BOOL, 2, (byte) 1, (byte) 0)
                .array(
                    "text",
                    GgufBytes.STRING,
                    2,
                    GgufBytes.join(GgufBytes.string(""), GgufBytes.string("\u4f60")))
                .array("none", GgufBytes.INT32, 0)
                .uint32("last", 5))
            .metadata();
    assertArrayEquals(new int[] {255, 7}, (int[]) metadata.get("u8"));
    assertArrayEquals(new int[] {-1, 7}, (int[]) metadata.get("i8"));
    assertArrayEquals(new int[] {65535}, (int[]) metadata.get("u16"));
    assertArrayEquals(new int[] {-1}, (int[]) metadata.get("i16"));
    assertArrayEquals(new long[] {4294967295L, 7}, (long[]) metadata.get("u32"));
    assertArrayEquals(new int[] {-1, 7}, (int[]) metadata.get("i32"));
    assertArrayEquals(new long[] {-1, 7}, (long[]) metadata.get("u64"));
    assertArrayEquals(new long[] {-1, 7}, (long[]) metadata.get("i64"));
    assertArrayEquals(new float[] {1.5f}, (float[]) metadata.get("f32"));
    assertArrayEquals(new double[] {2.5}, (double[]) metadata.get("f64"));
    assertArrayEquals(new boolean[] {true, false}, (boolean[]) metadata.get("bool"));
    assertEquals(List.of("", "\u4f60"), metadata.get("text"));
    assertArrayEquals(new int[0], (int[]) metadata.get("none"));
    assertEquals(5L, metadata.get("last"));
  }

  @Test
  void textsOfAnyLengthAreRead() {
    List<String> texts = List.of("x".repeat(5000), "", "y".repeat(100), "caf\u00e9");
    assertEquals(texts, open(texts(4, texts)).metadata().get("texts"));
  }

  @Test
  void brokenTextsAreRefused() throws IOException {
    GgufBytes two = texts(2, List.of("x".repeat(500), "y".repeat(500)));
    for (int missing : new int[] {1, 400, 505, 900}) {
      byte[] whole = two.header();
      Path path = folder.resolve("cut.gguf");
      Files.write(path, Arrays.copyOf(whole, whole.length - missing));
      FormatException e = assertThrows(FormatException.class, () -> GgufFile.open(path));
      assertTrue(e.getMessage().contains("texts"), e.getMessage());
    }
    byte[] latin = GgufBytes.join(GgufBytes.int64(1), new byte[] {(byte) 0xe9});
    assertTrue(rejected(array(latin)).contains("texts is not valid UTF-8"));
    byte[] negative = GgufBytes.join(GgufBytes.int64(-1), new byte[100]);
    assertTrue(rejected(array(negative)).contains("expected less than 2^63"));
  }

  private static GgufBytes array(byte[] oneText) {
    return new GgufBytes().array("texts", GgufBytes.STRING, 1, oneText);
  }

  private static GgufBytes texts(int count, List<String> texts) {
    byte[][] parts = new byte[texts.size()][];
    for (int i = 0; i < parts.length; i++) {
      parts[i] = GgufBytes.string(texts.get(i));
    }
    return new GgufBytes().array("texts", GgufBytes.STRING, count, GgufBytes.join(parts));
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3})
  void readsTensorsUnderTheNamesOfTheLayers(int version) {
    GgufBytes bytes =
        new GgufBytes()
            .version(version)
            .tensor("output.weight", 8, new byte[2 * 34], 32, 2)
            .floats("blk.0.attn_norm.weight", 1, 2, 3)
            .floats("own.weight", 4);
    GgufFile file = open(bytes);
    assertEquals(
        List.of("lm_head.weight", "model.layers.0.input_layernorm.weight", "own.weight"),
        List.copyOf(file.tensors().keySet()));
    TensorData output = file.find("lm_head.weight").orElseThrow();
    assertEquals(DType.Q8_0, output.type());
    assertArrayEquals(new long[] {2, 32}, output.shape());
    assertEquals(68, output.byteSize());
    assertEquals(4f, file.find("own.weight").orElseThrow().bytes(0, 4).getFloat());
    assertEquals(68 + 12 + 4, file.byteSize());
    assertEquals(RopeTable.Pairing.NEIGHBOURS, file.pairing());
    assertEquals(folder.resolve("file.gguf"), file.path());
    file.close();
    file.close();
    assertThrows(InvalidInputException.class, () -> output.bytes(0, 1));
  }

  @ParameterizedTest
  @CsvSource({
    "token_embd.weight, model.embed_tokens.weight",
    "output_norm.weight, model.norm.weight",
    "output.weight, lm_head.weight",
    "blk.12.attn_norm.weight, model.layers.12.input_layernorm.weight",
    "blk.12.ffn_norm.weight, model.layers.12.post_attention_layernorm.weight",
    "blk.12.attn_q.weight, model.layers.12.self_attn.q_proj.weight",
    "blk.12.attn_k.bias, model.layers.12.self_attn.k_proj.bias",
    "blk.12.attn_v.weight, model.layers.12.self_attn.v_proj.weight",
    "blk.12.attn_output.weight, model.layers.12.self_attn.o_proj.weight",
    "blk.0.ffn_gate.weight, model.layers.0.mlp.gate_proj.weight",
    "blk.0.ffn_up.bias, model.layers.0.mlp.up_proj.bias",
    "blk.0.ffn_down.weight, model.layers.0.mlp.down_proj.weight",
    "blk.0.attn_norm.bias,",
    "blk.00.attn_q.weight,",
    "blk.-1.attn_q.weight,",
    "blk.0.ffn_gate_inp.weight,",
    "blk.0.attn_q.scale,",
    "model.norm.weight,",
    "rope_freqs.weight,"
  })
  void translatesNames(String gguf, String layer) {
    assertEquals(layer, GgufNames.toLayerName(gguf).orElse(null));
  }

  @Test
  void namesTypesThatAreNotSupported() {
    String message = rejected(new GgufBytes().tensor("t", 20, new byte[18], 32));
    assertTrue(message.contains("tensor t is stored as IQ4_NL, which is not supported"), message);
  }

  /** The table of types agrees with the block sizes: a tensor of one block fits exactly. */
  @Test
  void everySupportedTypeTakesItsBlock() {
    int supported = 0;
    for (int type = 0; type < HIGHEST_TYPE; type++) {
      try {
        TensorData tensor =
            open(new GgufBytes().tensor("t", type, new byte[2048], 256)).find("t").orElseThrow();
        assertEquals(tensor.type().bytes(256), tensor.byteSize());
        supported++;
      } catch (FormatException e) {
        assertTrue(e.getMessage().contains("tensor t "), e.getMessage());
      }
    }
    assertEquals(18, supported);
  }

  @Test
  void saysHowToJoinSplitFiles() {
    String message =
        rejected(new GgufBytes().key("split.count", GgufBytes.UINT16, (byte) 3, (byte) 0));
    assertTrue(message.contains("one of 3 parts"), message);
    assertTrue(message.contains("llama-gguf-split --merge"), message);
  }

  @Test
  void recognisesBigEndianFiles() {
    String message = rejected(new GgufBytes().version(3 << 24));
    assertTrue(message.contains("big-endian"), message);
  }

  @Test
  void refusesArraysOfArraysByName() {
    String message =
        rejected(
            new GgufBytes()
                .array(
                    "grid", GgufBytes.ARRAY, 1, GgufBytes.join(GgufBytes.int32(0), new byte[9])));
    assertTrue(message.contains("grid is an array of arrays"), message);
  }

  @Test
  void refusesTwoNamesForOneTensor() {
    String message =
        rejected(new GgufBytes().floats("model.norm.weight", 1).floats("output_norm.weight", 1));
    assertTrue(message.contains("output_norm.weight occurs twice"), message);
  }

  @Test
  void refusesOverlappingTensors() throws IOException {
    GgufBytes bytes = new GgufBytes().floats("a", new float[16]).floats("b", 1);
    byte[] file = bytes.toBytes();
    int offsetOfLast = bytes.header().length - 8;
    file[offsetOfLast] = 32;
    Path path = Files.write(folder.resolve("overlap.gguf"), file);
    FormatException e = assertThrows(FormatException.class, () -> GgufFile.open(path));
    assertTrue(
        e.getMessage().contains("tensor b begins at byte 32 of the data, but the one before ends"),
        e.getMessage());
  }

  static List<Fixtures.Case> malformed() {
    return Fixtures.malformed("gguf");
  }

  /**
   * The valid ones are containers without the keys of a model, so only the rest is asked further.
   */
  @ParameterizedTest
  @MethodSource("malformed")
  void malformedFilesAreRefusedAndControlsAccepted(Fixtures.Case file) {
    boolean wholeModelAsked = file.what().contains("general.architecture");
    Malformed.check(
        file,
        () -> {
          try (GgufFile gguf = GgufFile.open(file.path())) {
            if (wholeModelAsked) {
              gguf.config();
            }
          }
        });
  }

  @Test
  void readsTensorsBeyondTwoGigabytes() throws IOException {
    long big = 5L << 30;
    GgufBytes bytes = new GgufBytes().tensor("big", 1, new byte[0], big / 2);
    byte[] header = bytes.toBytes();
    Path path = SparseFiles.create(folder.resolve("big.gguf"), header.length + big);
    SparseFiles.write(path, 0, header);
    SparseFiles.write(path, header.length + big - 2, (byte) 0, (byte) 0x3C);
    try (GgufFile file = GgufFile.open(path)) {
      TensorData tensor = file.find("big").orElseThrow();
      assertEquals(big, tensor.byteSize());
      assertEquals(0x3C00, tensor.bytes(big - 2, 2).getShort());
    }
  }

  /** Whatever byte changes, the file is read or refused, and what is read stays in bounds. */
  @Test
  void mutatedHeadersGiveSuccessOrFormatException() throws IOException {
    GgufBytes bytes =
        GgufBytes.llama()
            .uint32("general.alignment", 32)
            .uint32("llama.rope.dimension_count", 2)
            .text("llama.rope.scaling.type", "none")
            .uint32("tokenizer.ggml.bos_token_id", 1)
            .array("x", GgufBytes.FLOAT32, 2, new byte[8])
            .array(
                "tokenizer.ggml.tokens",
                GgufBytes.STRING,
                3,
                GgufBytes.join(GgufBytes.string("a"), GgufBytes.string("b"), GgufBytes.string("c")))
            .floats("rope_freqs.weight", 2)
            .tensor("token_embd.weight", 0, new byte[48], 4, 3)
            .tensor("output.weight", 8, new byte[34], 32);
    Mutations.run(
        folder.resolve("mutated.gguf"),
        bytes.toBytes(),
        bytes.header().length,
        5_000,
        new Random(2),
        path -> {
          try (GgufFile opened = GgufFile.open(path)) {
            Malformed.touchEveryTensor(opened);
            opened.config();
          }
        });
  }

  private GgufFile open(GgufBytes bytes) {
    return GgufFile.open(bytes.write(folder.resolve("file.gguf")));
  }

  private String rejected(GgufBytes bytes) {
    return assertThrows(FormatException.class, () -> open(bytes)).getMessage();
  }
}
