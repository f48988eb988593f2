package dev.llama.core.plan;

import dev.llama.DType;
import dev.llama.InvalidInputException;

/** What the devices are to do. */
public sealed interface Workload {

  /**
   * Returns the length of each sequence.
   *
   * @return positions; 0 for the model's own context
   */
  int contextSize();

  /**
   * Returns the number of sequences.
   *
   * @return at least 1
   */
  int batchSize();

  /**
   * Returns how matrices are stored.
   *
   * @return F32, F16, BF16 or a quantised type
   */
  DType weightType();

  /**
   * Sessions that generate. Vectors (norms, biases) are F32 whatever the type of matrices, and so
   * are activations.
   *
   * @param contextSize positions of each session; 0 for the model's own context
   * @param batchSize sessions that are open and run at once
   * @param prefillChunk largest number of prompt tokens that a session runs at once, as in {@link
   *     dev.llama.SessionOptions#prefillChunk()}
   * @param weightType how matrices are stored
   * @param kvType type of cached keys and values, F32 or F16
   */
  record Inference(int contextSize, int batchSize, int prefillChunk, DType weightType, DType kvType)
      implements Workload {
    /** Checks every range. */
    public Inference {
      atLeast("contextSize", contextSize, 0);
      atLeast("batchSize", batchSize, 1);
      atLeast("prefillChunk", prefillChunk, 1);
      if (weightType != DType.F32
          && weightType != DType.F16
          && weightType != DType.BF16
          && !weightType.isQuantized()) {
        throw new InvalidInputException(
            "weightType is " + weightType + ", expected F32, F16, BF16 or a quantised type");
      }
      if (kvType != DType.F32 && kvType != DType.F16) {
        throw new InvalidInputException("kvType is " + kvType + ", expected F32 or F16");
      }
    }
  }

  /**
   * Training with AdamW, everything in F32.
   *
   * @param contextSize positions of each sequence; 0 for the model's own context
   * @param batchSize sequences of a step
   */
  record Training(int contextSize, int batchSize) implements Workload {
    /** Checks both ranges. */
    public Training {
      atLeast("contextSize", contextSize, 0);
      atLeast("batchSize", batchSize, 1);
    }

    @Override
    public DType weightType() {
      return DType.F32;
    }
  }

  private static void atLeast(String name, int value, int least) {
    if (value < least) {
      throw new InvalidInputException(name + " is " + value + ", expected " + least + " or more");
    }
  }
}
