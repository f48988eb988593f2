package dev.llama.sentencepiece;

import dev.llama.FormatException;
import dev.llama.sentencepiece.Definition.Piece;
import dev.llama.sentencepiece.Definition.Type;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;

/**
 * Cuts normalized text into pieces. Spaces are U+0020 in here, where the vocabulary writes U+2581.
 * Immutable; each call brings its own working memory.
 *
 * <p>SentencePiece merges the whole text as one sequence. Here it is first cut where no piece has
 * the two characters side by side, which gives the same result (see {@link Adjacency}), and a part
 * that is a piece which its own characters merge to needs no merging at all. That settles most
 * words.
 */
final class BytePairEncoder {
  /** Longer pieces would make reading the vocabulary slow; the longest of Llama's has 16. */
  private static final int MAX_PIECE_LENGTH = 512;

  private static final int MISSING = Integer.MIN_VALUE; // no symbol

  private final PieceIndex index;
  private final BitSet whole = new BitSet(); // pieces that their own characters merge to
  private final SymbolTable symbols = new SymbolTable();
  private final MergeTable merges = new MergeTable();
  private final Adjacency adjacency = new Adjacency();
  private final int[] bytes; // ids of the byte pieces; null without byte fallback
  private final int unknown;
  private final boolean fuseUnknown;

  BytePairEncoder(Definition definition) {
    this.unknown = definition.unknown().id();
    this.fuseUnknown = definition.unknown().fuse();
    this.bytes =
        definition.unknown().byteFallback()
            ? Definition.bytePieces(definition.origin(), definition.pieces())
            : null;
    List<Piece> pieces = definition.pieces();
    int chars = 0;
    int keys = 0;
    for (int id = 0; id < pieces.size(); id++) {
      if (isKey(pieces.get(id))) {
        chars += pieces.get(id).text().length();
        keys++;
      }
    }
    index = new PieceIndex(keys, chars);
    for (int id = 0; id < pieces.size(); id++) {
      if (isKey(pieces.get(id))) {
        addPiece(definition, id);
      }
    }
    if (definition.merges().length > 0) {
      addRules(definition.merges());
    } else {
      deriveRules(definition);
    }
    findWhole(pieces);
  }

  /** Whether the piece takes part in merging; one with a real space cannot come out of text. */
  private static boolean isKey(Piece piece) {
    return switch (piece.type()) {
      case NORMAL, UNDEFINED, UNUSED -> piece.text().indexOf(' ') < 0 && !piece.text().isEmpty();
      default -> false;
    };
  }

  /** How a piece looks in normalized text. */
  static String plain(String piece) {
    return piece.replace(Definition.META_SPACE, ' ');
  }

  private void addPiece(Definition definition, int id) {
    Piece piece = definition.pieces().get(id);
    String text = plain(piece.text());
    if (text.length() > MAX_PIECE_LENGTH) {
      throw new FormatException(
          definition.origin(),
          "piece "
              + id
              + " has "
              + text.length()
              + " characters, expected at most "
              + MAX_PIECE_LENGTH);
    }
    int same = index.add(text, id);
    if (same >= 0) {
      throw new FormatException(
          definition.origin(),
          "pieces "
              + same
              + " and "
              + id
              + " are both \""
              + piece.text()
              + "\", expected no piece twice");
    }
    if (piece.type() != Type.UNUSED) {
      int first = text.codePointAt(0);
      if (text.length() == Character.charCount(first)) {
        symbols.put(first, id);
      }
      adjacency.addAll(text, definition.normalization().splitAtSpaces());
    }
  }

  private void addRules(int[] rules) {
    for (int i = 0; i < rules.length; i += 3) {
      merges.put(rules[i], rules[i + 1], i / 3, rules[i + 2]);
    }
  }

  /** SentencePiece: any two symbols merge whose text together is a piece, best score first. */
  private void deriveRules(Definition definition) {
    List<Piece> pieces = definition.pieces();
    int[] ranks = ranks(pieces);
    for (int id = 0; id < pieces.size(); id++) {
      Piece piece = pieces.get(id);
      if (!isKey(piece)) {
        continue;
      }
      char[] text = plain(piece.text()).toCharArray();
      for (int i = 1; i < text.length; i++) {
        if (Character.isSurrogatePair(text[i - 1], text[i])) {
          continue;
        }
        int left = symbol(text, 0, i);
        int right = symbol(text, i, text.length);
        if (left == MISSING || right == MISSING) {
          continue;
        }
        if (piece.type() == Type.UNUSED) {
          throw new FormatException(
              definition.origin(),
              "piece "
                  + id
                  + " (\""
                  + piece.text()
                  + "\") is of type UNUSED; a vocabulary that was"
                  + " restricted afterwards is not implemented");
        }
        merges.put(left, right, ranks[id], id);
      }
    }
  }

