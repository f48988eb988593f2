package dev.llama.tiktoken;

import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import dev.llama.spi.TokenizerSource;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A vocabulary trained here, on a few sentences: 256 bytes, in an order of their own, and 150
 * merges. Keys are Latin-1: one character for each byte.
 */
final class ToyVocabulary {
  private static final String TEXT =
      "It was raining when Marta left the harbour; the ferry, as usual, was late. She'd said: "
          + "\"I don't think that's what we're after\" -- and left.\n\n  for (int i = 0; i < 100;"
          + " i++) {\n    total += values[i];   // 12345\n  }\n aaaaaaaa naïve café Straße"
          + " здравствуй мир 東京 🙂🙂 \n\n\n the the the ing ing tion tion";

  static final List<String> RANKS = train();
  static final List<String[]> MERGES = new ArrayList<>();

  static {
    for (int rank = 256; rank < RANKS.size(); rank++) {
      MERGES.add(halves(rank));
    }
  }

  private ToyVocabulary() {}

  static Tokenizer tokenizer() {
    return tokenizer(TokenizerOptions.defaults());
  }

  static Tokenizer tokenizer(TokenizerOptions options) {
    return open(file(), options);
  }

  static Tokenizer open(String file, TokenizerOptions options) {
    byte[] bytes = file.getBytes(StandardCharsets.ISO_8859_1);
    return Fixtures.PROVIDER
        .open(new TokenizerSource.ModelFile(Path.of("toy.model"), bytes), options)
        .orElseThrow();
  }

  static String file() {
    StringBuilder file = new StringBuilder();
    for (int rank = 0; rank < RANKS.size(); rank++) {
      byte[] token = RANKS.get(rank).getBytes(StandardCharsets.ISO_8859_1);
      file.append(Base64.getEncoder().encodeToString(token)).append(' ').append(rank).append('\n');
    }
    return file.toString();
  }

  /** The same vocabulary as tokenizer.json, without special tokens; the caller may change it. */
  static Map<String, Object> huggingFace() {
    Map<String, Object> vocab = new LinkedHashMap<>();
    for (int rank = 0; rank < RANKS.size(); rank++) {
      vocab.put(visible(RANKS.get(rank)), (long) rank);
    }
    List<Object> merges = new ArrayList<>();
    for (String[] pair : MERGES) {
      merges.add(visible(pair[0]) + " " + visible(pair[1]));
    }
    Map<String, Object> model = new HashMap<>();
    model.put("type", "BPE");
    model.put("ignore_merges", true);
    model.put("vocab", vocab);
    model.put("merges", merges);
    Map<String, Object> split = new HashMap<>();
    split.put("type", "Split");
    split.put("pattern", Map.of("Regex", SplitPattern.LLAMA3));
    split.put("behavior", "Isolated");
    split.put("invert", false);
    Map<String, Object> byteLevel = new HashMap<>();
    byteLevel.put("type", "ByteLevel");
    byteLevel.put("add_prefix_space", false);
    byteLevel.put("use_regex", false);
    Map<String, Object> preTokenizer = new HashMap<>();
    preTokenizer.put("type", "Sequence");
    preTokenizer.put("pretokenizers", new ArrayList<>(List.of(split, byteLevel)));
    Map<String, Object> document = new HashMap<>();
    document.put("model", model);
    document.put("pre_tokenizer", preTokenizer);
    document.put("decoder", Map.of("type", "ByteLevel"));
    document.put("added_tokens", new ArrayList<>());
    return document;
  }

  static Tokenizer open(Map<String, Object> document) {
    return open(document, TokenizerOptions.defaults());
  }

  static Tokenizer open(Map<String, Object> document, TokenizerOptions options) {
    return Fixtures.PROVIDER
        .open(new TokenizerSource.HuggingFaceJson(Path.of("tokenizer.json"), document), options)
        .orElseThrow();
  }

  static String visible(String latin1) {
    return ByteAlphabet.write(latin1.getBytes(StandardCharsets.ISO_8859_1));
  }

  /** Byte-pair encoding of one piece as it is defined: again and again the lowest rank. */
  static int[] encodePiece(String latin1) {
    Map<String, Integer> ids = ids();
    List<String> parts = new ArrayList<>(Arrays.asList(latin1.split("")));
    while (true) {
      int best = -1;
      int bestRank = Integer.MAX_VALUE;
      for (int i = 0; i + 1 < parts.size(); i++) {
        int rank = ids.getOrDefault(parts.get(i) + parts.get(i + 1), Integer.MAX_VALUE);
        if (rank < bestRank) {
          best = i;
          bestRank = rank;
        }
      }
      if (best < 0) {
        return parts.stream().mapToInt(ids::get).toArray();
      }
      parts.set(best, parts.get(best) + parts.remove(best + 1));
    }
  }

  private static Map<String, Integer> ids() {
    Map<String, Integer> ids = new HashMap<>();
    for (String token : RANKS) {
      ids.put(token, ids.size());
    }
    return ids;
  }

  private static List<String> train() {
    Set<String> tokens = new LinkedHashSet<>();
    for (int i = 0; i < 256; i++) {
      tokens.add(String.valueOf((char) (i * 77 + 5 & 0xFF)));
    }
    String latin1 = new String(TEXT.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
    List<String> parts = new ArrayList<>(Arrays.asList(latin1.split("")));
    while (tokens.size() < 406) {
      Map<String, Integer> counts = new LinkedHashMap<>();
      for (int i = 0; i + 1 < parts.size(); i++) {
        counts.merge(parts.get(i) + parts.get(i + 1), 1, Integer::sum);
      }
      String best = counts.entrySet().stream().max(Map.Entry.comparingByValue()).get().getKey();
      tokens.add(best);
      for (int i = 0; i + 1 < parts.size(); i++) {
        if (best.equals(parts.get(i) + parts.get(i + 1))) {
          parts.set(i, best);
          parts.remove(i + 1);
        }
      }
    }
    return List.copyOf(tokens);
  }

  /** The pair that the merges before a token leave of it. */
  private static String[] halves(int rank) {
    Map<String, Integer> ids = ids();
    List<String> parts = new ArrayList<>(Arrays.asList(RANKS.get(rank).split("")));
    while (parts.size() > 2) {
      int best = 0;
      for (int i = 1; i + 1 < parts.size(); i++) {
        if (rank(ids, parts, i) < rank(ids, parts, best)) {
          best = i;
        }
      }
      parts.set(best, parts.get(best) + parts.remove(best + 1));
    }
    return parts.toArray(new String[0]);
  }

  private static int rank(Map<String, Integer> ids, List<String> parts, int i) {
    return ids.getOrDefault(parts.get(i) + parts.get(i + 1), Integer.MAX_VALUE);
  }
}
