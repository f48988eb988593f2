package dev.llama.train;

import dev.llama.TrainingException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The folder of a training run, locked while it is open:
 *
 * <pre>
 * checkpoints/step-00001000/   what is needed to go on; a model that Model.load reads
 * model/                       the trained model
 * metrics.jsonl                a line for each step and each evaluation
 * loss.svg                     the loss curve
 * lock                         held by the process that trains
 * </pre>
 *
 * Thread-safe.
 */
public final class RunFolder implements AutoCloseable {
  static final String MODEL = "model";
  static final String CURVE = "loss.svg";
  private static final Pattern STEP = Pattern.compile("step-(\\d{1,18})");

  private final Path path;
  private final FileChannel lockFile;
  private final FileLock lock;

  private RunFolder(Path path, FileChannel lockFile, FileLock lock) {
    this.path = path;
    this.lockFile = lockFile;
    this.lock = lock;
  }

  /**
   * Opens a folder, which is made if there is none, and removes what a killed process left
   * half-written.
   *
   * @param path the folder
   * @return the folder, locked; close it to unlock it
   * @throws TrainingException if it cannot be written, or another process trains in it
   */
  public static RunFolder open(Path path) {
    FileChannel channel = null;
    try {
      Files.createDirectories(path.resolve("checkpoints"));
      channel =
          FileChannel.open(
              path.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      FileLock lock = lock(channel);
      if (lock == null) {
        throw new TrainingException(
            path + ": another training writes to this folder; wait for it, or choose another");
      }
      Folders.clean(path);
      Folders.clean(path.resolve("checkpoints"));
      return new RunFolder(path, channel, lock);
    } catch (IOException e) {
      closeQuietly(channel, e);
      throw new TrainingException(
          path
              + ": the run folder cannot be written ("
              + Folders.reason(e)
              + "); grant access, or choose another",
          e);
    } catch (RuntimeException | Error e) {
      closeQuietly(channel, e);
      throw e;
    }
  }

  /** {@code null} if anyone holds it. */
  private static FileLock lock(FileChannel channel) throws IOException {
    try {
      return channel.tryLock();
    } catch (OverlappingFileLockException e) {
      return null; // this process
    }
  }

  private static void closeQuietly(FileChannel channel, Throwable failure) {
    try {
      if (channel != null) {
        channel.close();
      }
    } catch (IOException e) {
      failure.addSuppressed(e);
    }
  }

  /**
   * Returns the folder.
   *
   * @return as it was given
   */
  public Path path() {
    return path;
  }

  /**
   * Returns where the trained model is put.
   *
   * @return a folder that may not exist yet
   */
  public Path model() {
    return path.resolve(MODEL);
  }

  /**
   * Returns where the metrics are.
   *
   * @return a file of JSON lines that may not exist yet
   */
  public Path metrics() {
    return path.resolve("metrics.jsonl");
  }

  /**
   * Returns where the loss curve is.
   *
   * @return an SVG file that may not exist yet
   */
  public Path curve() {
    return path.resolve(CURVE);
  }

  /**
   * Returns the checkpoints.
   *
   * @return oldest first
   * @throws TrainingException if the folder cannot be read
   */
  public List<Path> checkpoints() {
    TreeMap<Long, Path> byStep = new TreeMap<>();
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(path.resolve("checkpoints"))) {
      for (Path entry : entries) {
        Matcher matcher = STEP.matcher(entry.getFileName().toString());
        if (matcher.matches()) {
          byStep.put(Long.parseLong(matcher.group(1)), entry);
        }
      }
    } catch (IOException e) {
      throw new TrainingException(path + ": cannot be read (" + Folders.reason(e) + ")", e);
    }
    return new ArrayList<>(byStep.values());
  }

  /**
   * Returns the checkpoint to go on from.
   *
   * @return the newest; empty if there is none
   */
  public Optional<Path> latestCheckpoint() {
    List<Path> all = checkpoints();
    return all.isEmpty() ? Optional.empty() : Optional.of(all.get(all.size() - 1));
  }

  /**
   * Replaces a file in the folder: whatever happens, it has its old content or the new.
   *
   * @param name of the file
   * @param text its content
   * @throws TrainingException if it cannot be written
   */
  public void write(String name, String text) {
    Path file = path.resolve(name);
    Path fresh = path.resolve(name + ".new");
    try {
      Files.deleteIfExists(fresh);
      Folders.write(fresh, text.getBytes(StandardCharsets.UTF_8));
      Files.move(fresh, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw new TrainingException(file + ": cannot be written (" + Folders.reason(e) + ")", e);
    }
  }

  /** Where the checkpoint of a step belongs. */
  Path checkpoint(long step) {
    return path.resolve("checkpoints").resolve(String.format(Locale.ROOT, "step-%08d", step));
  }

  /** Removes the oldest checkpoints, but for a number of them. */
  void keep(int count) {
    List<Path> all = checkpoints();
    for (int i = 0; i < all.size() - count; i++) {
      try {
        Folders.remove(all.get(i));
      } catch (IOException e) {
        throw new TrainingException(
            all.get(i) + ": the old checkpoint cannot be removed (" + Folders.reason(e) + ")", e);
      }
    }
  }

  /** Unlocks the folder. Idempotent. */
  @Override
  public void close() {
    try {
      lock.close();
      lockFile.close();
    } catch (IOException e) {
      throw new TrainingException(path + ": cannot be unlocked (" + Folders.reason(e) + ")", e);
    }
  }
}
