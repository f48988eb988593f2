package dev.llama.tiktoken;

import dev.llama.FormatException;
import dev.llama.InvalidInputException;
import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import dev.llama.spi.TokenizerSource;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.PatternSyntaxException;

/** Reads tiktoken ranks: lines of a token in base64 and its rank, which is also its id. */
final class RanksReader {
  private static final int MAX_BASE64 = (Definition.MAX_TOKEN_BYTES + 2) / 3 * 4;

  private final TokenizerSource.ModelFile source;
  private final byte[] file;
  private byte[][] tokens = new byte[1024][]; // in the order of the file
  private int[] ranks = new int[1024];
  private int count;

  private RanksReader(TokenizerSource.ModelFile source) {
    this.source = source;
    this.file = source.bytes();
  }

  /** Reads a file of which it is known that it is no protobuf. */
  static Tokenizer read(TokenizerSource.ModelFile source, TokenizerOptions options) {
    RanksReader reader = new RanksReader(source);
    reader.lines();
    return reader.definition(options).build(reader::merges);
  }

  /** Reads a file of which it is known that it is no protobuf, and writes it as GGUF metadata. */
  static Map<String, Object> ggufMetadata(
      TokenizerSource.ModelFile source, TokenizerOptions options) {
    RanksReader reader = new RanksReader(source);
    reader.lines();
    return GgufExport.of(reader.definition(options), reader.mergeTexts());
  }

  private void lines() {
    int number = 1;
    for (int from = 0; from < file.length; number++) {
      int to = from;
      while (to < file.length && file[to] != '\n') {
        to++;
      }
      line(from, to > from && file[to - 1] == '\r' ? to - 1 : to, number);
      from = to + 1;
    }
    if (count == 0) {
      throw new FormatException(
          source.origin(), "no ranks in a file of " + file.length + " bytes; download it again");
    }
  }

  private void line(int from, int to, int number) {
    if (from == to) {
      return;
    }
    int space = from;
    while (space < to && file[space] != ' ') {
      space++;
    }
    if (space == to || space == from) {
      throw broken(number, from, to, "has no token and rank");
    }
    if (space - from > MAX_BASE64) {
      throw broken(
          number, from, to, "has a token of more than " + Definition.MAX_TOKEN_BYTES + " bytes");
    }
    if (count == MergeTable.MAX_IDS) {
      throw broken(number, from, to, "is one too many; the limit is " + MergeTable.MAX_IDS);
    }
    if (count == ranks.length) {
      ranks = Arrays.copyOf(ranks, 2 * count);
      tokens = Arrays.copyOf(tokens, 2 * count);
    }
    ranks[count] = rank(from, space + 1, to, number);
    try {
      tokens[count] = Base64.getDecoder().decode(Arrays.copyOfRange(file, from, space));
    } catch (IllegalArgumentException e) {
      throw broken(number, from, to, "has a token that is not base64");
    }
    if (tokens[count].length == 0) {
      throw broken(number, from, to, "has an empty token");
    }
    count++;
  }

  private int rank(int line, int from, int to, int number) {
    int rank = 0;
    for (int i = from; i < to; i++) {
      int digit = file[i] - '0';
      if (digit < 0 || digit > 9) {
        throw broken(number, line, to, "has a rank that is not a whole number");
      }
      rank = 10 * rank + digit;
      if (rank >= MergeTable.MAX_IDS) {
        throw broken(number, line, to, "has a rank above " + (MergeTable.MAX_IDS - 1));
      }
    }
    if (from == to) {
      throw broken(number, line, to, "has no rank");
    }
    return rank;
  }

