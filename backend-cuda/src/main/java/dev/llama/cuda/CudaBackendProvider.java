package dev.llama.cuda;

import dev.llama.BackendException;
import dev.llama.spi.Availability;
import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.BackendProvider;
import java.util.Optional;

/**
 * Runs on NVIDIA GPUs of compute capability 7.5 and higher, by the driver alone. The variant is the
 * number of the device; without one, the first that can be used.
 */
public final class CudaBackendProvider implements BackendProvider {
  /** As in DriverLibrary, which cannot be linked where JNA is absent. */
  private static final String LIBRARY = "llama.cuda.library";

  private static final int GPU_SCORE = 1000;

  /** Below everything else: it runs when it is asked for by name. */
  private static final int EMULATOR_SCORE = 1;

  /** For {@link java.util.ServiceLoader}. */
  public CudaBackendProvider() {}

  @Override
  public String name() {
    return "cuda";
  }

  /** Loads the driver, which stays loaded, and asks for its devices; takes none of their memory. */
  @Override
  public Availability probe() {
    if (System.getProperty(LIBRARY) == null && !Hardware.mayBeThere()) {
      return Availability.unusable("there is no NVIDIA GPU");
    }
    try {
      Device device = device(Optional.empty());
      return Availability.usable(
          DriverLibrary.isEmulator() ? EMULATOR_SCORE : GPU_SCORE, device.description());
    } catch (BackendException e) {
      return Availability.unusable(e.getMessage());
    } catch (LinkageError e) {
      return Availability.unusable(needsJna(e));
    }
  }

  @Override
  public Backend open(BackendOptions options) {
    try {
      return CudaBackend.open(device(options.variant()));
    } catch (LinkageError e) {
      throw new BackendException(needsJna(e), e);
    }
  }

  private static Device device(Optional<String> variant) {
    Driver.start();
    return Device.choose(Device.list(), variant);
  }

  private static String needsJna(LinkageError e) {
    return "the CUDA driver cannot be called ("
        + e
        + "); add the artifact net.java.dev.jna:jna, and see that JNA can unpack to its folder for"
        + " temporary files and run from there: -Djna.tmpdir=/folder names another";
  }
}
