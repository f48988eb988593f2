package dev.llama.core.files;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.FormatException;
import dev.llama.InvalidInputException;
import dev.llama.ModelConfig;
import dev.llama.core.config.ConfigReader;
import dev.llama.spi.RopeTable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A folder's weights are found, whole or in shards, and nothing outside the folder is read. */
class CheckpointTest {
  private static final String INDEX = "model.safetensors.index.json";

  @TempDir Path folder;

  @Test
  void prefersTheSingleFile() throws IOException {
    shard("model.safetensors", "whole");
    Files.write(folder.resolve(INDEX), "broken".getBytes(StandardCharsets.UTF_8));
    try (TensorSource source = Checkpoint.open(folder)) {
      assertTrue(source.find("whole").isPresent());
    }
  }

  @Test
  void joinsShardsInTheOrderOfTheIndex() throws IOException {
    shard("a.safetensors", "one");
    shard("b.safetensors", "two");
    index("{\"weight_map\":{\"two\":\"b.safetensors\",\"one\":\"a.safetensors\"}}");
    TensorSource source = Checkpoint.open(folder);
    assertEquals(folder, source.path());
    assertEquals(List.of("two", "one"), List.copyOf(source.tensors().keySet()));
    assertEquals(2, source.byteSize());
    assertEquals(RopeTable.Pairing.HALVES, source.pairing());
    Malformed.touchEveryTensor(source);
    source.close();
    source.close();
    assertThrows(InvalidInputException.class, () -> Malformed.touchEveryTensor(source));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        ".",
        "..",
        "/etc/x.safetensors",
        "../x.safetensors",
        "sub/x.safetensors",
        "..\\\\x.safetensors",
        "C:x.safetensors",
        "x.safetensors\\u0000",
        "\\u0000x.safetensors",
        "x.bin"
      })
  void refusesShardsOutsideTheFolder(String name) throws IOException {
    index("{\"weight_map\":{\"one\":\"" + name + "\"}}");
    assertMessage("expected the name of a .safetensors file in this folder");
  }

  /** Half of a surrogate pair has no form on disk. */
  @Test
  void refusesShardNamesThatNoFileCanHave() throws IOException {
    index("{\"weight_map\":{\"one\":\"\\ud800.safetensors\"}}");
    assertThrows(FormatException.class, () -> Checkpoint.open(folder));
  }

  @Test
  void namesTheShardThatHoldsAMisplacedTensor() throws IOException {
    shard("a.safetensors", "one");
    shard("b.safetensors", "two");
    index("{\"weight_map\":{\"two\":\"b.safetensors\",\"one\":\"b.safetensors\"}}");
    assertMessage("sends one to b.safetensors, which lacks it; no other shard has it");
    index(
        "{\"weight_map\":{\"two\":\"b.safetensors\",\"one\":\"b.safetensors\","
            + "\"x\":\"a.safetensors\"}}");
    assertMessage("which lacks it; it is in a.safetensors");
  }

  @Test
  void namesTheMissingShard() throws IOException {
    index("{\"weight_map\":{\"one\":\"a.safetensors\"}}");
    assertMessage("a.safetensors: there is no such file, but " + INDEX + " names it");
  }

  @Test
  void saysHowToConvertPickledWeights() throws IOException {
    Files.write(folder.resolve("pytorch_model-00001-of-00002.bin"), new byte[0]);
    assertMessage("save_pretrained");
    Files.delete(folder.resolve("pytorch_model-00001-of-00002.bin"));
    Files.write(folder.resolve("consolidated.00.pth"), new byte[0]);
    assertMessage("convert_llama_weights_to_hf");
  }

  @Test
  void pointsToAGgufFileInTheFolder() throws IOException {
    Files.write(folder.resolve("model-Q8_0.gguf"), new byte[0]);
    assertMessage("model-Q8_0.gguf: pass the path of that file");
  }

  @Test
  void namesWhatAnEmptyFolderLacks() {
    assertMessage("has neither model.safetensors nor");
    assertThrows(FormatException.class, () -> Checkpoint.open(folder.resolve("none")));
  }

  static List<Fixtures.Case> malformed() {
    return Fixtures.malformed("folder");
  }

  @ParameterizedTest
  @MethodSource("malformed")
  void malformedFoldersAreRefusedAndControlsAccepted(Fixtures.Case model) {
    Malformed.check(
        model,
        () -> {
          ModelConfig config = ConfigReader.read(model.path().resolve("config.json"));
          try (TensorSource source = Checkpoint.open(model.path())) {
            WeightCheck.check(model.path(), config.layers(), source);
          }
        });
  }

  static List<String> models() throws IOException {
    if (!Fixtures.present()) {
      return List.of(Fixtures.ABSENT);
    }
    try (Stream<Path> folders = Files.list(Fixtures.path("models"))) {
      return folders
          .filter(Files::isDirectory)
          .map(folder -> folder.getFileName().toString())
          .filter(name -> !name.equals("tiny-nucleotide")) // weights come from a recipe
          .sorted()
          .toList();
    }
  }

  @ParameterizedTest
  @MethodSource("models")
  void modelsHaveTheWeightsOfTheirArchitecture(String name) {
    Path model = Fixtures.path("models/" + name);
    ModelConfig config = ConfigReader.read(model.resolve("config.json"));
    try (TensorSource source = Checkpoint.open(model)) {
      WeightCheck.check(model, config.layers(), source);
      assertEquals(
          config.parameterCount(),
          source.tensors().values().stream()
              .mapToLong(tensor -> tensor.byteSize() / tensor.type().blockBytes())
              .sum());
    }
  }

  private void assertMessage(String part) {
    FormatException e = assertThrows(FormatException.class, () -> Checkpoint.open(folder));
    assertTrue(e.getMessage().contains(part), e.getMessage());
  }

  private void index(String json) throws IOException {
    Files.write(folder.resolve(INDEX), json.getBytes(StandardCharsets.UTF_8));
  }

  private void shard(String name, String tensor) throws IOException {
    byte[] header =
        ("{\"" + tensor + "\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}")
            .getBytes(StandardCharsets.UTF_8);
    Files.write(
        folder.resolve(name),
        ByteBuffer.allocate(8 + header.length + 1)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putLong(header.length)
            .put(header)
            .array());
  }
}
