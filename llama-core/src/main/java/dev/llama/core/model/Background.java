package dev.llama.core.model;

import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.function.Supplier;

/**
 * Work that another thread does while this one goes on.
 *
 * @param <T> its result
 */
final class Background<T> {
  private final Supplier<T> work;
  private final FutureTask<T> task;

  private Background(Supplier<T> work) {
    this.work = work;
    this.task = new FutureTask<>(work::get);
  }

  /**
   * Starts the thread. It has the context class loader of this one, by which plug-ins are found.
   *
   * @param name of the thread
   * @param work may be done twice
   * @param <T> its result
   */
  static <T> Background<T> start(String name, Supplier<T> work) {
    Background<T> background = new Background<>(work);
    Thread thread = new Thread(background.task, name);
    thread.setDaemon(true);
    thread.start();
    return background;
  }

  /** Waits for the result. What failed is done again here, so that its stack trace leads here. */
  T result() {
    try {
      return await();
    } catch (ExecutionException e) {
      return work.get();
    }
  }

  /** Waits for the result; there is none if the work failed. */
  Optional<T> resultIfAny() {
    try {
      return Optional.of(await());
    } catch (ExecutionException e) {
      return Optional.empty();
    }
  }

  /** Waits even if this thread is interrupted: it takes a moment, and the result must not leak. */
  private T await() throws ExecutionException {
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return task.get();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
