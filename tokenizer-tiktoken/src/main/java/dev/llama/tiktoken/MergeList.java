package dev.llama.tiktoken;

import dev.llama.FormatException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;

/** Merges written as pairs of vocabulary entries, earliest first. */
final class MergeList {
  private MergeList() {}

  /**
   * Makes a table of merges.
   *
   * @param merges {@code "a b"} or {@code ["a", "b"]}
   * @param vocabulary ids by entry
   * @param definition knows which tokens text is made of
   * @param name says where a merge is in the file
   * @throws FormatException if a merge or what it makes is not in the vocabulary
   */
  static MergeTable table(
      List<?> merges,
      Map<String, Integer> vocabulary,
      Definition definition,
      IntFunction<String> name) {
    int[] results = new int[merges.size()];
    MergeTable table = new MergeTable(results);
    for (int rank = 0; rank < results.length; rank++) {
      String[] pair = pair(merges.get(rank));
      if (pair == null) {
        throw definition.broken(
            name.apply(rank)
                + " is "
                + Quote.of(merges.get(rank))
                + "; expected two tokens, with a space between them or as an array");
      }
      int left = token(pair[0], vocabulary, definition, name, rank);
      int right = token(pair[1], vocabulary, definition, name, rank);
      results[rank] = token(pair[0].concat(pair[1]), vocabulary, definition, name, rank);
      table.put(left, right, rank);
    }
    return table;
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

  private static int token(
      String text,
      Map<String, Integer> vocabulary,
      Definition definition,
      IntFunction<String> name,
      int rank) {
    Integer id = vocabulary.get(text);
    if (id == null || !definition.isOrdinary(id)) {
      throw definition.broken(
          name.apply(rank)
              + " needs the token "
              + Quote.of(text)
              + ", which is "
              + (id == null ? "not in the vocabulary" : "a special token"));
    }
    return id;
  }
}
