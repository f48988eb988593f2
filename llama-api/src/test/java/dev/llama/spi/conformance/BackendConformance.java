package dev.llama.spi.conformance;

import dev.llama.spi.Backend;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.TestInstance;

/**
 * What {@link dev.llama.spi.Backend} and {@link dev.llama.spi.Ops} promise, as tests. A backend is
 * checked by
 *
 * <pre>{@code
 * class CpuBackendTest extends BackendConformance {
 *   @Override
 *   protected Backend open() {
 *     return new CpuProvider().open(BackendOptions.defaults());
 *   }
 * }
 * }</pre>
 *
 * <p>Inputs are seeded by the name of the case. What a result may differ from the formula is in
 * {@link Bounds}. The checks of {@link dev.llama.spi.GradOps} and of {@link dev.llama.spi.SampleOp}
 * are skipped where a backend has none.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class BackendConformance
    implements MemoryChecks,
        WeightChecks,
        MatmulChecks,
        NormChecks,
        ElementwiseChecks,
        SampleChecks,
        RopeChecks,
        AttentionChecks,
        KvCacheChecks,
        ThreadChecks,
        GradChecks,
        DropoutChecks,
        TrainingChecks {
  private Backend backend;
  private Lab lab;

  /** Opens the backend under test. Called once; the suite closes it. */
  protected abstract Backend open();

  @Override
  public final Lab lab() {
    return lab;
  }

  @Override
  public final Backend reopen() {
    return open();
  }

  @BeforeAll
  public final void openBackend() {
    backend = open();
  }

  @AfterAll
  public final void closeBackend() {
    if (backend != null) {
      backend.close();
    }
  }

  @BeforeEach
  public final void openLab() {
    lab = new Lab(backend);
  }

  /** Also checks that nothing was written beside a tensor. */
  @AfterEach
  public final void closeLab() {
    lab.close();
  }
}
