package dev.llama.cpu;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.llama.cpu.NativeLibrary.Level;
import dev.llama.spi.Backend;
import dev.llama.spi.conformance.BackendConformance;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Nested;

/**
 * The kernels of every instruction set that this CPU has keep every promise of the SPI for any
 * number of rows, without OpenBLAS.
 */
class NativeLevelsConformanceTest {
  abstract static class LevelConformance extends BackendConformance {
    private final Level level;
    private Level before;

    LevelConformance(Level level) {
      this.level = level;
    }

    @Override
    protected Backend open() {
      NativeLibrary library = NativeLibrary.load();
      assumeTrue(library.levels().contains(level), "this CPU has no " + level.description());
      before = before == null ? library.level() : before;
      library.use(level);
      WorkerPool pool = new WorkerPool(3);
      Attention attention = new NativeAttention(pool, new JavaAttention(pool));
      NativeSequenceAttention sequences = new NativeSequenceAttention(pool, attention);
      NativeLargeProduct product =
          new NativeLargeProduct(pool, new NativeMatrixProduct(library, pool, null));
      RowOps rows = new NativeRowOps(pool);
      CpuOps ops = new CpuOps(product, sequences, rows);
      CpuGradOps grad = CpuGradOps.inC(pool, product, sequences, rows);
      return new CpuBackend(
          library.description() + " alone", pool, ops, grad, Optional.of(new MappedPages()));
    }

    @AfterAll
    void restore() {
      if (before != null) {
        NativeLibrary.load().use(before);
      }
    }
  }

  @Nested
  class Avx2 extends LevelConformance {
    Avx2() {
      super(Level.AVX2);
    }
  }

  @Nested
  class Avx512 extends LevelConformance {
    Avx512() {
      super(Level.AVX512);
    }
  }

  @Nested
  class Avx512Vnni extends LevelConformance {
    Avx512Vnni() {
      super(Level.AVX512VNNI);
    }
  }

  @Nested
  class Amx extends LevelConformance {
    Amx() {
      super(Level.AMX);
    }
  }

  @Nested
  class Neon extends LevelConformance {
    Neon() {
      super(Level.NEON);
    }
  }

  @Nested
  class Dotprod extends LevelConformance {
    Dotprod() {
      super(Level.DOTPROD);
    }
  }
}
