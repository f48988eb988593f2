package dev.llama.train.data;

import dev.llama.FormatException;
import dev.llama.TrainingException;
import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;

/**
 * The files of a corpus. Shuffled reading jumps about, which compressed files do not allow: these
 * are unpacked into a temporary folder, once.
 */
final class DataFiles implements Closeable {
  private static final int BUFFER_BYTES = 1 << 16;

  private final DataOptions options;
  private final List<DataFile> files = new ArrayList<>();
  private Path temporary; // null while nothing has been unpacked

  /** A file: its name for messages, where its bytes are, and how to read them. */
  private record DataFile(Path path, Path content, DataFormat format) {}

  /**
   * Finds the files and unpacks those that are compressed.
   *
   * @param paths files and folders
   * @param options format and rules
   */
  DataFiles(List<Path> paths, DataOptions options) {
    this.options = options;
    try {
      for (Path path : paths) {
        if (Files.isDirectory(path)) {
          addFolder(path);
        } else {
          add(path);
        }
      }
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  int count() {
    return files.size();
  }

  Path path(int file) {
    return files.get(file).path();
  }

  /** Opens a file at the beginning of a document. */
  DocumentReader open(int file, long offset, long line) throws IOException {
    DataFile data = files.get(file);
    ByteSource bytes = new ByteSource(data.content(), offset, line);
    return switch (data.format()) {
      case TEXT -> new TextReader(data.path(), bytes, options.documents());
      case JSON_LINES -> new JsonLinesReader(data.path(), bytes, options.jsonField());
      case FASTA -> new FastaReader(data.path(), bytes, options.fasta());
    };
  }

  FormatException unreadable(int file, IOException e) {
    return new FormatException(path(file), "cannot be read: " + e, e);
  }

  private void addFolder(Path folder) {
    int before = files.size();
    try (Stream<Path> inside = Files.walk(folder)) {
      inside
          .filter(path -> !isHidden(folder, path) && DataFormat.of(path).isPresent())
          .filter(Files::isRegularFile)
          .sorted(Comparator.comparing(Path::toString))
          .forEach(this::add);
    } catch (IOException e) {
      throw new FormatException(folder, "cannot be listed: " + e, e);
    }
    if (files.size() == before) {
      throw new FormatException(
          folder,
          "holds no file whose name ends in .txt, .jsonl, .fasta or another ending of these"
              + " formats; rename the files, or name them one by one");
    }
  }

  private static boolean isHidden(Path folder, Path path) {
    for (Path name : folder.relativize(path)) {
      if (name.toString().startsWith(".")) {
        return true;
      }
    }
    return false;
  }

  private void add(Path path) {
    if (!Files.exists(path)) {
      throw new FormatException(path, "no such file or folder");
    }
    if (!Files.isRegularFile(path)) {
      throw new FormatException(path, "is no regular file; training data are read several times");
    }
    requireContent(path, path);
    Path content = path;
    if (DataFormat.isCompressed(path)) {
      content = unpack(path);
      requireContent(path, content);
    }
    Optional<DataFormat> format = options.format().or(() -> DataFormat.of(path));
    files.add(new DataFile(path, content, format.orElse(DataFormat.TEXT)));
  }

  private static void requireContent(Path path, Path content) {
    try {
      if (Files.size(content) == 0) {
        throw new FormatException(path, "is empty, 0 bytes; leave it out, or copy it again");
      }
    } catch (IOException e) {
      throw new FormatException(path, "cannot be read: " + e, e);
    }
  }

  private Path unpack(Path path) {
    Path target;
    try {
      if (temporary == null) {
        temporary = Files.createTempDirectory("llama-data");
      }
      target = temporary.resolve(files.size() + ".txt");
    } catch (IOException e) {
      throw new TrainingException("cannot make a folder to unpack " + path + ": " + e, e);
    }
    try (InputStream raw = Files.newInputStream(path);
        InputStream in = new GZIPInputStream(raw, BUFFER_BYTES)) {
      Files.copy(in, target);
    } catch (ZipException e) {
      throw new FormatException(path, "is no gzip file or a broken one: " + e.getMessage(), e);
    } catch (EOFException e) {
      throw new FormatException(path, "ends in the middle of the gzip data; copy it again", e);
    } catch (IOException e) {
      throw new TrainingException(
          "cannot unpack "
              + path
              + " into "
              + temporary
              + ": "
              + e
              + "; make room there, name another folder by -Djava.io.tmpdir, or unpack it yourself",
          e);
    }
    return target;
  }

  /** Deletes what was unpacked. */
  @Override
  public void close() {
    if (temporary == null) {
      return;
    }
    try (Stream<Path> unpacked = Files.walk(temporary)) {
      for (Path path : unpacked.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(path);
      }
    } catch (IOException ignored) {
      // Left to whoever clears temporary folders; training itself has gone well.
    }
    temporary = null;
  }
}
