package dev.llama.cli;

import java.io.PrintStream;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** A bar on stderr, for people only, and only where there is something to wait for. */
final class Progress implements AutoCloseable {
  private static final long NOTICEABLE_NANOS = 500_000_000;
  private static final int WIDTH = 80;

  private final PrintStream err; // null where nobody looks
  private final String task;
  private final String unit;
  private final long unitSize;
  private final long start = System.nanoTime();
  private ProgressBar bar;

  Progress(Streams io, String task, String unit, long unitSize) {
    this.err = io.errIsTerminal() ? io.err() : null;
    this.task = task;
    this.unit = unit;
    this.unitSize = unitSize;
  }

  /** Reports how much is done. A total of 0 is not known yet. */
  void update(long done, long total) {
    if (err == null || total <= 0) {
      return;
    }
    if (bar == null && done < total && System.nanoTime() - start > NOTICEABLE_NANOS) {
      bar =
          new ProgressBarBuilder()
              .setTaskName(task)
              .setInitialMax(total)
              .setUnit(unit, unitSize)
              .setStyle(ProgressBarStyle.ASCII)
              .setConsumer(new ConsoleProgressBarConsumer(err, WIDTH))
              .clearDisplayOnFinish()
              .build();
    }
    if (bar != null) {
      bar.stepTo(done);
    }
  }

  /** Takes the bar away. */
  @Override
  public void close() {
    if (bar != null) {
      bar.close();
      bar = null;
    }
  }
}
