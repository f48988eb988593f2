package dev.llama.tiktoken;

import dev.llama.FormatException;
import dev.llama.spi.Texts;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Merges written as pairs of vocabulary entries, earliest first: {@code "a b"} or {@code ["a",
 * "b"]}. There are hundreds of thousands of them, so no object is made of one.
 */
final class MergeList {
  private final Definition definition;
  private final String name;

  // The bytes of both tokens of all merges, one after the other.
  private byte[] bytes;
  private int[] cuts; // by rank: behind the first token
  private int[] ends; // by rank: behind the second token
  private int used;

  /**
   * Prepares a table.
   *
   * @param definition knows the file
   * @param name of the list, for messages
   */
  MergeList(Definition definition, String name) {
    this.definition = definition;
    this.name = name;
  }

  /**
   * Makes a table of merges.
   *
   * @param merges as the file has them
   * @param tokens those that text is made of
   * @throws FormatException if a merge or what it makes is not among the tokens
   */
  MergeTable table(List<?> merges, TokenTable tokens) {
    int count = merges.size();
    cuts = new int[count];
    ends = new int[count];
    if (merges instanceof Texts texts) {
      read(texts);
    } else {
      read(merges);
    }
    int[] results = new int[count];
    MergeTable table = new MergeTable(results, count);
    ByteBuffer words = Utf8.words(bytes);
    for (int rank = 0; rank < count; rank++) {
      results[rank] = put(rank, words, tokens, table);
    }
    return table;
  }

  /**
   * Puts one merge into the table and returns what it makes. A method of its own, as some others
   * here: the virtual machine compiles it after a few merges, but a loop after 60,000.
   */
  private int put(int rank, ByteBuffer words, TokenTable tokens, MergeTable table) {
    int start = rank == 0 ? 0 : ends[rank - 1];
    int cut = cuts[rank];
    int end = ends[rank];
    int left = tokens.find(words, start, cut - start);
    int right = tokens.find(words, cut, end - cut);
    int joined = tokens.find(words, start, end - start);
    if ((left | right | joined) < 0) {
      throw missing(rank, left < 0 ? start : right < 0 ? cut : start, left < 0 ? cut : end);
    }
    table.put(left, right, rank);
    return joined;
  }

  private void read(Texts merges) {
    bytes = new byte[merges.bytes().length + Utf8.PADDING];
    for (int rank = 0; rank < cuts.length; rank++) {
      read(merges, rank);
    }
  }

  private void read(Texts merges, int rank) {
    byte[] text = merges.bytes();
    int from = merges.start(rank);
    int to = merges.end(rank);
    int space = from;
    while (space < to && text[space] != ' ') {
      space++;
    }
    if (space >= to - 1) {
      throw noPair(rank, merges.get(rank));
    }
    append(rank, text, from, space, text, space + 1, to);
  }

  private void read(List<?> merges) {
    bytes = new byte[16 * cuts.length + Utf8.PADDING];
    for (int rank = 0; rank < cuts.length; rank++) {
      String[] pair = pair(merges.get(rank));
      if (pair == null) {
        throw noPair(rank, merges.get(rank));
      }
      byte[] left = pair[0].getBytes(StandardCharsets.UTF_8);
      byte[] right = pair[1].getBytes(StandardCharsets.UTF_8);
      int needed = used + left.length + right.length + Utf8.PADDING;
      if (needed > bytes.length) {
        bytes = Arrays.copyOf(bytes, needed + (needed >> 1));
      }
      append(rank, left, 0, left.length, right, 0, right.length);
    }
  }

  /** Takes a merge in; the space between its tokens, as the second one's, is no character. */
  private void append(
      int rank, byte[] left, int leftFrom, int leftTo, byte[] right, int rightFrom, int rightTo) {
    int cut = ByteAlphabet.read(left, leftFrom, leftTo, bytes, used);
    int end = cut < 0 ? -1 : ByteAlphabet.read(right, rightFrom, rightTo, bytes, cut);
    if (cut == used || end == cut && end >= 0) {
      throw noPair(rank, text(left, leftFrom, leftTo) + " " + text(right, rightFrom, rightTo));
    }
    if (end < 0) {
      throw missing(rank, cut < 0 ? text(left, leftFrom, leftTo) : text(right, rightFrom, rightTo));
    }
    cuts[rank] = cut;
    ends[rank] = end;
    used = end;
  }

  private static String text(byte[] bytes, int from, int to) {
    return new String(bytes, from, to - from, StandardCharsets.UTF_8);
  }

  private FormatException noPair(int rank, Object merge) {
    return definition.broken(
        name
            + "["
            + rank
            + "] is "
            + Quote.of(merge)
            + "; expected two tokens, with a space between them or as an array");
  }

  private FormatException missing(int rank, int from, int to) {
    return missing(rank, ByteAlphabet.write(Arrays.copyOfRange(bytes, from, to)));
  }

  private FormatException missing(int rank, String token) {
    return definition.broken(
        name
            + "["
            + rank
            + "] needs the token "
            + Quote.of(token)
            + ", which is not one of those of the vocabulary that text is made of");
  }

  /** Writes merges that {@link #table} has accepted in their shorter form. */
  static List<String> texts(List<?> merges) {
    List<String> texts = new ArrayList<>(merges.size());
    for (Object merge : merges) {
      String[] pair = pair(merge);
      texts.add(pair[0] + " " + pair[1]);
    }
    return texts;
  }

  private static String[] pair(Object merge) {
    if (merge instanceof String text) {
      int space = text.indexOf(' ');
      boolean two = space > 0 && space < text.length() - 1 && text.indexOf(' ', space + 1) < 0;
      return two ? new String[] {text.substring(0, space), text.substring(space + 1)} : null;
    }
    boolean two =
        merge instanceof List<?> list
            && list.size() == 2
            && list.get(0) instanceof String
            && list.get(1) instanceof String;
    return two ? ((List<?>) merge).toArray(new String[0]) : null;
  }
}
