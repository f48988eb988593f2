package dev.llama.cpu;

import dev.llama.BackendException;
import dev.llama.DType;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * The native library with the kernels in C, loaded once in the life of this class, and the
 * instruction set whose kernels run: the best that the CPU has, or the one that {@value #PROPERTY}
 * names.
 */
final class NativeLibrary {
  /** System property that names an instruction set, for tests and for hunting faults. */
  static final String PROPERTY = "llama.cpu.level";

  /**
   * A set of kernels; needs all bits of its mask in what the CPU has. Those of an architecture are
   * in the order of {@code jni.c}, the best last.
   */
  enum Level {
    AVX2("x86-64", 0, 1, "AVX2"),
    AVX512("x86-64", 1, 1 | 2, "AVX-512"),
    AVX512VNNI("x86-64", 2, 1 | 2 | 4, "AVX-512 VNNI"),
    AMX("x86-64", 3, 1 | 2 | 4 | 8 | 32, "AVX-512 VNNI and AMX"),
    NEON("aarch64", 0, 1, "NEON"),
    DOTPROD("aarch64", 1, 1 | 2, "NEON and dot-product");

    private final String architecture;
    private final int index;
    private final long mask;
    private final String words;

    Level(String architecture, int index, long mask, String words) {
      this.architecture = architecture;
      this.index = index;
      this.mask = mask;
      this.words = words;
    }

    /** Returns those that can run, the best last. */
    static List<Level> supported(String platform, long features) {
      List<Level> levels = new ArrayList<>();
      for (Level level : values()) {
        if (platform.endsWith(level.architecture) && (features & level.mask) == level.mask) {
          levels.add(level);
        }
      }
      return levels;
    }

    /**
     * Returns the one that shall run.
     *
     * @param supported those that can
     * @param wanted what {@value NativeLibrary#PROPERTY} says, or null
     * @throws BackendException if it cannot
     */
    static Level choose(List<Level> supported, String wanted) {
      if (supported.isEmpty()) {
        throw new BackendException(
            "the native kernels need a CPU with AVX2, FMA and F16C, or 64-bit ARM; this is "
                + NativeLoader.platform()
                + " without them");
      }
      if (wanted == null) {
        return supported.get(supported.size() - 1);
      }
      for (Level level : supported) {
        if (level.toString().equals(wanted)) {
          return level;
        }
      }
      throw new BackendException(
          "-D" + PROPERTY + "=" + wanted + " is not one of what this CPU can run: " + supported);
    }

    /** Returns whether it has kernels for many rows of activations with weights of a type. */
    boolean unpacks(DType weight) {
      switch (this) {
        case AMX:
          return weight != DType.F32;
        case AVX512VNNI:
        case DOTPROD:
          return weight.isQuantized();
        default:
          return false;
      }
    }

    /**
     * Returns whether the kernels need no help with many rows of activations, whatever the type.
     */
    boolean unpacksAll() {
      return unpacks(DType.BF16) && unpacks(DType.Q8_0); // F32 has kernels of its own
    }

    /** Returns its name for people. */
    String description() {
      return words;
    }

    /** Returns its name for {@value NativeLibrary#PROPERTY}. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** What came of loading; a process cannot load it anew, nor needs to fail anew. */
  private static final class Outcome {
    private NativeLibrary library;
    private BackendException failure;

    synchronized NativeLibrary get() {
      if (library == null && failure == null) {
        try {
          library = new NativeLibrary();
        } catch (BackendException e) {
          failure = e;
        }
      }
      if (failure != null) {
        throw failure;
      }
      return library;
    }

    synchronized boolean isLoaded() {
      return library != null;
    }
  }

  private static final Outcome OUTCOME = new Outcome();

  private final long features;
  private Level level;

  private NativeLibrary() {
    features = NativeLoader.load();
    use(Level.choose(levels(), System.getProperty(PROPERTY)));
  }

  /**
   * Loads the library. What came of it is remembered.
   *
   * @return the library
   * @throws BackendException with the reason and the cure
   */
  static NativeLibrary load() {
    return OUTCOME.get();
  }

  /** Returns whether it has been loaded: the kernels can be called. */
  static boolean isLoaded() {
    return OUTCOME.isLoaded();
  }

  /** Returns the instruction sets that can run here, the best last. */
  List<Level> levels() {
    return Level.supported(NativeLoader.platform(), features);
  }

  /** Changes the instruction set of everything that runs: for tests. */
  void use(Level newLevel) {
    NativeKernels.use(newLevel.index);
    level = newLevel;
  }

  /** Returns the instruction set that runs. */
  Level level() {
    return level;
  }

  /** Returns which kernels run. */
  String description() {
    return level.description() + " kernels";
  }

  /** Returns where a segment begins. */
  static long address(Segment segment) {
    long address = segment.address;
    if (address == 0) {
      address = NativeKernels.address(segment.bytes);
      segment.address = address;
    }
    return address;
  }

  /** Returns where a row of a tensor begins. */
  static long address(CpuTensor tensor, long row) {
    return address(tensor.segment(row)) + tensor.offset(row);
  }

  /** Returns where a direct buffer begins. */
  static long address(ByteBuffer buffer) {
    return NativeKernels.address(buffer);
  }
}
