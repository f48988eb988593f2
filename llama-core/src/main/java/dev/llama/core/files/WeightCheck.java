package dev.llama.core.files;

import dev.llama.DType;
import dev.llama.FormatException;
import dev.llama.Layer;
import dev.llama.spi.TensorData;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Compares a checkpoint with the layer definitions before anything is loaded. */
public final class WeightCheck {

  /** Number of mismatches that a message spells out. */
  private static final int MAX_LISTED = 50;

  private static final Set<DType> PLAIN = EnumSet.of(DType.F32, DType.F16, DType.BF16);

  private WeightCheck() {}

  /**
   * Checks that the checkpoint has every weight, in its shape and in a type to compute with.
   * Tensors that no layer asks for are ignored: old checkpoints hold rotary frequencies, and tied
   * models a second copy of the embedding.
   *
   * @param path the model, for the message
   * @param layers definitions
   * @param source the checkpoint
   * @throws FormatException that lists all mismatches
   */
  public static void check(Path path, List<Layer> layers, TensorSource source) {
    List<String> problems = new ArrayList<>();
    Set<String> extra = new LinkedHashSet<>(source.tensors().keySet());
    int weights = 0;
    for (Layer layer : layers) {
      for (Layer.Weight weight : layer.weights()) {
        weights++;
        extra.remove(weight.name());
        TensorData tensor = source.tensors().get(weight.name());
        if (tensor == null) {
          problems.add(weight.name() + " is missing, expected " + weight.shape());
        } else {
          compare(weight, tensor, problems);
        }
      }
    }
    if (!problems.isEmpty()) {
      throw new FormatException(path, message(problems, weights));
    }
    if (!extra.isEmpty()) {
      log()
          .debug(
              "{}: {} tensors belong to no layer and are ignored: {}", path, extra.size(), extra);
    }
  }

  private static void compare(Layer.Weight weight, TensorData tensor, List<String> problems) {
    long[] shape = tensor.shape();
    boolean same = shape.length == weight.shape().size();
    for (int i = 0; same && i < shape.length; i++) {
      same = shape[i] == weight.shape().get(i);
    }
    if (!same) {
      problems.add(
          weight.name() + " is " + Arrays.toString(shape) + ", expected " + weight.shape());
    }
    DType type = tensor.type();
    if (!type.isQuantized() && !PLAIN.contains(type)) {
      problems.add(
          weight.name()
              + " is stored as "
              + type
              + ", expected a quantised type or one of "
              + PLAIN);
    }
  }

  private static String message(List<String> problems, int weights) {
    StringBuilder message =
        new StringBuilder(
            String.format(
                Locale.ROOT,
                "mismatches with the %d weights of the architecture: %d; configuration and weights"
                    + " must come from the same model:",
                weights,
                problems.size()));
    problems.stream().limit(MAX_LISTED).forEach(problem -> message.append("\n  ").append(problem));
    if (problems.size() > MAX_LISTED) {
      message.append("\n  and ").append(problems.size() - MAX_LISTED).append(" more");
    }
    return message.toString();
  }

  /** Not a field: what logs nothing need not start the logging of the application. */
  private static Logger log() {
    return LoggerFactory.getLogger(WeightCheck.class);
  }
}
