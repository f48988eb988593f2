package dev.llama;

import java.util.List;

/**
 * What runs a model, and why the others were passed over.
 *
 * @param name name of the chosen backend, for instance {@code "cpu"}
 * @param description what exactly runs: device, kernels, libraries, threads
 * @param candidates every backend that was found, best score first
 */
public record BackendInfo(String name, String description, List<Candidate> candidates) {
  /** Copies the list. */
  public BackendInfo {
    candidates = List.copyOf(candidates);
  }

  /**
   * A backend that was found.
   *
   * @param name its name
   * @param score how good it is here; 0 is unusable
   * @param reason why it has this score
   */
  public record Candidate(String name, int score, String reason) {}
}
