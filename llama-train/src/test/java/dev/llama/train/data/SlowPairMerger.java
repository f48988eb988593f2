package dev.llama.train.data;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Byte-pair encoding as it is defined: everything is counted anew for each merge. */
final class SlowPairMerger {
  private final List<String> tokens = new ArrayList<>(); // Latin-1, a character for each byte
  private final List<List<Integer>> words = new ArrayList<>();
  private final List<Integer> counts = new ArrayList<>();

  SlowPairMerger(Map<String, Integer> pieces) {
    for (int b = 0; b < 256; b++) {
      tokens.add(String.valueOf((char) b));
    }
    pieces.forEach(
        (piece, count) -> {
          List<Integer> word = new ArrayList<>();
          for (byte b : piece.getBytes(StandardCharsets.UTF_8)) {
            word.add(b & 0xFF);
          }
          words.add(word);
          counts.add(count);
        });
  }

  List<String> train(int size, int minimum, int maxBytes) {
    while (tokens.size() < size) {
      Map<Long, Long> pairs = new TreeMap<>(); // by left id, then right id
      for (int w = 0; w < words.size(); w++) {
        List<Integer> word = words.get(w);
        for (int i = 0; i + 1 < word.size(); i++) {
          long key = (long) word.get(i) << 32 | word.get(i + 1);
          pairs.merge(key, (long) counts.get(w), Long::sum);
        }
      }
      long best = -1;
      for (Map.Entry<Long, Long> pair : pairs.entrySet()) {
        boolean fits = joined(pair.getKey()).length() <= maxBytes;
        if (fits && pair.getValue() >= minimum && pair.getValue() > pairs.getOrDefault(best, 0L)) {
          best = pair.getKey();
        }
      }
      if (best < 0) {
        break;
      }
      merge(best);
    }
    return tokens;
  }

  private String joined(long pair) {
    return tokens.get((int) (pair >> 32)) + tokens.get((int) pair);
  }

  private void merge(long pair) {
    String joined = joined(pair);
    if (!tokens.contains(joined)) {
      tokens.add(joined);
    }
    int id = tokens.indexOf(joined);
    for (List<Integer> word : words) {
      for (int i = 0; i + 1 < word.size(); i++) {
        if (word.get(i) == pair >> 32 && word.get(i + 1) == (int) pair) {
          word.set(i, id);
          word.remove(i + 1);
        }
      }
    }
  }
}
