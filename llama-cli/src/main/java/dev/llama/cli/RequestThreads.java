package dev.llama.cli;

import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * Threads that answer requests, each within a time. A thread that waits for a client is
 * interrupted, which closes the connection. The JDK's server has such limits too, but as system
 * properties, which hold for the whole process.
 */
final class RequestThreads implements Executor, AutoCloseable {
  private static final int THREADS = 64;
  private static final int WAITING = 256;
  private static final long SECONDS = 5;

  private final ThreadPoolExecutor threads;
  private final ScheduledThreadPoolExecutor alarms;

  RequestThreads() {
    ThreadFactory daemons =
        task -> {
          Thread thread = new Thread(task, "llama-serve-models");
          thread.setDaemon(true);
          return thread;
        };
    // What does not fit in the queue is refused, upon which the server closes the connection.
    threads =
        new ThreadPoolExecutor(
            THREADS, THREADS, 30, TimeUnit.SECONDS, new ArrayBlockingQueue<>(WAITING), daemons);
    threads.allowCoreThreadTimeOut(true);
    alarms = new ScheduledThreadPoolExecutor(1, daemons);
    alarms.setRemoveOnCancelPolicy(true);
  }

  @Override
  public void execute(Runnable request) {
    threads.execute(() -> runInTime(request));
  }

  private void runInTime(Runnable request) {
    Deadline deadline = new Deadline(Thread.currentThread());
    Future<?> alarm = alarms.schedule(deadline::pass, SECONDS, TimeUnit.SECONDS);
    try {
      request.run();
    } finally {
      alarm.cancel(false);
      deadline.end();
    }
  }

  /** Takes no more requests, and lets those in progress end, for a second. */
  @Override
  public void close() {
    threads.shutdown();
    try {
      threads.awaitTermination(1, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    threads.shutdownNow();
    alarms.shutdownNow();
  }

  /** Interrupts a thread, but never after the request that it was meant for. */
  private static final class Deadline {
    private Thread thread;

    Deadline(Thread thread) {
      this.thread = thread;
    }

    synchronized void pass() {
      if (thread != null) {
        thread.interrupt();
      }
    }

    synchronized void end() {
      thread = null;
      Thread.interrupted();
    }
  }
}
