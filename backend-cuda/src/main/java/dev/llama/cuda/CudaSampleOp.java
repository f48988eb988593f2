package dev.llama.cuda;

import dev.llama.DType;
import dev.llama.InvalidInputException;
import dev.llama.spi.Draw;
import dev.llama.spi.SampleOp;
import dev.llama.spi.Tensor;

/** Draws tokens by the kernels of sample.cu. */
final class CudaSampleOp implements SampleOp {
  /** The kernels' {@code struct Row}: sums of 2048 bins, 64 largest logits, a count. */
  private static final int ROW_BYTES = 2048 * Long.BYTES + Grid.ROW_PARTS * Float.BYTES + 8;

  /** The kernels' {@code struct Candidate}. */
  private static final int CANDIDATE_BYTES = 8;

  /** Threads of the block that searches the list of a row's candidates. */
  private static final int SEARCHERS = 512;

  private final Gpu gpu;

  CudaSampleOp(Gpu gpu) {
    this.gpu = gpu;
  }

  @Override
  public void sample(Tensor out, Tensor logits, Tensor draws) {
    CudaTensor in = Checks.floats("sample", "logits", logits);
    CudaTensor o = Checks.integers("sample", "out", out, in.rows());
    CudaTensor d = Checks.own("sample", "draws", draws);
    if (d.type() != DType.I32 || d.rows() != in.rows() || d.width() != Draw.WORDS) {
      throw new InvalidInputException(
          "sample: draws is "
              + d.type()
              + " "
              + CudaTensor.describe(d.shape())
              + ", expected I32 ["
              + in.rows()
              + ", "
              + Draw.WORDS
              + "]");
    }
    int width = Checks.size("sample", in.width());
    Grid grid = Grid.parts(in);
    int parts = (int) grid.x();
    gpu.enter();
    try {
      long rows = gpu.scratch(in.rows() * (ROW_BYTES + (long) CANDIDATE_BYTES * width));
      long lists = rows + in.rows() * ROW_BYTES;
      gpu.launch("sample_tops", grid, rows, in, width);
      gpu.launch("sample_bins", grid, rows, in, d, width);
      gpu.launch("sample_list", grid, rows, lists, in, d, width);
      Grid searchers = Grid.plane(1, in.rows(), SEARCHERS);
      gpu.launch("sample_token", searchers, o, rows, lists, d, width, parts);
    } finally {
      gpu.exit();
    }
  }
}