  private FormatException broken(int number, int from, int to, String problem) {
    int shown = Math.min(to - from, 60);
    StringBuilder line = new StringBuilder();
    for (char c : new String(file, from, shown, StandardCharsets.ISO_8859_1).toCharArray()) {
      line.append(c >= ' ' && c < 0x7F ? c : '?');
    }
    return new FormatException(
        source.origin(),
        "line "
            + number
            + " ("
            + line
            + (shown < to - from ? "…" : "")
            + ") "
            + problem
            + "; expected a token in base64, a space and its rank, as in tiktoken files");
  }

  private Definition definition(TokenizerOptions options) {
    Definition definition = new Definition(source.origin(), count + 256);
    for (int i = 0; i < count; i++) {
      if (ranks[i] >= count) {
        throw definition.broken(
            "rank "
                + ranks[i]
                + " among "
                + count
                + " tokens; the ranks must be 0 to "
                + (count - 1)
                + " without gaps");
      }
      definition.ordinary(ranks[i], tokens[i]);
    }
    // A vocabulary of bytes alone is not Llama 3's: what it has besides is named, or it has
    // nothing.
    if (options.specialTokens().isEmpty() && count > 256) {
      for (Map.Entry<String, Integer> e : Llama3.specialTokens(count).entrySet()) {
        definition.added(AddedToken.special(e.getKey(), e.getValue()));
      }
    }
    definition.apply(options);
    definition.addsBos = true;
    definition.wholePiecesFirst = true;
    definition.pattern = options.pattern().orElse(SplitPattern.LLAMA3);
    definition.splitter = splitter(definition.pattern, false);
    return definition;
  }

  /**
   * Returns all pairs whose bytes together are a token, in the order of that token's rank, and for
   * one token in the order of the ranks of its parts.
   */
  private List<String> mergeTexts() {
    byte[][] byRank = new byte[count][];
    for (int i = 0; i < count; i++) {
      byRank[ranks[i]] = tokens[i];
    }
    Map<String, Integer> rankOf = new HashMap<>();
    List<String> texts = new ArrayList<>(count);
    for (int rank = 0; rank < count; rank++) {
      texts.add(ByteAlphabet.write(byRank[rank]));
      rankOf.put(texts.get(rank), rank);
    }
    List<String> merges = new ArrayList<>();
    for (String text : texts) {
      List<int[]> pairs = new ArrayList<>();
      for (int cut = 1; cut < text.length(); cut++) {
        Integer left = rankOf.get(text.substring(0, cut));
        Integer right = rankOf.get(text.substring(cut));
        if (left != null && right != null) {
          pairs.add(new int[] {left, right});
        }
      }
      pairs.sort(
          (a, b) -> a[0] != b[0] ? Integer.compare(a[0], b[0]) : Integer.compare(a[1], b[1]));
      pairs.forEach(pair -> merges.add(texts.get(pair[0]) + " " + texts.get(pair[1])));
    }
    return merges;
  }

  /**
   * Returns the splitter of {@link TokenizerOptions#pattern()}.
   *
   * @throws InvalidInputException if it is no regular expression
   */
  static Splitter splitter(String pattern, boolean keepsRest) {
    try {
      return SplitPattern.splitter(pattern, keepsRest);
    } catch (PatternSyntaxException e) {
      throw new InvalidInputException(
          "TokenizerOptions.pattern is not a regular expression: " + e.getMessage());
    }
  }

  /** A pair is merged if its bytes together are a token, in the order of that token's rank. */
  private MergeTable merges(TokenBytes bytes, TokenTable table) {
    int[] results = new int[count];
    MergeTable merges = new MergeTable(results, 2 * count); // as in the vocabulary of Llama 3
    ByteBuffer words = bytes.words();
    for (int id = 0; id < count; id++) {
      results[id] = id;
      int start = bytes.start(id);
      int length = bytes.length(id);
      for (int cut = 1; cut < length; cut++) {
        int left = table.find(words, start, cut);
        int right = left < 0 ? -1 : table.find(words, start + cut, length - cut);
        if (right >= 0) {
          merges.put(left, right, id);
        }
      }
    }
    return merges;
  }
}
