package dev.llama.spi.conformance;

import static dev.llama.spi.conformance.AttentionRun.next;
import static dev.llama.spi.conformance.AttentionRun.spec;

import dev.llama.DType;
import dev.llama.spi.conformance.AttentionRun.Part;
import dev.llama.spi.conformance.AttentionRun.Sequence;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Attention with and without caches, in every cut of sequences into batches. */
interface AttentionChecks extends Checks {
  int[][] ATTENTION_HEADS = {{1, 1}, {4, 4}, {8, 2}, {6, 1}};
  int[] ATTENTION_HEAD_DIMS = {2, 6, 16, 64, 128};

  @Test
  default void attentionOfAwkwardSizes() {
    for (int[] heads : ATTENTION_HEADS) {
      for (int dim : ATTENTION_HEAD_DIMS) {
        for (DType type : new DType[] {DType.F32, DType.F16}) {
          AttentionRun run = new AttentionRun(lab(), spec(heads[0], heads[1], dim, 0), type, 1, 64);
          Sequence sequence = run.open(dim);
          run.step(next(sequence, 1));
          run.step(next(sequence, 3));
          run.step(next(sequence, 17));
          run.step(next(sequence, 1));
        }
      }
    }
  }

  @Test
  default void attentionPrefillInOneGoAndInChunks() {
    for (DType type : new DType[] {DType.F32, DType.F16}) {
      for (int chunk : new int[] {300, 128, 64, 33, 7}) {
        AttentionRun run = new AttentionRun(lab(), spec(4, 2, 16, 0), type, 2, 512);
        run.prefill(run.open(1), 300, chunk);
      }
    }
  }

  /** One token at a time at lengths around those of pages. */
  @Test
  default void attentionDecodeAcrossPages() {
    for (DType type : new DType[] {DType.F32, DType.F16}) {
      AttentionRun run = new AttentionRun(lab(), spec(4, 1, 16, 0), type, 1, 1200);
      Sequence sequence = run.open(2);
      for (int length : new int[] {1, 15, 31, 62, 126, 254, 510, 1023, 1098}) {
        run.prefill(sequence, length - sequence.length(), 400);
        run.prefill(sequence, 4, 1);
      }
    }
  }

  @Test
  default void attentionInSlidingWindows() {
    for (DType type : new DType[] {DType.F32, DType.F16}) {
      for (int window : new int[] {1, 2, 16, 64, 100, 5000}) {
        AttentionRun run = new AttentionRun(lab(), spec(4, 2, 16, window), type, 1, 512);
        Sequence sequence = run.open(window);
        run.prefill(sequence, 150, 70);
        run.prefill(sequence, 3, 1);
      }
    }
  }

  @Test
  default void attentionOfManySequencesInOneBatch() {
    for (DType type : new DType[] {DType.F32, DType.F16}) {
      for (int window : new int[] {0, 16}) {
        AttentionRun run = new AttentionRun(lab(), spec(8, 2, 16, window), type, 2, 512);
        List<Sequence> sequences = new ArrayList<>();
        for (int i = 0; i < 9; i++) {
          sequences.add(run.open(10 + i));
        }
        Random random = Lab.random("batches");
        run.step(next(sequences.get(0), 65), next(sequences.get(1), 1), next(sequences.get(2), 20));
        for (int step = 0; step < 12; step++) {
          List<Part> parts = new ArrayList<>();
          for (Sequence sequence : sequences) {
            int kind = random.nextInt(4);
            if (kind > 0) {
              parts.add(next(sequence, kind == 1 ? 1 + random.nextInt(40) : 1));
            }
          }
          run.step(parts.toArray(new Part[0]));
        }
      }
    }
  }

  /** As in training: documents packed into a batch, each with positions of its own. */
  @Test
  default void attentionWithoutCaches() {
    for (int window : new int[] {0, 1, 16}) {
      AttentionRun run = new AttentionRun(lab(), spec(4, 2, 16, window), DType.F32, 1, 1);
      run.step(run.document(1, 0, 33));
      run.step(run.document(2, 0, 128));
      run.step(run.document(3, 0, 1));
      run.step(run.document(4, 0, 17), run.document(5, 17, 40), run.document(6, 57, 8));
      run.step(run.document(7, 0, 5), run.document(7, 0, 5), run.document(8, 1000, 65));
    }
  }

  @Test
  default void attentionWithAndWithoutCachesInOneBatch() {
    AttentionRun run = new AttentionRun(lab(), spec(6, 3, 6, 0), DType.F32, 1, 300);
    Sequence sequence = run.open(1);
    run.step(run.document(2, 0, 9), next(sequence, 70), run.document(3, 4, 3));
    run.step(next(sequence, 1), run.document(4, 0, 2));
  }

  /** Scores of several hundred overflow exp unless the largest is subtracted first. */
  @Test
  default void attentionOfLargeScores() {
    for (double scale : new double[] {30, 300, 1e-6}) {
      AttentionRun run =
          new AttentionRun(lab(), spec(4, 2, 16, 0), DType.F32, 1, 200).scores(scale);
      Sequence sequence = run.open(1);
      run.prefill(sequence, 130, 65);
      run.prefill(sequence, 2, 1);
    }
  }

  @Test
  default void attentionScaleIsThatOfTheSpec() {
    for (float scale : new float[] {1, 0.03125f}) {
      AttentionRun run =
          new AttentionRun(
              lab(), new dev.llama.spi.AttentionSpec(0, 4, 2, 16, scale, 0), DType.F32, 1, 100);
      run.prefill(run.open(1), 40, 39);
    }
  }
}