  /** The symbol that a part of a piece is when it is merged. */
  private int symbol(char[] text, int from, int to) {
    int codePoint = Character.codePointAt(text, from);
    if (to - from == Character.charCount(codePoint)) {
      return symbols.symbol(codePoint);
    }
    int id = index.find(text, from, to, PieceIndex.hash(text, from, to));
    return id >= 0 ? id : MISSING;
  }

  /** Numbers the scores, the best first; equal scores have equal ranks. */
  private static int[] ranks(List<Piece> pieces) {
    long[] order = new long[pieces.size()];
    for (int id = 0; id < order.length; id++) {
      int bits = Float.floatToIntBits(pieces.get(id).score() + 0f); // -0 becomes 0
      int ascending = bits ^ bits >> 31 & Integer.MAX_VALUE;
      order[id] = (long) ~ascending << 32 | id;
    }
    Arrays.sort(order);
    int[] ranks = new int[order.length];
    int rank = 0;
    for (int i = 0; i < order.length; i++) {
      if (i > 0 && order[i] >> 32 != order[i - 1] >> 32) {
        rank++;
      }
      ranks[(int) order[i]] = rank;
    }
    return ranks;
  }

  private void findWhole(List<Piece> pieces) {
    Merger merger = new Merger(merges);
    for (int id = 0; id < pieces.size(); id++) {
      if (isKey(pieces.get(id)) && pieces.get(id).type() != Type.UNUSED) {
        char[] text = plain(pieces.get(id).text()).toCharArray();
        int count = merger.merge(load(text, 0, text.length, merger));
        if (count == 1 && merger.symbols[0] == id) {
          whole.set(id);
        }
      }
    }
  }

  /** The working memory for one text. */
  Merger newMerger() {
    return new Merger(merges);
  }

  /**
   * Encodes normalized text.
   *
   * @param text no unpaired surrogates
   * @param from first character
   * @param to behind the last character
   * @param merger working memory
   * @param out receives the ids
   */
  void encode(char[] text, int from, int to, Merger merger, Ids out) {
    boolean unknownBefore = false;
    int start = from;
    while (start < to) {
      char previous = text[start];
      int hash = PieceIndex.step(0, previous);
      int end = start + 1;
      while (end < to && adjacency.joins(previous, text[end])) {
        previous = text[end++];
        hash = PieceIndex.step(hash, previous);
      }
      int id = end - start <= MAX_PIECE_LENGTH ? index.find(text, start, end, hash) : -1;
      if (id >= 0 && whole.get(id)) {
        out.add(id);
        unknownBefore = false;
      } else {
        int count = merger.merge(load(text, start, end, merger));
        for (int i = 0; i < count; i++) {
          unknownBefore = emit(merger.symbols[i], unknownBefore, out);
        }
      }
      start = end;
    }
  }

  /** Puts the symbols of the characters into the merger and returns their number. */
  private int load(char[] text, int from, int to, Merger merger) {
    merger.require(to - from);
    int count = 0;
    int i = from;
    while (i < to) {
      char c = text[i++];
      int codePoint = Character.isHighSurrogate(c) ? Character.toCodePoint(c, text[i++]) : c;
      merger.symbols[count++] = symbols.symbol(codePoint);
    }
    return count;
  }

  /** Writes a symbol; returns whether it was an unknown one. */
  private boolean emit(int symbol, boolean unknownBefore, Ids out) {
    if (symbol >= 0) {
      out.add(symbol);
      return false;
    }
    if (bytes == null) {
      if (!unknownBefore || !fuseUnknown) {
        out.add(unknown);
      }
      return true;
    }
    int c = ~symbol;
    if (c < 0x80) {
      out.add(bytes[c]);
      return true;
    }
    if (c < 0x800) {
      out.add(bytes[0xC0 | c >> 6]);
    } else {
      if (c < 0x10000) {
        out.add(bytes[0xE0 | c >> 12]);
      } else {
        out.add(bytes[0xF0 | c >> 18]);
        out.add(bytes[0x80 | c >> 12 & 63]);
      }
      out.add(bytes[0x80 | c >> 6 & 63]);
    }
    out.add(bytes[0x80 | c & 63]);
    return true;
  }
}
