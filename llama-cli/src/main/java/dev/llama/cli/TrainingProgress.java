package dev.llama.cli;

import dev.llama.train.Evaluation;
import dev.llama.train.StepReport;
import dev.llama.train.TrainingListener;
import java.io.PrintStream;
import java.nio.file.Path;
import java.time.Duration;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * Shows how training goes, on stderr: on a terminal a bar with loss, speed and time left, elsewhere
 * a line now and then.
 */
final class TrainingProgress implements TrainingListener, AutoCloseable {
  private static final int WIDTH = 110;
  private static final long NANOS_BETWEEN_LINES = 30_000_000_000L;
  private static final double NEW_WEIGHT = 0.1; // of a step in the moving averages

  private final PrintStream err;
  private final long steps;
  private final ProgressBar bar; // null where nobody looks
  private long lastLine = System.nanoTime();
  private double loss = Double.NaN;
  private double tokensPerSecond = Double.NaN;
  private StepReport lastStep;
  private Evaluation lastEvaluation;
  private Path lastCheckpoint;

  TrainingProgress(Streams io, long done, long steps) {
    err = io.err();
    this.steps = steps;
    bar =
        io.errIsTerminal()
            ? new ProgressBarBuilder()
                .setTaskName("Training")
                .setInitialMax(steps)
                .startsFrom(done, Duration.ZERO)
                .setStyle(ProgressBarStyle.ASCII)
                .setConsumer(new ConsoleProgressBarConsumer(err, WIDTH))
                .clearDisplayOnFinish()
                .build()
            : null;
  }

  @Override
  public void onStep(StepReport report) {
    lastStep = report;
    loss = average(loss, report.loss());
    tokensPerSecond = average(tokensPerSecond, report.tokensPerSecond());
    if (bar != null) {
      bar.stepTo(report.step());
      bar.setExtraMessage(summary());
    } else if (System.nanoTime() - lastLine > NANOS_BETWEEN_LINES) {
      line("step " + report.step() + " of " + steps + ": " + summary() + ", " + timeLeft(report));
    }
  }

  private static double average(double before, double now) {
    return Double.isNaN(before) ? now : before + NEW_WEIGHT * (now - before);
  }

  private String summary() {
    return "loss "
        + Units.decimals(loss, 3)
        + ", "
        + Units.grouped(Math.round(tokensPerSecond))
        + " tokens/s";
  }

  private String timeLeft(StepReport report) {
    double seconds = (steps - report.step()) * report.tokens() / tokensPerSecond;
    long minutes = Math.round(seconds / 60);
    return (minutes < 60 ? minutes + " min" : minutes / 60 + " h " + minutes % 60 + " min")
        + " left";
  }

  @Override
  public void onEvaluation(long step, Evaluation evaluation) {
    lastEvaluation = evaluation;
    line(
        "step "
            + step
            + ": loss "
            + Units.decimals(loss, 4)
            + ", validation loss "
            + Units.decimals(evaluation.loss(), 4)
            + ", perplexity "
            + Units.decimals(evaluation.perplexity(), 3));
  }

  @Override
  public void onCheckpoint(long step, Path folder) {
    lastCheckpoint = folder;
  }

  private void line(String text) {
    lastLine = System.nanoTime();
    if (bar != null) {
      err.print("\r\u001b[K"); // the bar is drawn again below the line
    }
    err.println(text);
  }

  /** The last step of this process; {@code null} if there was none. */
  StepReport lastStep() {
    return lastStep;
  }

  /** The last evaluation of this process; {@code null} if there was none. */
  Evaluation lastEvaluation() {
    return lastEvaluation;
  }

  /** The last checkpoint of this process; {@code null} if there was none. */
  Path lastCheckpoint() {
    return lastCheckpoint;
  }

  /** Moving average over the last steps. */
  double tokensPerSecond() {
    return tokensPerSecond;
  }

  @Override
  public void close() {
    if (bar != null) {
      bar.close();
    }
  }
}
