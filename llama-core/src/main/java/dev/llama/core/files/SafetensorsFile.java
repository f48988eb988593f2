package dev.llama.core.files;

import static dev.llama.core.files.Faults.fault;

import dev.llama.DType;
import dev.llama.FormatException;
import dev.llama.core.json.Json;
import dev.llama.spi.RopeTable;
import dev.llama.spi.TensorData;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * A safetensors file: eight bytes of header length, a JSON object that gives every tensor's type,
 * shape and range, and the data. The whole header is checked when the file is opened, by the rules
 * of the reference implementation: the ranges must fill the data exactly.
 */
public final class SafetensorsFile implements TensorSource {
  /** The reference implementation's limit. */
  private static final long MAX_HEADER = 100_000_000;

  /** Far above the four that any known tensor has. */
  private static final int MAX_DIMENSIONS = 64;

  private static final int LENGTH_FIELD = Long.BYTES;
  private static final String METADATA = "__metadata__";

  private static final Map<String, DType> TYPES =
      Map.ofEntries(
          Map.entry("F64", DType.F64),
          Map.entry("F32", DType.F32),
          Map.entry("F16", DType.F16),
          Map.entry("BF16", DType.BF16),
          Map.entry("F8_E4M3", DType.F8_E4M3),
          Map.entry("F8_E5M2", DType.F8_E5M2),
          Map.entry("I64", DType.I64),
          Map.entry("I32", DType.I32),
          Map.entry("I16", DType.I16),
          Map.entry("I8", DType.I8),
          Map.entry("U64", DType.U64),
          Map.entry("U32", DType.U32),
          Map.entry("U16", DType.U16),
          Map.entry("U8", DType.U8),
          Map.entry("BOOL", DType.BOOL));

