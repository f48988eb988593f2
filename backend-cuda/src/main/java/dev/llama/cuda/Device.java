package dev.llama.cuda;

import com.sun.jna.Memory;
import dev.llama.BackendException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A GPU as the driver describes it.
 *
 * @param index number in the driver's order, from 0
 * @param handle the driver's
 * @param name of the product
 * @param capability compute capability, {@code 10 major + minor}
 * @param memory bytes
 * @param multiprocessors number of them
 * @param sharedMemory most that a block may use, in bytes
 */
record Device(
    int index,
    int handle,
    String name,
    int capability,
    long memory,
    int multiprocessors,
    int sharedMemory) {
  /** Turing: the first with the int8 and matrix instructions that the kernels use. */
  private static final int LEAST_CAPABILITY = 75;

  /** The driver's own needs, and some room for a small model. */
  private static final long LEAST_MEMORY = 1L << 30;

  /**
   * Lists the devices of a driver that has started.
   *
   * @throws BackendException if there is none
   */
  static List<Device> list() {
    try (Memory out = new Memory(256)) {
      long address = Driver.address(out);
      Driver.check(Cu.cuDeviceGetCount(address), "cuDeviceGetCount");
      int count = out.getInt(0);
      if (count == 0) {
        throw new BackendException("there is an NVIDIA driver, but no CUDA device");
      }
      List<Device> devices = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        devices.add(read(i, out));
      }
      return devices;
    }
  }

  private static Device read(int index, Memory out) {
    long address = Driver.address(out);
    Driver.check(Cu.cuDeviceGet(address, index), "cuDeviceGet");
    int handle = out.getInt(0);
    Driver.check(Cu.cuDeviceGetName(address, (int) out.size(), handle), "cuDeviceGetName");
    String name = out.getString(0);
    Driver.check(Cu.cuDeviceTotalMem(address, handle), "cuDeviceTotalMem");
    long memory = out.getLong(0);
    return new Device(
        index,
        handle,
        name,
        10 * attribute(Cu.COMPUTE_CAPABILITY_MAJOR, handle, out)
            + attribute(Cu.COMPUTE_CAPABILITY_MINOR, handle, out),
        memory,
        attribute(Cu.MULTIPROCESSOR_COUNT, handle, out),
        attribute(Cu.MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, handle, out));
  }

  private static int attribute(int attribute, int handle, Memory out) {
    Driver.check(
        Cu.cuDeviceGetAttribute(Driver.address(out), attribute, handle), "cuDeviceGetAttribute");
    return out.getInt(0);
  }

  /** Returns why kernels cannot run on it; empty if they can. */
  Optional<String> obstacle() {
    if (capability < LEAST_CAPABILITY) {
      return Optional.of(
          this
              + " has compute capability "
              + words(capability)
              + ", needed is "
              + words(LEAST_CAPABILITY)
              + " (Turing, 2018) or higher");
    }
    if (memory < LEAST_MEMORY) {
      return Optional.of(this + " has " + memory + " bytes of memory, needed are " + LEAST_MEMORY);
    }
    return Optional.empty();
  }

  /**
   * Chooses a device.
   *
   * @param devices all
   * @param variant number of the device; empty: the first that can be used
   * @throws BackendException if there is none such, with every device's reason
   */
  static Device choose(List<Device> devices, Optional<String> variant) {
    if (variant.isPresent()) {
      Device device = devices.get(parse(variant.get(), devices.size()));
      device
          .obstacle()
          .ifPresent(
              reason -> {
                throw new BackendException(reason);
              });
      return device;
    }
    List<String> reasons = new ArrayList<>();
    for (Device device : devices) {
      Optional<String> obstacle = device.obstacle();
      if (obstacle.isEmpty()) {
        return device;
      }
      reasons.add(obstacle.get());
    }
    throw new BackendException(String.join("; ", reasons));
  }

  private static int parse(String variant, int count) {
    int index = variant.matches("\\d{1,4}") ? Integer.parseInt(variant) : -1;
    if (index < 0 || index >= count) {
      throw new BackendException(
          "cuda has no variant \"" + variant + "\"; it has the devices 0 to " + (count - 1));
    }
    return index;
  }

  /** Returns what a user wants to know of it. */
  String description() {
    return name
        + ", compute capability "
        + words(capability)
        + ", "
        + (memory >> 20)
        + " MiB, driver for CUDA "
        + Driver.words(Driver.version());
  }

  private static String words(int capability) {
    return capability / 10 + "." + capability % 10;
  }

  @Override
  public String toString() {
    return "device " + index + " (" + name + ")";
  }
}
