package dev.llama.cli;

import dev.llama.InvalidInputException;
import dev.llama.Tokenizer;
import java.util.List;
import java.util.stream.IntStream;

/** Token ids, as text and as the beginning of a text. */
final class TokenIds {
  private TokenIds() {}

  /** Puts the beginning-of-text token in front, where the tokenizer asks for it. */
  static int[] withBos(Tokenizer tokenizer, int[] ids) {
    boolean begun =
        ids.length > 0 && tokenizer.bos().isPresent() && ids[0] == tokenizer.bos().getAsInt();
    if (!tokenizer.addsBos() || tokenizer.bos().isEmpty() || begun) {
      return ids;
    }
    return IntStream.concat(IntStream.of(tokenizer.bos().getAsInt()), IntStream.of(ids)).toArray();
  }

  /** Reads ids that are separated by white space or commas, within brackets or not. */
  static int[] parse(String text, String origin) {
    String list = text.trim();
    if (list.startsWith("[") && list.endsWith("]")) {
      list = list.substring(1, list.length() - 1).trim();
    }
    if (list.isEmpty()) {
      return new int[0];
    }
    List<String> words = List.of(list.split("\\s*,\\s*|\\s+"));
    int[] ids = new int[words.size()];
    for (int i = 0; i < ids.length; i++) {
      try {
        ids[i] = Integer.parseInt(words.get(i));
      } catch (NumberFormatException e) {
        String found = words.get(i).length() > 40 ? words.get(i).substring(0, 40) : words.get(i);
        throw new InvalidInputException(
            origin
                + ": '"
                + found
                + "' at place "
                + (i + 1)
                + " is not a token id; expected"
                + " integers, separated by white space or commas");
      }
    }
    return ids;
  }
}
