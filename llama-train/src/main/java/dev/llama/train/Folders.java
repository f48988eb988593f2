package dev.llama.train;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;

/**
 * Folders that appear whole or not at all: what is to be in one is written to a temporary folder
 * beside it, forced to the disk, and moved. Temporary folders begin with a dot; those of a process
 * that was killed are deleted by the next.
 */
final class Folders {
  private static final String NEW = ".new-";
  private static final String OLD = ".old-";

  private Folders() {}

  /** Writes what belongs into a folder. */
  @FunctionalInterface
  interface Content {
    void writeTo(Path folder) throws IOException;
  }

  /**
   * Creates a folder, or replaces one.
   *
   * @param folder to be there afterwards, with the content and nothing else
   * @param content is given an empty folder
   * @throws IOException if it cannot be done; what was there is then intact
   */
  static void create(Path folder, Content content) throws IOException {
    Path target = folder.toAbsolutePath().normalize();
    Path parent = target.getParent();
    Files.createDirectories(parent);
    Path fresh = parent.resolve(NEW + target.getFileName());
    Path old = parent.resolve(OLD + target.getFileName());
    delete(fresh);
    try {
      Files.createDirectory(fresh);
      content.writeTo(fresh);
      sync(fresh);
      if (Files.exists(target)) {
        delete(old);
        Files.move(target, old, StandardCopyOption.ATOMIC_MOVE);
      }
      Files.move(fresh, target, StandardCopyOption.ATOMIC_MOVE);
      sync(parent);
    } catch (IOException | RuntimeException | Error e) {
      restore(target, old, e);
      deleteQuietly(fresh, e);
      throw e;
    }
    delete(old);
  }

  private static void restore(Path target, Path old, Throwable failure) {
    try {
      if (!Files.exists(target) && Files.exists(old)) {
        Files.move(old, target, StandardCopyOption.ATOMIC_MOVE);
      }
    } catch (IOException e) {
      failure.addSuppressed(e);
    }
  }

  /** Writes a file, and waits until it is on the disk. */
  static void write(Path file, byte[] content) throws IOException {
    try (FileChannel out =
        FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      ByteBuffer bytes = ByteBuffer.wrap(content);
      while (bytes.hasRemaining()) {
        out.write(bytes);
      }
      out.force(true);
    }
  }

  /** Waits until the names in a folder are on the disk, where the system can do that. */
  private static void sync(Path folder) {
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    } catch (IOException ignored) {
      // Windows opens no folders, and needs no such thing.
    }
  }

  /** Removes a folder: it is gone at once, its content afterwards. */
  static void remove(Path folder) throws IOException {
    Path old = folder.resolveSibling(OLD + folder.getFileName());
    delete(old);
    Files.move(folder, old, StandardCopyOption.ATOMIC_MOVE);
    delete(old);
  }

  /** Deletes what a killed process left behind; completes a replacement that it had begun. */
  static void clean(Path parent) throws IOException {
    try (var entries = Files.newDirectoryStream(parent, "{" + NEW + "," + OLD + "}*")) {
      for (Path entry : entries) {
        String name = entry.getFileName().toString();
        Path target = parent.resolve(name.substring(NEW.length()));
        if (name.startsWith(OLD) && target.endsWith(RunFolder.MODEL) && !Files.exists(target)) {
          Files.move(entry, target, StandardCopyOption.ATOMIC_MOVE);
        } else {
          delete(entry);
        }
      }
    }
  }

  /** What an exception of the file system says, in words. */
  static String reason(IOException e) {
    if (e instanceof AccessDeniedException) {
      return "permission denied for " + e.getMessage();
    } else if (e instanceof FileSystemException system && system.getReason() != null) {
      return system.getReason();
    }
    return e.getMessage() == null ? e.toString() : e.getMessage();
  }

  private static void deleteQuietly(Path folder, Throwable failure) {
    try {
      delete(folder);
    } catch (IOException e) {
      failure.addSuppressed(e);
    }
  }

  private static void delete(Path folder) throws IOException {
    if (!Files.exists(folder)) {
      return;
    }
    Files.walkFileTree(
        folder,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.delete(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path dir, IOException e) throws IOException {
            if (e != null) {
              throw e;
            }
            Files.delete(dir);
            return FileVisitResult.CONTINUE;
          }
        });
  }
}
