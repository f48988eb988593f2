package dev.llama.core.plan;

import java.util.ArrayList;
import java.util.List;

/**
 * A stage of the pipeline and the memory of each of its devices. They are equal, except that a
 * vocabulary that the tensor degree does not divide gives some of them a row less than is counted.
 *
 * @param index 0 for the first
 * @param devices that work on it: tensor times context degree
 * @param firstBlock number of its first block
 * @param blocks that it has
 * @param embedding whether it begins with the embedding
 * @param head whether it ends with the final norm and the output
 * @param terms summands of one device's memory
 */
public record Stage(
    int index,
    int devices,
    int firstBlock,
    int blocks,
    boolean embedding,
    boolean head,
    List<Term> terms) {
  /** Copies the list. */
  public Stage {
    terms = List.copyOf(terms);
  }

  /**
   * Returns the memory of one device.
   *
   * @return bytes
   */
  public long bytes() {
    return sum(terms);
  }

  /**
   * Returns a part of the memory of one device.
   *
   * @param kind of memory
   * @return bytes
   */
  public long bytes(Term.Kind kind) {
    List<Term> ofKind = new ArrayList<>();
    for (Term term : terms) {
      if (term.kind() == kind) {
        ofKind.add(term);
      }
    }
    return sum(ofKind);
  }

  private static long sum(List<Term> terms) {
    long bytes = 0;
    for (Term term : terms) {
      bytes = Math.addExact(bytes, term.bytes());
    }
    return bytes;
  }
}