  /** In the format, but of no use to a Llama. */
  private static final Set<String> UNSUPPORTED_TYPES =
      Set.of("C64", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F6_E2M3", "F6_E3M2", "F4");

  private final MappedFile file;
  private final Map<String, TensorData> tensors;

  private SafetensorsFile(MappedFile file, Map<String, TensorData> tensors) {
    this.file = file;
    this.tensors = tensors;
  }

  /**
   * Opens a file and checks its header.
   *
   * @param path a .safetensors file
   * @return the tensors
   * @throws FormatException if the file is missing or broken
   */
  public static SafetensorsFile open(Path path) {
    MappedFile file = MappedFile.open(path);
    int headerSize = headerSize(file);
    Map<String, Object> header = header(file, headerSize);
    long dataStart = LENGTH_FIELD + (long) headerSize;
    List<MappedTensor> tensors = new ArrayList<>(header.size());
    header.forEach(
        (name, entry) -> {
          if (!name.equals(METADATA)) {
            tensors.add(tensor(file, dataStart, name, entry));
          }
        });
    checkRangesFillData(file, dataStart, tensors);
    Map<String, TensorData> byName = new LinkedHashMap<>();
    tensors.forEach(tensor -> byName.put(tensor.name(), tensor));
    return new SafetensorsFile(file, Collections.unmodifiableMap(byName));
  }

  private static int headerSize(MappedFile file) {
    if (file.size() < LENGTH_FIELD) {
      throw new FormatException(
          file.path(), "has " + file.size() + " bytes, expected a header length of 8 bytes first");
    }
    long size = file.slice(0, LENGTH_FIELD).getLong();
    long available = file.size() - LENGTH_FIELD;
    if (size < 2 || size > available || size > MAX_HEADER) {
      throw new FormatException(
          file.path(),
          "header length is "
              + Long.toUnsignedString(size)
              + ", expected 2 to "
              + Math.min(available, MAX_HEADER)
              + "; the file is cut off or not safetensors");
    }
    return (int) size;
  }

  private static Map<String, Object> header(MappedFile file, int size) {
    byte[] json = new byte[size];
    file.slice(LENGTH_FIELD, size).get(json);
    if (json[0] != '{') {
      throw fault(
          file.path(),
          "header begins with byte 0x%02x, expected {; not a safetensors file",
          json[0]);
    }
    return Json.parseObject(file.path(), json);
  }

  private static MappedTensor tensor(
      MappedFile file, long dataStart, String name, Object entryValue) {
    Path path = file.path();
    if (!(entryValue instanceof Map<?, ?> entry)) {
      throw new FormatException(path, "header entry \"" + name + "\" is not an object");
    }
    DType type = type(path, name, entry.get("dtype"));
    long[] shape = integers(path, name, "shape", entry.get("shape"), MAX_DIMENSIONS);
    long[] range = integers(path, name, "data_offsets", entry.get("data_offsets"), 2);
    if (range.length != 2 || range[0] > range[1]) {
      throw new FormatException(
          path,
          "tensor "
              + name
              + " has data_offsets "
              + Arrays.toString(range)
              + ", expected begin, end");
    }
    long dataSize = file.size() - dataStart;
    if (range[1] > dataSize) {
      throw fault(
          path,
          "tensor %s ends at byte %d of the data, but the file has %d; it is cut off, download"
              + " or copy it again",
          name,
          range[1],
          dataSize);
    }
    long byteSize = Shapes.byteSize(path, name, type, shape);
    if (byteSize != range[1] - range[0]) {
      throw fault(
          path,
          "tensor %s: %s %s takes %d bytes, but data_offsets hold %d",
          name,
          type,
          Arrays.toString(shape),
          byteSize,
          range[1] - range[0]);
    }
    return new MappedTensor(name, type, shape, file, dataStart + range[0], byteSize);
  }

  private static DType type(Path path, String name, Object value) {
    DType type = value instanceof String ? TYPES.get(value) : null;
    if (type == null) {
      boolean known = value instanceof String && UNSUPPORTED_TYPES.contains(value);
      throw fault(
          path,
          "tensor %s has dtype %s, %s",
          name,
          value,
          known ? "which is not supported" : "expected one of " + new TreeSet<>(TYPES.keySet()));
    }
    return type;
  }

  /** Reads a list of non-negative integers. */
  private static long[] integers(
      Path path, String tensor, String field, Object value, int maxLength) {
    if (!(value instanceof List<?> list)) {
      throw new FormatException(
          path, "tensor " + tensor + " has " + field + " " + value + ", expected a list");
    }
    if (list.size() > maxLength) {
      throw fault(
          path,
          "tensor %s: %s has %d entries, expected at most %d",
          tensor,
          field,
          list.size(),
          maxLength);
    }
    long[] integers = new long[list.size()];
    for (int i = 0; i < integers.length; i++) {
      if (!(list.get(i) instanceof Long number) || number < 0) {
        throw fault(
            path,
            "tensor %s: %s holds %s, expected an integer of at least 0",
            tensor,
            field,
            list.get(i));
      }
      integers[i] = number;
    }
    return integers;
  }

  private static void checkRangesFillData(
      MappedFile file, long dataStart, List<MappedTensor> tensors) {
    List<MappedTensor> byStart = new ArrayList<>(tensors);
    byStart.sort(
        Comparator.comparingLong(MappedTensor::start).thenComparingLong(MappedTensor::byteSize));
    long end = dataStart;
    for (MappedTensor tensor : byStart) {
      if (tensor.start() != end) {
        throw fault(
            file.path(),
            "tensor %s begins at byte %d of the data, expected %d: ranges must neither overlap"
                + " nor leave gaps",
            tensor.name(),
            tensor.start() - dataStart,
            end - dataStart);
      }
      end += tensor.byteSize();
    }
    if (end != file.size()) {
      throw fault(
          file.path(), "has %d bytes after the last tensor, expected none", file.size() - end);
    }
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
    return RopeTable.Pairing.HALVES;
  }

  @Override
  public void close() {
    file.close();
  }
}
