package dev.llama.core.plan;

import dev.llama.InvalidInputException;
import java.util.Optional;
import java.util.function.ToLongFunction;

/**
 * Finds the split over the fewest devices on which a model fits. Among those of as many devices,
 * the largest tensor degree comes first, up to the {@value #NODE} devices of one machine, because
 * it makes every token faster but exchanges activations twice a block; then the smallest context
 * degree, because each slice of the context needs a copy of the weights.
 */
final class SplitSearch {
  private static final int NODE = 8;

  private final Blueprint model;
  private final int contextSize;
  private final Degrees wanted;
  private final ToLongFunction<Split> heaviest;

  private Split best;
  private long bestBytes = Long.MAX_VALUE;

  /**
   * Prepares a search.
   *
   * @param heaviest bytes of a split's fullest device
   */
  SplitSearch(Blueprint model, int contextSize, Degrees wanted, ToLongFunction<Split> heaviest) {
    this.model = model;
    this.contextSize = contextSize;
    this.wanted = wanted;
    this.heaviest = heaviest;
  }

  /** Refuses degrees that the model cannot be split by, or that need more devices. */
  static void check(Blueprint model, int contextSize, Degrees wanted, int devices) {
    if (wanted.tensor() > 0) {
      Optional<String> obstacle = Shards.obstacle(model, wanted.tensor());
      if (obstacle.isPresent()) {
        throw new InvalidInputException(
            "the tensor degree " + wanted.tensor() + " " + obstacle.get());
      }
    }
    if (wanted.pipeline() > model.blocks()) {
      throw new InvalidInputException(
          "the pipeline degree "
              + wanted.pipeline()
              + " exceeds the "
              + model.blocks()
              + " blocks");
    }
    if (wanted.context() > contextSize) {
      throw new InvalidInputException(
          "the context-parallel degree "
              + wanted.context()
              + " exceeds the "
              + contextSize
              + " positions");
    }
    if (wanted.leastDevices() > devices) {
      throw new InvalidInputException(
          "tensor "
              + Math.max(1, wanted.tensor())
              + " x pipeline "
              + Math.max(1, wanted.pipeline())
              + " x context-parallel "
              + Math.max(1, wanted.context())
              + " need "
              + wanted.leastDevices()
              + " devices, but there are at most "
              + devices);
    }
  }

  /**
   * Returns the first split that fits; if none does, the one whose fullest device has least.
   *
   * @param least number of devices below which none can fit
   * @param most number of devices that there are
   * @param memory bytes of each
   */
  Split find(long least, int most, long memory) {
    int start = (int) Math.max(1, Math.min(least, most));
    for (int devices = start; devices <= most; devices++) {
      if (tryAll(devices, memory)) {
        return best;
      }
    }
    for (int devices = start - 1; best == null && devices >= 1; devices--) {
      tryAll(devices, memory);
    }
    return best;
  }

  private boolean tryAll(int devices, long memory) {
    int largest = wanted.tensor() > 0 ? wanted.tensor() : NODE;
    int smallest = wanted.tensor() > 0 ? wanted.tensor() : 1;
    for (int tensor = Math.min(devices, largest); tensor >= smallest; tensor--) {
      if (devices % tensor != 0 || Shards.obstacle(model, tensor).isPresent()) {
        continue;
      }
      int rest = devices / tensor;
      for (int context = 1; context <= rest; context++) {
        if (rest % context == 0 && allowed(rest / context, context)) {
          Split split = new Split(tensor, rest / context, context, wanted.sequence() && tensor > 1);
          long bytes = heaviest.applyAsLong(split);
          if (bytes < bestBytes) {
            best = split;
            bestBytes = bytes;
          }
          if (bytes <= memory) {
            best = split;
            return true;
          }
        }
      }
    }
    return false;
  }

  private boolean allowed(int pipeline, int context) {
    return pipeline <= model.blocks()
        && context <= contextSize
        && (wanted.pipeline() == 0 || wanted.pipeline() == pipeline)
        && (wanted.context() == 0 || wanted.context() == context);
  }
}
