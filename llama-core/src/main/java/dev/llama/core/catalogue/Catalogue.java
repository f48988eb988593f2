package dev.llama.core.catalogue;

import dev.llama.FormatException;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;

/**
 * A folder of layer-specs. Each access looks at the names, sizes and times of the files, and reads
 * those that are new or changed: the folder can be edited while a process uses it. A broken file
 * hides no other. Thread-safe.
 */
public final class Catalogue {
  /** Files that a folder may hold. */
  private static final int MAX_FILES = 4096;

  /** Bytes of all files together: what they become in memory is a multiple. */
  private static final long MAX_TOTAL_BYTES = 16 << 20;

  /**
   * A file that was changed so short a time before it was read may change again within the same
   * tick of the file system's clock, and show it in neither time nor size.
   */
  private static final long SETTLED_MILLIS = 2000;

  private final Path folder;

  /** By file name; replaced under this object's monitor, never changed. */
  private SortedMap<String, Entry> entries = Collections.emptySortedMap();

  private Catalogue(Path folder) {
    this.folder = folder;
  }

  /** What a file showed when it was read, and what was in it: a layer-spec or a fault. */
  private record Entry(Stamp stamp, boolean settled, LayerSpec spec, FormatException fault) {}

  /** What changes when a file does. */
  private record Stamp(long modifiedNanos, long size, Object key) {}

  /**
   * Opens a folder.
   *
   * @param folder its files {@code *.json} are layer-specs; others, and hidden files, are ignored
   * @return the catalogue
   * @throws FormatException if there is no such folder, or it holds too many files
   */
  public static Catalogue open(Path folder) {
    if (!Files.isDirectory(folder)) {
      throw new FormatException(
          folder,
          (Files.exists(folder) ? "is no folder" : "no such folder")
              + "; expected a folder of layer-specs");
    }
    Catalogue catalogue = new Catalogue(folder);
    catalogue.scan();
    return catalogue;
  }

  /**
   * Returns the ids of the layer-specs that are in the folder now and have no fault.
   *
   * @return model_id of each, in alphabetical order
   * @throws FormatException if the folder is gone, cannot be read, or holds too many files
   */
  public List<String> ids() {
    List<String> ids = new ArrayList<>();
    specs().forEach(spec -> ids.add(spec.modelId()));
    return Collections.unmodifiableList(ids);
  }

  /**
   * Returns the layer-specs that are in the folder now and have no fault.
   *
   * @return in alphabetical order of their ids
   * @throws FormatException if the folder is gone, cannot be read, or holds too many files
   */
  public List<LayerSpec> specs() {
    List<LayerSpec> specs = new ArrayList<>();
    for (Entry entry : scan().values()) {
      if (entry.spec != null) {
        specs.add(entry.spec);
      }
    }
    return Collections.unmodifiableList(specs);
  }

  /**
   * Looks a layer-spec up. The id is compared with those in the folder and never made into a path:
   * it can come from anywhere.
   *
   * @param id model_id
   * @return empty if the folder has no such layer-spec, or its file has a fault
   * @throws FormatException if the folder is gone, cannot be read, or holds too many files
   */
  public Optional<LayerSpec> find(String id) {
    Entry entry = scan().get(id + LayerSpec.EXTENSION);
    return entry == null ? Optional.empty() : Optional.ofNullable(entry.spec);
  }

  /**
   * Returns what is wrong with the files that are no layer-specs.
   *
   * @return by file name, in alphabetical order; each exception names all faults of its file
   * @throws FormatException if the folder is gone, cannot be read, or holds too many files
   */
  public SortedMap<String, FormatException> faults() {
    SortedMap<String, FormatException> faults = new TreeMap<>();
    scan()
        .forEach(
            (name, entry) -> {
              if (entry.fault != null) {
                faults.put(name, entry.fault);
              }
            });
    return Collections.unmodifiableSortedMap(faults);
  }

  private synchronized SortedMap<String, Entry> scan() {
    SortedMap<String, Entry> found = new TreeMap<>();
    long totalBytes = 0;
    for (Map.Entry<String, Stamp> file : stamps().entrySet()) {
      String name = file.getKey();
      Stamp stamp = file.getValue();
      totalBytes += stamp.size;
      Entry known = entries.get(name);
      if (totalBytes > MAX_TOTAL_BYTES) {
        found.put(name, tooMuch(name, stamp));
        totalBytes -= stamp.size; // smaller ones may still fit
      } else if (known != null && known.settled && known.stamp.equals(stamp)) {
        found.put(name, known);
      } else {
        read(name, stamp).ifPresent(entry -> found.put(name, entry));
      }
    }
    entries = Collections.unmodifiableSortedMap(found);
    return entries;
  }

  private SortedMap<String, Stamp> stamps() {
    SortedMap<String, Stamp> stamps = new TreeMap<>();
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
      for (Path file : files) {
        String name = file.getFileName().toString();
        if (name.endsWith(LayerSpec.EXTENSION) && !name.startsWith(".")) {
          stamp(file).ifPresent(stamp -> stamps.put(name, stamp));
        }
        if (stamps.size() > MAX_FILES) {
          throw new FormatException(
              folder, "has more than " + MAX_FILES + " files; split it into several folders");
        }
      }
    } catch (DirectoryIteratorException e) {
      throw unreadable(e.getCause());
    } catch (IOException e) {
      throw unreadable(e);
    }
    return stamps;
  }

  private FormatException unreadable(IOException e) {
    return new FormatException(folder, "the folder cannot be read: " + e, e);
  }

  /** Empty for a file that was removed since its name was read. */
  private static Optional<Stamp> stamp(Path file) throws IOException {
    try {
      BasicFileAttributes attributes = Files.readAttributes(file, BasicFileAttributes.class);
      return Optional.of(
          new Stamp(
              attributes.lastModifiedTime().to(TimeUnit.NANOSECONDS),
              attributes.size(),
              attributes.fileKey()));
    } catch (NoSuchFileException e) {
      return Optional.empty();
    }
  }

  private Optional<Entry> read(String name, Stamp stamp) {
    long age = System.currentTimeMillis() - stamp.modifiedNanos / 1_000_000;
    boolean settled = age > SETTLED_MILLIS;
    Path file = folder.resolve(name);
    try {
      return Optional.of(new Entry(stamp, settled, LayerSpec.read(file), null));
    } catch (FormatException e) {
      return Files.exists(file)
          ? Optional.of(new Entry(stamp, settled, null, e))
          : Optional.empty();
    }
  }

  private Entry tooMuch(String name, Stamp stamp) {
    FormatException fault =
        new FormatException(
            folder.resolve(name),
            "is left out: the files of the folder have more than "
                + MAX_TOTAL_BYTES
                + " bytes together; split it into several folders");
    return new Entry(stamp, false, null, fault);
  }
}
