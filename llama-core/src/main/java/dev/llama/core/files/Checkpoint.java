package dev.llama.core.files;

import static dev.llama.core.files.Faults.fault;

import dev.llama.FormatException;
import dev.llama.core.json.Json;
import dev.llama.spi.RopeTable;
import dev.llama.spi.TensorData;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeSet;

/**
 * The weights in a folder in Hugging Face's layout: one safetensors file, or shards and an index.
 */
public final class Checkpoint {
  private static final String SINGLE = "model.safetensors";
  private static final String INDEX = "model.safetensors.index.json";

  /** A published index has some hundred kilobytes. */
  private static final long MAX_INDEX = 100_000_000;

  private Checkpoint() {}

  /**
   * Opens the weights of a folder.
   *
   * @param folder that holds {@code model.safetensors}, or {@code model.safetensors.index.json} and
   *     the shards that it names
   * @return the tensors
   * @throws FormatException if the folder has no weights in this form, or a file is missing or
   *     broken
   */
  public static TensorSource open(Path folder) {
    if (!Files.isDirectory(folder)) {
      throw new FormatException(
          folder, Files.exists(folder) ? "is not a folder" : "there is no such folder");
    }
    Path single = folder.resolve(SINGLE);
    if (Files.exists(single)) {
      return SafetensorsFile.open(single);
    }
    Path index = folder.resolve(INDEX);
    if (Files.exists(index)) {
      return openShards(folder, index);
    }
    throw new FormatException(folder, noWeights(folder));
  }

  private static TensorSource openShards(Path folder, Path index) {
    Map<String, String> shardOf = weightMap(index);
    Map<String, SafetensorsFile> shards = new LinkedHashMap<>();
    try {
      for (String name : shardOf.values()) {
        if (!shards.containsKey(name)) {
          shards.put(name, openShard(folder, index, name));
        }
      }
      Map<String, TensorData> tensors = new LinkedHashMap<>();
      shardOf.forEach(
          (tensor, shard) ->
              tensors.put(
                  tensor,
                  shards
                      .get(shard)
                      .find(tensor)
                      .orElseThrow(() -> misplaced(index, tensor, shard, shards))));
      return new Shards(folder, shards, Collections.unmodifiableMap(tensors));
    } catch (FormatException e) {
      shards.values().forEach(SafetensorsFile::close);
      throw e;
    }
  }

  private static Map<String, String> weightMap(Path index) {
    Object value = Json.readObject(index, MAX_INDEX).get("weight_map");
    if (!(value instanceof Map<?, ?> map) || map.isEmpty()) {
      throw new FormatException(
          index, "weight_map is missing or empty, expected an object of tensor names and shards");
    }
    Map<String, String> shardOf = new LinkedHashMap<>();
    map.forEach(
        (tensor, shard) -> {
          if (!(shard instanceof String name) || !isPlainFileName(name)) {
            throw fault(
                index,
                "weight_map sends %s to %s, expected the name of a .safetensors file in this"
                    + " folder",
                tensor,
                shard instanceof String ? "\"" + shard + "\"" : shard);
          }
          shardOf.put((String) tensor, name);
        });
    return shardOf;
  }

  /**
   * Whatever the operating system: no separators, no drive, no stream, no way out of the folder.
   */
  private static boolean isPlainFileName(String name) {
    return name.endsWith(".safetensors")
        && name.chars().noneMatch(c -> c < ' ' || "/\\:".indexOf(c) >= 0);
  }

  private static SafetensorsFile openShard(Path folder, Path index, String name) {
    Path shard;
    try {
      shard = folder.resolve(name);
    } catch (InvalidPathException e) {
      throw new FormatException(
          index, "weight_map names a shard that this system cannot have: " + e.getReason(), e);
    }
    if (!Files.exists(shard)) {
      throw fault(
          shard, "there is no such file, but %s names it; download it too", index.getFileName());
    }
    return SafetensorsFile.open(shard);
  }

  private static FormatException misplaced(
      Path index, String tensor, String shard, Map<String, SafetensorsFile> shards) {
    String where =
        shards.entrySet().stream()
            .filter(entry -> entry.getValue().find(tensor).isPresent())
            .map(entry -> "it is in " + entry.getKey())
            .findFirst()
            .orElse("no other shard has it");
    return fault(
        index,
        "weight_map sends %s to %s, which lacks it; %s; download index and shards again",
        tensor,
        shard,
        where);
  }

  /** Says what the folder holds instead, and what to do about it. */
  private static String noWeights(Path folder) {
    String pickled = null;
    String gguf = null;
    for (String name : fileNames(folder)) {
      if (name.endsWith(".pth") || name.startsWith("pytorch_model") && name.endsWith(".bin")) {
        pickled = name;
      } else if (name.endsWith(".gguf")) {
        gguf = name;
      }
    }
    String missing = "has neither " + SINGLE + " nor " + INDEX;
    if (gguf != null) {
      return missing + ", but " + gguf + ": pass the path of that file";
    }
    if (pickled == null) {
      return missing + "; download the weights into it";
    }
    return missing
        + ", only PyTorch weights ("
        + pickled
        + "), which are not read because they can run code; convert them in Python: "
        + (pickled.endsWith(".pth")
            ? "python -m transformers.models.llama.convert_llama_weights_to_hf"
                + " --input_dir FOLDER --output_dir NEW_FOLDER"
            : "AutoModelForCausalLM.from_pretrained(FOLDER).save_pretrained(NEW_FOLDER)"
                + " of transformers");
  }

  private static Iterable<String> fileNames(Path folder) {
    TreeSet<String> names = new TreeSet<>();
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
      files.forEach(file -> names.add(String.valueOf(file.getFileName())));
    } catch (IOException | DirectoryIteratorException e) {
      throw new FormatException(folder, "cannot be listed: " + e, e);
    }
    return names;
  }

  /** The tensors of several files. */
  private static final class Shards implements TensorSource {
    private final Path folder;
    private final Map<String, SafetensorsFile> shards;
    private final Map<String, TensorData> tensors;

    private Shards(
        Path folder, Map<String, SafetensorsFile> shards, Map<String, TensorData> tensors) {
      this.folder = folder;
      this.shards = shards;
      this.tensors = tensors;
    }

    @Override
    public Path path() {
      return folder;
    }

    @Override
    public Map<String, TensorData> tensors() {
      return tensors;
    }

    @Override
    public RopeTable.Pairing pairing() {
      return RopeTable.Pairing.HALVES;
    }

    @Override
    public void close() {
      shards.values().forEach(SafetensorsFile::close);
    }
  }
}
