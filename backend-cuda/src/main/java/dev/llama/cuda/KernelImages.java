package dev.llama.cuda;

import dev.llama.BackendException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.zip.GZIPInputStream;

/** Where the kernels' code is: which module holds a kernel, and the module's PTX. */
interface KernelImages {
  /**
   * Returns the module that holds a kernel.
   *
   * @param kernel its name
   * @throws BackendException if none does
   */
  String moduleOf(String kernel);

  /**
   * Returns a module.
   *
   * @param module its name
   * @return PTX
   * @throws BackendException if it cannot be read
   */
  byte[] image(String module);

  /**
   * Finds the images for a device.
   *
   * @param capability its compute capability
   */
  static KernelImages find(int capability) {
    return DriverLibrary.isEmulator() ? new InTheLibrary() : new Resources(capability);
  }

  /** The emulator has the kernels built in. */
  final class InTheLibrary implements KernelImages {
    @Override
    public String moduleOf(String kernel) {
      return "emulator";
    }

    @Override
    public byte[] image(String module) {
      return new byte[0];
    }
  }

  /**
   * PTX in this jar, which {@code src/main/cuda/build.sh} made. Its list has a line for each
   * module: the source, the least compute capability, and the names of its kernels. Of the modules
   * with a kernel the one for the highest capability that the device has is taken.
   */
  final class Resources implements KernelImages {
    static final String LIST = "kernels.txt";

    private final Map<String, String> modules = new HashMap<>();
    private final Map<String, Integer> capabilities = new HashMap<>();

    Resources(int capability) {
      String list = new String(read(LIST), StandardCharsets.US_ASCII);
      list.lines().filter(line -> !line.startsWith("#")).forEach(line -> add(line, capability));
    }

    private void add(String line, int capability) {
      String[] words = line.split(" ");
      int needed = Integer.parseInt(words[1]);
      for (int i = 2; i < words.length; i++) {
        if (needed <= capability && needed > capabilities.getOrDefault(words[i], 0)) {
          capabilities.put(words[i], needed);
          modules.put(words[i], words[0] + "." + needed);
        }
      }
    }

    @Override
    public String moduleOf(String kernel) {
      String module = modules.get(kernel);
      if (module == null) {
        throw new BackendException("there is no kernel " + kernel + " for this device");
      }
      return module;
    }

    @Override
    public byte[] image(String module) {
      return read(module + ".ptx.gz");
    }

    private static byte[] read(String name) {
      try (InputStream file = KernelImages.class.getResourceAsStream("ptx/" + name)) {
        if (file == null) {
          throw new BackendException(
              "the jar of backend-cuda has no ptx/" + name + "; take a complete one");
        }
        if (!name.endsWith(".gz")) {
          return file.readAllBytes();
        }
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        try (GZIPInputStream unpacked = new GZIPInputStream(file)) {
          unpacked.transferTo(text);
        }
        return text.toByteArray();
      } catch (IOException e) {
        throw new BackendException("ptx/" + name + " in backend-cuda cannot be read: " + e, e);
      }
    }
  }
}
