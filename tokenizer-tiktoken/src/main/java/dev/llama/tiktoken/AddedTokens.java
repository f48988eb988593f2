package dev.llama.tiktoken;

import dev.llama.InvalidInputException;
import dev.llama.Specials;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Finds added tokens in text: the leftmost, of those the longest, in one or two passes. Immutable.
 */
final class AddedTokens {
  private final List<AddedToken> tokens;
  private final Map<String, Integer> specials;
  private final BitSet ids = new BitSet();
  private final BitSet control = new BitSet();
  private final BitSet always = new BitSet(); // numbers of the tokens that need no request
  private final Node early = new Node();
  private final Node late = new Node();

  AddedTokens(List<AddedToken> tokens) {
    this.tokens = List.copyOf(tokens);
    Map<String, Integer> names = new LinkedHashMap<>();
    for (int i = 0; i < tokens.size(); i++) {
      AddedToken token = tokens.get(i);
      ids.set(token.id());
      if (token.special()) {
        names.put(token.text(), token.id());
        control.set(token.id());
      } else {
        always.set(i);
      }
      (token.late() ? late : early).put(token.text().getBytes(StandardCharsets.UTF_8), i);
    }
    specials = Collections.unmodifiableMap(names);
  }

  /** Returns text and id of the special tokens. */
  Map<String, Integer> specials() {
    return specials;
  }

  /** Returns whether an id is an added token. */
  boolean contains(int id) {
    return ids.get(id);
  }

  /** Returns whether an id is a special token. */
  boolean isSpecial(int id) {
    return control.get(id);
  }

  /** Takes what lies between tokens. */
  interface Ordinary {
    /** Encodes the bytes from one index to another, at least one. */
    void encode(int from, int to);
  }

  /**
   * Encodes a text: its added tokens here, the rest by {@code ordinary}.
   *
   * @param text what {@code out} encodes
   * @param selection the special tokens to recognise
   * @throws InvalidInputException if it names a token that is not there
   */
  void encode(Utf8.Text text, Specials selection, PieceEncoder out, Ordinary ordinary) {
    BitSet allowed = allowed(selection);
    if (allowed.isEmpty()) {
      emit(0, text.length, ordinary);
      return;
    }
    Ordinary rest =
        late.isEmpty()
            ? ordinary
            : (from, to) -> find(late, text, from, to, allowed, out, ordinary);
    find(early, text, 0, text.length, allowed, out, rest);
  }

  private BitSet allowed(Specials selection) {
    for (String name : selection.names()) {
      if (!specials.containsKey(name)) {
        throw new InvalidInputException(
            "Specials.of names \""
                + name
                + "\", which is not one of the "
                + specials.size()
                + " special tokens of this vocabulary (Tokenizer.specialTokens() lists them)");
      }
    }
    if (selection.isNone()) {
      return always;
    }
    BitSet allowed = (BitSet) always.clone();
    for (int i = 0; i < tokens.size(); i++) {
      AddedToken token = tokens.get(i);
      if (token.special() && selection.contains(token.text())) {
        allowed.set(i);
      }
    }
    return allowed;
  }

  private void find(
      Node tree,
      Utf8.Text text,
      int from,
      int to,
      BitSet allowed,
      PieceEncoder out,
      Ordinary ordinary) {
    byte[] bytes = text.bytes;
    int done = from;
    int at = from;
    while (at < to) {
      Node match = tree.longest(bytes, at, to, allowed);
      if (match == null) {
        at++;
        continue;
      }
      AddedToken token = tokens.get(match.token);
      int start = token.stripsLeft() ? spaceBefore(bytes, at, done) : at;
      emit(done, start, ordinary);
      out.append(token.id());
      at += match.depth;
      if (token.stripsRight()) {
        while (at < to && isSpace(bytes, at)) {
          at += Utf8.width(bytes[at]);
        }
      }
      done = at;
    }
    emit(done, to, ordinary);
  }

  private static void emit(int from, int to, Ordinary ordinary) {
    if (from < to) {
      ordinary.encode(from, to);
    }
  }

  private static int spaceBefore(byte[] bytes, int end, int limit) {
    int start = end;
    while (start > limit) {
      int before = start - 1;
      while ((bytes[before] & 0xC0) == 0x80) {
        before--;
      }
      if (!isSpace(bytes, before)) {
        break;
      }
      start = before;
    }
    return start;
  }

  private static boolean isSpace(byte[] bytes, int at) {
    byte charClass = CharClass.at(bytes, at);
    return charClass == CharClass.SPACE || charClass == CharClass.NEWLINE;
  }

  /** A node of a tree of bytes. */
  private static final class Node {
    private int depth;
    private int token = -1; // number of the token that ends here
    private byte[] labels = {};
    private final List<Node> children = new ArrayList<>(0); // in the order of labels

    boolean isEmpty() {
      return labels.length == 0;
    }

    void put(byte[] name, int number) {
      Node node = this;
      for (byte b : name) {
        Node child = node.child(b);
        if (child == null) {
          child = new Node();
          child.depth = node.depth + 1;
          node.labels = Arrays.copyOf(node.labels, node.labels.length + 1);
          node.labels[node.labels.length - 1] = b;
          node.children.add(child);
        }
        node = child;
      }
      node.token = number;
    }

    private Node child(byte b) {
      for (int i = 0; i < labels.length; i++) {
        if (labels[i] == b) {
          return children.get(i);
        }
      }
      return null;
    }

    Node longest(byte[] text, int from, int to, BitSet allowed) {
      Node best = null;
      Node node = child(text[from]);
      for (int at = from + 1; node != null; at++) {
        if (node.token >= 0 && allowed.get(node.token)) {
          best = node;
        }
        node = at < to ? node.child(text[at]) : null;
      }
      return best;
    }
  }
}
