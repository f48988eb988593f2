package dev.llama.train;

import dev.llama.DType;
import dev.llama.TrainingException;
import dev.llama.core.json.Json;
import dev.llama.spi.Tensor;
import dev.llama.train.Parameters.Parameter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** Writes models and checkpoints; {@link CheckpointReader} reads the latter. */
final class CheckpointWriter {
  static final String STATE = "training.json";
  static final String MOMENTS = "optimizer.safetensors";
  static final String MEAN = "m.";
  static final String SQUARE = "v.";
  static final long FORMAT = 1;

  private final SafetensorsWriter tensors;

  CheckpointWriter(HostCopies copies) {
    tensors = new SafetensorsWriter(copies);
  }

  void writeModel(Path folder, Trainer trainer, DType type) {
    byte[] config = Configs.saved(trainer.config(), type); // refuses other types
    write(folder, "model", content -> writeModelFiles(content, trainer, config, type));
  }

  void writeCheckpoint(Path folder, Trainer trainer) {
    if (Files.exists(folder)) {
      throw new TrainingException(folder + ": is there already, expected a new checkpoint");
    }
    byte[] config = Configs.saved(trainer.config(), DType.F32);
    write(
        folder,
        "checkpoint",
        content -> {
          writeModelFiles(content, trainer, config, DType.F32);
          writeMoments(content, trainer);
          Folders.write(content.resolve(STATE), state(trainer));
        });
  }

  private static void write(Path folder, String what, Folders.Content content) {
    try {
      Folders.create(folder, content);
    } catch (IOException e) {
      throw new TrainingException(
          folder
              + ": the "
              + what
              + " cannot be written ("
              + Folders.reason(e)
              + "); free space or grant access, and resume",
          e);
    } catch (TrainingException e) {
      throw new TrainingException(
          folder + ": the " + what + " is not written: " + e.getMessage(), e);
    }
  }

  private void writeModelFiles(Path folder, Trainer trainer, byte[] config, DType type)
      throws IOException {
    Map<String, Tensor> weights = new LinkedHashMap<>();
    for (Parameter parameter : trainer.parameters()) {
      weights.put(parameter.name(), parameter.weight());
    }
    tensors.write(folder.resolve("model.safetensors"), weights, type);
    Folders.write(folder.resolve("config.json"), config);
    for (Map.Entry<String, byte[]> file : trainer.tokenizerCopy().files().entrySet()) {
      Folders.write(folder.resolve(file.getKey()), file.getValue());
    }
  }

  private void writeMoments(Path folder, Trainer trainer) throws IOException {
    Map<String, Tensor> moments = new LinkedHashMap<>();
    for (Parameter parameter : trainer.parameters()) {
      moments.put(MEAN + parameter.name(), parameter.m());
      moments.put(SQUARE + parameter.name(), parameter.v());
    }
    tensors.write(folder.resolve(MOMENTS), moments, DType.F32);
  }

  private static byte[] state(Trainer trainer) {
    Map<String, Object> state = new LinkedHashMap<>();
    state.put("format", FORMAT);
    state.put("step", trainer.steps());
    state.put("tokens", trainer.tokensSeen());
    state.put("options", trainer.options().influences());
    state.put("position", trainer.position().orElse(null));
    return Json.write(state).getBytes(StandardCharsets.UTF_8);
  }
}
