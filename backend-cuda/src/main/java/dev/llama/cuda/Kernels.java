package dev.llama.cuda;

import com.sun.jna.Memory;
import dev.llama.BackendException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/**
 * Kernels by their names. A module is given to the driver, which compiles it for the device, when
 * the first of its kernels is wanted. For one thread at a time, with the device current.
 */
final class Kernels implements AutoCloseable {
  /** Dynamic shared memory that a kernel may use without being asked. */
  private static final int FREE_SHARED_BYTES = 48 << 10;

  private static final int LOG_BYTES = 8192;
  private static final int MAX_PARAMETER_BYTES = 1024;

  private final KernelImages images;
  private final int maxSharedBytes;
  private final Map<String, Long> modules = new HashMap<>();
  private final Map<String, Long> functions = new HashMap<>();
  private final Map<String, Integer> sharedLimits = new HashMap<>();
  private final Memory parameters = new Memory(MAX_PARAMETER_BYTES);
  private final Memory size = new Memory(Long.BYTES);
  private final Memory extra = new Memory(5 * Long.BYTES);

  /**
   * Makes an empty table.
   *
   * @param images where modules are
   * @param maxSharedBytes most that a block may ask for
   */
  Kernels(KernelImages images, int maxSharedBytes) {
    this.images = images;
    this.maxSharedBytes = maxSharedBytes;
    extra.setLong(0, Cu.LAUNCH_PARAM_BUFFER_POINTER);
    extra.setPointer(8, parameters);
    extra.setLong(16, Cu.LAUNCH_PARAM_BUFFER_SIZE);
    extra.setPointer(24, size);
    extra.setLong(32, Cu.LAUNCH_PARAM_END);
  }

  /**
   * Returns a kernel's handle.
   *
   * @param name of the kernel
   * @param sharedBytes dynamic shared memory of its next launch
   */
  long function(String name, int sharedBytes) {
    Long known = functions.get(name);
    long function = known == null ? find(name) : known;
    if (sharedBytes > FREE_SHARED_BYTES && sharedBytes > sharedLimits.getOrDefault(name, 0)) {
      if (sharedBytes > maxSharedBytes) {
        throw new BackendException(
            "kernel "
                + name
                + " needs "
                + sharedBytes
                + " bytes of shared memory, the device has "
                + maxSharedBytes);
      }
      Driver.check(
          Cu.cuFuncSetAttribute(function, Cu.MAX_DYNAMIC_SHARED_SIZE_BYTES, sharedBytes),
          "cuFuncSetAttribute for " + name,
          sharedBytes);
      sharedLimits.put(name, sharedBytes);
    }
    return function;
  }

  private long find(String name) {
    String module = images.moduleOf(name);
    Long loaded = modules.get(module);
    if (loaded == null) {
      loaded = load(module);
      modules.put(module, loaded);
    }
    byte[] text = name.getBytes(StandardCharsets.US_ASCII);
    try (Memory out = new Memory(Long.BYTES);
        Memory nameText = new Memory(text.length + 1)) {
      nameText.write(0, text, 0, text.length);
      nameText.setByte(text.length, (byte) 0);
      Driver.check(
          Cu.cuModuleGetFunction(Driver.address(out), loaded, Driver.address(nameText)),
          "cuModuleGetFunction of " + name);
      functions.put(name, out.getLong(0));
      return out.getLong(0);
    }
  }

  private long load(String module) {
    byte[] image = images.image(module);
    try (Memory out = new Memory(Long.BYTES);
        Memory text = new Memory(image.length + 1);
        Memory log = new Memory(LOG_BYTES);
        Memory keys = new Memory(2 * Integer.BYTES);
        Memory values = new Memory(2 * Long.BYTES)) {
      text.write(0, image, 0, image.length);
      text.setByte(image.length, (byte) 0);
      log.setByte(0, (byte) 0);
      keys.setInt(0, Cu.JIT_ERROR_LOG_BUFFER);
      keys.setInt(4, Cu.JIT_ERROR_LOG_BUFFER_SIZE_BYTES);
      values.setPointer(0, log);
      values.setLong(8, LOG_BYTES);
      int status =
          Cu.cuModuleLoadDataEx(
              Driver.address(out),
              Driver.address(text),
              2,
              Driver.address(keys),
              Driver.address(values));
      if (status != Cu.SUCCESS) {
        throw Driver.failure(
            status,
            "cuModuleLoadDataEx of "
                + module
                + " ("
                + image.length
                + " bytes; the compiler says: "
                + log.getString(0).trim()
                + ")");
      }
      return out.getLong(0);
    }
  }

  /** Enqueues a kernel; see {@link Gpu#launch}. */
  void launch(long function, String name, long stream, Grid grid, Object... arguments) {
    size.setLong(0, write(arguments));
    int status =
        !grid.isPossible()
            ? Cu.INVALID_VALUE
            : Cu.cuLaunchKernel(
                function,
                (int) grid.x(),
                (int) grid.y(),
                (int) grid.z(),
                grid.threads(),
                1,
                1,
                grid.sharedBytes(),
                stream,
                0,
                Driver.address(extra));
    if (status != Cu.SUCCESS) {
      throw Driver.failure(status, "cuLaunchKernel of " + name + ", " + grid);
    }
  }

  /** Lays arguments out as the device's compiler does: each aligned to its size. */
  private int write(Object... arguments) {
    int at = 0;
    for (Object argument : arguments) {
      if (argument instanceof Integer) {
        parameters.setInt(at, (Integer) argument);
        at += Integer.BYTES;
      } else if (argument instanceof Float) {
        parameters.setFloat(at, (Float) argument);
        at += Float.BYTES;
      } else {
        at = (at + 7) & -8;
        long value = 0;
        if (argument instanceof CudaTensor) {
          value = ((CudaTensor) argument).address();
        } else if (argument != null) {
          value = (Long) argument;
        }
        parameters.setLong(at, value);
        at += Long.BYTES;
      }
    }
    return at;
  }

  @Override
  public void close() {
    modules.values().forEach(Cu::cuModuleUnload);
    modules.clear();
    functions.clear();
    parameters.close();
    size.close();
    extra.close();
  }
}
