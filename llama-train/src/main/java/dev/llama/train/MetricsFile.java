package dev.llama.train;

import dev.llama.FormatException;
import dev.llama.TrainingException;
import dev.llama.core.json.Json;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The numbers of a run, a JSON object on each line: one for each step, one for each evaluation. A
 * line is on its way to the disk when the step is over.
 */
final class MetricsFile implements AutoCloseable {
  private final Path file;
  private final BufferedWriter out;

  private MetricsFile(Path file, BufferedWriter out) {
    this.file = file;
    this.out = out;
  }

  /**
   * Opens the file to go on behind a step; lines of later ones, which will be done again, go.
   *
   * @param file that may exist
   * @param step number of steps done; 0 begins anew
   */
  static MetricsFile open(Path file, long step) {
    try {
      if (Files.exists(file)) {
        truncate(file, step);
      }
      return new MetricsFile(
          file,
          Files.newBufferedWriter(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND));
    } catch (IOException e) {
      throw failure(file, e);
    }
  }

  private static void truncate(Path file, long step) throws IOException {
    Path kept = file.resolveSibling(file.getFileName() + ".new");
    try {
      copyUntil(file, kept, step);
      Files.move(kept, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(kept);
    }
  }

  private static void copyUntil(Path file, Path kept, long step) throws IOException {
    try (var lines = Files.newBufferedReader(file);
        var writer = Files.newBufferedWriter(kept)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        Map<String, Object> values = parse(file, line);
        if (values != null && values.get("step") instanceof Long at && at <= step) {
          writer.write(line);
          writer.newLine();
        }
      }
    }
  }

  /** {@code null} for a line that a killed process did not finish. */
  private static Map<String, Object> parse(Path file, String line) {
    try {
      return Json.parseObject(file, line.getBytes(StandardCharsets.UTF_8));
    } catch (FormatException e) {
      return null;
    }
  }

  private static TrainingException failure(Path file, IOException e) {
    return new TrainingException(
        file + ": the metrics cannot be written (" + Folders.reason(e) + ")", e);
  }

  void step(StepReport report) {
    line(
        "step", report.step(),
        "loss", report.loss(),
        "gradient_norm", report.gradientNorm(),
        "learning_rate", report.learningRate(),
        "targets", report.targets(),
        "tokens", report.tokens(),
        "seconds", report.seconds(),
        "tokens_per_second", report.tokensPerSecond(),
        "epochs", report.epochs());
  }

  void evaluation(long step, Evaluation evaluation) {
    line(
        "step", step,
        "validation_loss", evaluation.loss(),
        "perplexity", evaluation.perplexity(),
        "targets", evaluation.targets(),
        "seconds", evaluation.seconds());
  }

  /** Names and finite numbers, in turn. */
  private void line(Object... values) {
    StringBuilder text = new StringBuilder("{");
    for (int i = 0; i < values.length; i += 2) {
      text.append(i == 0 ? "\"" : ", \"").append(values[i]).append("\": ").append(values[i + 1]);
    }
    try {
      out.append(text.append("}\n"));
      out.flush();
    } catch (IOException e) {
      throw failure(file, e);
    }
  }

  /**
   * A loss at a step.
   *
   * @param step number of steps done
   * @param loss of the step, or behind it
   */
  record Point(long step, double loss) {}

  /** Reads the points of one series: {@code loss} or {@code validation_loss}. */
  static List<Point> read(Path file, String series) {
    List<Point> points = new ArrayList<>();
    try (var lines = Files.newBufferedReader(file)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        Map<String, Object> values = line.contains('"' + series + '"') ? parse(file, line) : null;
        if (values != null
            && values.get("step") instanceof Long step
            && values.get(series) instanceof Number loss) {
          points.add(new Point(step, loss.doubleValue()));
        }
      }
    } catch (IOException e) {
      throw new FormatException(file, "cannot be read: " + e, e);
    }
    return points;
  }

  @Override
  public void close() {
    try {
      out.close();
    } catch (IOException e) {
      throw failure(file, e);
    }
  }
}
