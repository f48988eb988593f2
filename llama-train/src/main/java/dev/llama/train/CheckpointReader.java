package dev.llama.train;

import static dev.llama.train.CheckpointWriter.FORMAT;
import static dev.llama.train.CheckpointWriter.MEAN;
import static dev.llama.train.CheckpointWriter.MOMENTS;
import static dev.llama.train.CheckpointWriter.SQUARE;
import static dev.llama.train.CheckpointWriter.STATE;

import dev.llama.DType;
import dev.llama.FormatException;
import dev.llama.Layer;
import dev.llama.ModelConfig;
import dev.llama.TrainingException;
import dev.llama.core.files.SafetensorsFile;
import dev.llama.core.files.TensorSource;
import dev.llama.core.json.Json;
import dev.llama.spi.TensorData;
import dev.llama.train.Parameters.Parameter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** What a checkpoint holds besides the model. All of it is checked when it is opened. */
final class CheckpointReader implements AutoCloseable {
  private static final long MAX_STATE = 16 << 20;

  private final Path folder;
  private final Map<String, Object> state;
  private final TensorSource moments;
  private final List<String> notices;

  private CheckpointReader(
      Path folder, Map<String, Object> state, TensorSource moments, List<String> notices) {
    this.folder = folder;
    this.state = state;
    this.moments = moments;
    this.notices = notices;
  }

  /** Refuses a folder that is a model and no more, or nothing at all. */
  static void requireCheckpoint(Path folder) {
    if (!Files.isDirectory(folder)) {
      throw new TrainingException(
          folder
              + (Files.exists(folder) ? ": is a file" : ": there is no such folder")
              + ", expected the folder of a checkpoint");
    }
    if (!Files.exists(folder.resolve(STATE))) {
      throw new TrainingException(
          folder
              + ": there is no "
              + STATE
              + " in it, so training cannot be resumed; begin anew from its weights, or name a"
              + " checkpoint of a run");
    }
  }

  static CheckpointReader open(Path folder, ModelConfig config, List<String> notices) {
    Map<String, Object> state = Json.readObject(folder.resolve(STATE), MAX_STATE);
    TensorSource moments = SafetensorsFile.open(folder.resolve(MOMENTS));
    CheckpointReader reader = new CheckpointReader(folder, state, moments, notices);
    try {
      reader.check(config);
      return reader;
    } catch (RuntimeException | Error e) {
      reader.close();
      throw e;
    }
  }

  private void check(ModelConfig config) {
    if (number("format") != FORMAT) {
      throw fault("format is " + number("format") + ", expected " + FORMAT);
    }
    number("step");
    number("tokens");
    position();
    options();
    for (Layer layer : config.layers()) {
      for (Layer.Weight weight : layer.weights()) {
        check(MEAN + weight.name(), weight.shape());
        check(SQUARE + weight.name(), weight.shape());
      }
    }
  }

  private void check(String name, List<Long> shape) {
    TensorData data = moments.tensors().get(name);
    if (data == null) {
      throw new FormatException(folder.resolve(MOMENTS), "has no tensor " + name);
    }
    List<Long> found = Arrays.stream(data.shape()).boxed().collect(Collectors.toList());
    if (data.type() != DType.F32 || !found.equals(shape)) {
      throw new FormatException(
          folder.resolve(MOMENTS),
          "tensor " + name + " is " + data.type() + " " + found + ", expected F32 " + shape);
    }
  }

  private FormatException fault(String problem) {
    return new FormatException(
        folder.resolve(STATE), problem + "; resume from another checkpoint of the run");
  }

  private long number(String name) {
    if (!(state.get(name) instanceof Long value) || value < 0) {
      throw fault(name + " is " + state.get(name) + ", expected a number");
    }
    return value;
  }

  long steps() {
    return number("step");
  }

  long tokens() {
    return number("tokens");
  }

  /** Where the source of the batches stood; {@code null} before the first step. */
  String position() {
    Object position = state.get("position");
    if (position != null && !(position instanceof String)) {
      throw fault("position is " + position + ", expected a text");
    }
    return (String) position;
  }

  private Map<?, ?> options() {
    if (!(state.get("options") instanceof Map<?, ?> options)) {
      throw fault("options is " + state.get("options") + ", expected an object");
    }
    return options;
  }

  /** Notes every option with which the losses will not be those of a run that never stopped. */
  void compare(TrainerOptions now) {
    Map<?, ?> then = options();
    now.influences()
        .forEach(
            (name, value) -> {
              if (!value.equals(then.get(name))) {
                notices.add(
                    name
                        + " is "
                        + value
                        + ", but the checkpoint was written with "
                        + then.get(name)
                        + ": the run goes on differently");
              }
            });
  }

  TensorData mean(Parameter parameter) {
    return moments.tensors().get(MEAN + parameter.name());
  }

  TensorData square(Parameter parameter) {
    return moments.tensors().get(SQUARE + parameter.name());
  }

  @Override
  public void close() {
    moments.close();
  }
}
