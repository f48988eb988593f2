package dev.llama.core.files;

import static dev.llama.core.files.Faults.fault;

import dev.llama.DType;
import dev.llama.FormatException;
import dev.llama.InvalidInputException;
import dev.llama.ModelConfig;
import dev.llama.core.json.Json;
import dev.llama.spi.RopeTable;
import dev.llama.spi.TensorData;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * A GGUF file, version 2 or 3: metadata, the list of tensors, the data. The whole header is checked
 * when the file is opened; whether it describes a Llama, when {@link #config()} is asked for.
 */
public final class GgufFile implements TensorSource {
  static final int MAGIC = 'G' | 'G' << 8 | 'U' << 16 | 'F' << 24;

  /** Version 1 had 32-bit counts and was in use for some weeks of 2023. */
  private static final int OLDEST_VERSION = 2;

  private static final int NEWEST_VERSION = 3;

  /** Ten times what vocabularies of 256,000 tokens take. */
  private static final int MAX_HEADER = 100_000_000;

  private static final int MAX_DIMENSIONS = 4;
  private static final long DEFAULT_ALIGNMENT = 32;

  /** Name length, a name of one byte, number of dimensions, type, offset. */
  private static final int LEAST_TENSOR_ENTRY = 8 + 1 + 4 + 4 + 8;

  private static final String ROPE_FACTORS = "rope_freqs.weight";

  /** Types by their numbers in {@code ggml.h}. */
  private static final Map<Integer, DType> TYPES =
      Map.ofEntries(
          Map.entry(0, DType.F32),
          Map.entry(1, DType.F16),
          Map.entry(2, DType.Q4_0),
          Map.entry(3, DType.Q4_1),
          Map.entry(6, DType.Q5_0),
          Map.entry(7, DType.Q5_1),
          Map.entry(8, DType.Q8_0),
          Map.entry(10, DType.Q2_K),
          Map.entry(11, DType.Q3_K),
          Map.entry(12, DType.Q4_K),
          Map.entry(13, DType.Q5_K),
          Map.entry(14, DType.Q6_K),
          Map.entry(24, DType.I8),
          Map.entry(25, DType.I16),
          Map.entry(26, DType.I32),
          Map.entry(27, DType.I64),
          Map.entry(28, DType.F64),
          Map.entry(30, DType.BF16));

  private static final Map<Integer, String> UNSUPPORTED_TYPES =
      Map.ofEntries(
          Map.entry(9, "Q8_1"),
          Map.entry(15, "Q8_K"),
          Map.entry(16, "IQ2_XXS"),
          Map.entry(17, "IQ2_XS"),
          Map.entry(18, "IQ3_XXS"),
          Map.entry(19, "IQ1_S"),
          Map.entry(20, "IQ4_NL"),
          Map.entry(21, "IQ3_S"),
          Map.entry(22, "IQ2_S"),
          Map.entry(23, "IQ4_XS"),
          Map.entry(29, "IQ1_M"),
          Map.entry(34, "TQ1_0"),
          Map.entry(35, "TQ2_0"),
          Map.entry(39, "MXFP4"));

  private final MappedFile file;
  private final Map<String, Object> metadata;
  private final Map<String, GgufReader.Range> storedValues = new HashMap<>();
  private final Map<String, TensorData> tensors;
  private final List<String> foreignTensors;

  private GgufFile(MappedFile file) {
    this.file = file;
    if (file.size() == 0) {
      throw new FormatException(file.path(), "is empty, expected a GGUF file");
    }
    int readable = (int) Math.min(file.size(), MAX_HEADER);
    GgufReader reader = new GgufReader(file.path(), file.slice(0, readable));
    checkMagicAndVersion(reader);
    int tensorCount = reader.count("number of tensors", LEAST_TENSOR_ENTRY);
    metadata = reader.metadata(reader.metadataCount(), storedValues);
    checkNotSplit();
    long alignment = alignment();
    List<Entry> entries = new ArrayList<>(tensorCount);
    for (int i = 0; i < tensorCount; i++) {
      entries.add(entry(reader, i, alignment));
    }
    long dataStart = (reader.position() + alignment - 1) / alignment * alignment;
    checkRanges(dataStart, entries);
    Map<String, TensorData> byName = new LinkedHashMap<>();
    List<String> foreign = new ArrayList<>();
    for (Entry entry : entries) {
      String name = GgufNames.toLayerName(entry.name).orElse(entry.name);
      TensorData tensor =
          new MappedTensor(
              name, entry.type, entry.shape, file, dataStart + entry.offset, entry.byteSize);
      if (byName.putIfAbsent(name, tensor) != null) {
        throw fault(file.path(), "tensor %s occurs twice", entry.name);
      }
      if (name.equals(entry.name) && !name.equals(ROPE_FACTORS)) {
        foreign.add(name);
      }
    }
    tensors = Collections.unmodifiableMap(byName);
    foreignTensors = Collections.unmodifiableList(foreign);
  }

  /** A tensor as the header describes it. */
  private record Entry(String name, DType type, long[] shape, long offset, long byteSize)
      implements Comparable<Entry> {
    @Override
    public int compareTo(Entry other) {
      return offset == other.offset
          ? Long.compare(byteSize, other.byteSize)
          : Long.compare(offset, other.offset);
    }
  }

  /**
   * Opens a file and checks its header.
   *
   * @param path a .gguf file
   * @return the tensors and metadata
   * @throws FormatException if the file is missing or broken, or holds what is not supported
   */
  public static GgufFile open(Path path) {
    return new GgufFile(MappedFile.open(path));
  }

  /**
   * Returns whether a path is to be read as GGUF.
   *
   * @param path any path
   * @return whether it is no folder and is called .gguf or begins as such a file does
   */
  public static boolean isGguf(Path path) {
    if (Files.isDirectory(path)) {
      return false;
    }
    if (path.toString().toLowerCase(Locale.ROOT).endsWith(".gguf")) {
      return true;
    }
    try (InputStream in = Files.newInputStream(path)) {
      return in.read() == 'G' && in.read() == 'G' && in.read() == 'U' && in.read() == 'F';
    } catch (IOException e) {
      return false; // whoever reads the file says what is wrong with it
    }
  }

  private void checkMagicAndVersion(GgufReader reader) {
    int magic = reader.uint32Bits("the magic");
    if (magic != MAGIC) {
      throw fault(file.path(), "begins with 0x%08x, expected the letters GGUF", magic);
    }
    int version = reader.uint32Bits("the version");
    if (version >= OLDEST_VERSION && version <= NEWEST_VERSION) {
      return;
    }
    int swapped = Integer.reverseBytes(version);
    throw fault(
        file.path(),
        "is GGUF version %s, expected %d or %d%s",
        Integer.toUnsignedString(version),
        OLDEST_VERSION,
        NEWEST_VERSION,
        swapped >= OLDEST_VERSION && swapped <= NEWEST_VERSION
            ? "; it is big-endian, convert it with gguf_convert_endian.py of llama.cpp"
            : "; convert the model again with a current llama.cpp");
  }

  private void checkNotSplit() {
    if (metadata.get("split.count") instanceof Long parts && parts > 1) {
      throw fault(
          file.path(),
          "is one of %d parts (split.count), expected a whole model; join them with"
              + " llama-gguf-split --merge",
          parts);
    }
  }

  private long alignment() {
    Object value = metadata.getOrDefault("general.alignment", DEFAULT_ALIGNMENT);
    if (value instanceof Long alignment && alignment > 0 && Long.bitCount(alignment) == 1) {
      return alignment;
    }
    throw fault(
        file.path(), "general.alignment is %s, expected a power of two", Json.describe(value));
  }

  private Entry entry(GgufReader reader, int index, long alignment) {
    Path path = file.path();
    String name = reader.string("name of tensor " + index);
    if (name.isEmpty()) {
      throw fault(path, "the name of tensor %d is empty", index);
    }
    int dimensions = reader.uint32Bits("dimensions of " + name);
    if (dimensions < 0 || dimensions > MAX_DIMENSIONS) {
      throw fault(
          path,
          "tensor %s has %s dimensions, expected at most %d",
          name,
          Integer.toUnsignedString(dimensions),
          MAX_DIMENSIONS);
    }
    long[] shape = new long[dimensions];
    for (int i = dimensions - 1; i >= 0; i--) {
      shape[i] = reader.uint64("a dimension of tensor " + name);
    }
    DType type = type(name, reader.uint32Bits("type of " + name));
    long offset = reader.uint64("offset of tensor " + name);
    if (offset % alignment != 0) {
      throw fault(
          path,
          "tensor %s begins at byte %d of the data, expected a multiple of %d",
          name,
          offset,
          alignment);
    }
    return new Entry(name, type, shape, offset, Shapes.byteSize(path, name, type, shape));
  }

  private DType type(String tensor, int number) {
    DType type = TYPES.get(number);
    if (type != null) {
      return type;
    }
    String name = UNSUPPORTED_TYPES.get(number);
    if (name == null) {
      throw fault(
          file.path(),
          "tensor %s has the unknown type %s",
          tensor,
          Integer.toUnsignedString(number));
    }
    throw fault(
        file.path(),
        "tensor %s is stored as %s, which is not supported; take a file in one of %s",
        tensor,
        name,
        Arrays.toString(
            Arrays.stream(DType.values())
                .filter(known -> known.isQuantized() || known == DType.BF16 || known == DType.F16)
                .toArray()));
  }

  private void checkRanges(long dataStart, List<Entry> entries) {
    List<Entry> byOffset = new ArrayList<>(entries);
    Collections.sort(byOffset);
    long dataSize = Math.max(0, file.size() - dataStart);
    long end = 0;
    for (Entry entry : byOffset) {
      if (entry.offset < end) {
        throw fault(
            file.path(),
            "tensor %s begins at byte %d of the data, but the one before ends at %d",
            entry.name,
            entry.offset,
            end);
      }
      if (entry.byteSize > dataSize - entry.offset) {
        throw fault(
            file.path(),
            "tensor %s takes %d bytes from byte %d of the data, but the file has %d; it is cut off,"
                + " download or copy it again",
            entry.name,
            entry.byteSize,
            entry.offset,
            dataSize);
      }
      end = entry.offset + entry.byteSize;
    }
  }

  /**
   * Returns all metadata.
   *
   * @return by key, in the file's order, not modifiable: Long (BigInteger above 2^63 - 1), Double,
   *     Boolean, String; arrays as List of String, int[] (elements of up to 32 bits signed or 16
   *     unsigned), long[] (unsigned 64-bit elements keep their bits), float[], double[], boolean[]
   */
  public Map<String, Object> metadata() {
    return metadata;
  }

  /**
   * Returns the architecture under the names of config.json.
   *
   * @return the architecture
   * @throws FormatException if the file is not a Llama's, lacks a key, or asks for what is not
   *     implemented
   */
  public ModelConfig config() {
    return new GgufConfig(this).read();
  }

  /** Returns a value as it is stored: its type and its bytes. */
  byte[] storedValue(String key) {
    GgufReader.Range range = storedValues.get(key);
    byte[] bytes = new byte[range.end() - range.start()];
    file.slice(range.start(), bytes.length).get(bytes);
    return bytes;
  }

  /** Returns the number that stands for a type in files. */
  static int number(DType type) {
    for (Map.Entry<Integer, DType> entry : TYPES.entrySet()) {
      if (entry.getValue() == type) {
        return entry.getKey();
      }
    }
    throw new InvalidInputException("GGUF files cannot hold elements of type " + type);
  }

  /** Divisors of the rotary frequencies, where the file has them: [headDim / 2]. */
  TensorData ropeFactors() {
    return tensors.get(ROPE_FACTORS);
  }

  /** Tensors that are no part of a Llama. */
  List<String> foreignTensors() {
    return foreignTensors;
  }

  @Override
  public Path path() {
    return file.path();
  }

  @Override
  public Map<String, TensorData> tensors() {
    return tensors;
  }

  @Override
  public RopeTable.Pairing pairing() {
    return RopeTable.Pairing.NEIGHBOURS;
  }

  @Override
  public void close() {
    file.close();
  }
}
