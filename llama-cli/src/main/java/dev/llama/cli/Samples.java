package dev.llama.cli;

import java.util.Arrays;

/**
 * Repeated measurements of one thing.
 *
 * @param values in the order measured; one or more
 */
record Samples(double[] values) {
  double mean() {
    return Arrays.stream(values).average().orElseThrow();
  }

  /** The standard deviation of the sample (n - 1); 0 for a single value. */
  double standardDeviation() {
    if (values.length == 1) {
      return 0;
    }
    double mean = mean();
    double squares = Arrays.stream(values).map(value -> (value - mean) * (value - mean)).sum();
    return Math.sqrt(squares / (values.length - 1));
  }

  double median() {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    int middle = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }
}
