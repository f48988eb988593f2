package dev.llama;

import java.util.Objects;
import java.util.Set;

/**
 * Which special tokens an encoder may make out of text. Text that comes from users should be
 * encoded with {@link #NONE}: then {@code "<|eot_id|>"} is ten ordinary characters and can close no
 * turn.
 */
public final class Specials {
  /** The text of special tokens is ordinary text. */
  public static final Specials NONE = new Specials(false, Set.of());

  /** Every special token of the vocabulary is recognised. */
  public static final Specials ALL = new Specials(true, Set.of());

  private final boolean all;
  private final Set<String> names;

  private Specials(boolean all, Set<String> names) {
    this.all = all;
    this.names = names;
  }

  /**
   * Recognises these special tokens and no others.
   *
   * @param names the text of special tokens of the vocabulary
   * @return a selection
   */
  public static Specials of(Set<String> names) {
    return names.isEmpty() ? NONE : new Specials(false, Set.copyOf(names));
  }

  /**
   * Returns whether the text of a special token is to be recognised.
   *
   * @param name text of a special token
   * @return whether it becomes the special token
   */
  public boolean contains(String name) {
    return all || names.contains(name);
  }

  /**
   * Returns whether no special token is recognised at all.
   *
   * @return true for {@link #NONE}
   */
  public boolean isNone() {
    return !all && names.isEmpty();
  }

  /**
   * Returns the names given to {@link #of(Set)}.
   *
   * @return empty for {@link #NONE} and {@link #ALL}
   */
  public Set<String> names() {
    return names;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Specials that && all == that.all && names.equals(that.names);
  }

  @Override
  public int hashCode() {
    return Objects.hash(all, names);
  }

  @Override
  public String toString() {
    return all ? "Specials.ALL" : "Specials" + names;
  }
}
