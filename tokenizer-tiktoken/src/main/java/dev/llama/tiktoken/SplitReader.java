package dev.llama.tiktoken;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/** Reads the {@code pre_tokenizer} of a {@code tokenizer.json}. */
final class SplitReader {
  private static final String SUPPORTED =
      "ByteLevel, or a Sequence of one Split and a ByteLevel without use_regex and"
          + " add_prefix_space; TokenizerOptions.pattern replaces the pre_tokenizer";

  private final Splitter splitter;
  private final String pattern;
  private final boolean prefixesSpace;

  SplitReader(Object preTokenizer, Path origin) {
    if (!(preTokenizer instanceof Map<?, ?> map)) {
      throw new JsonObject(origin, "", Collections.singletonMap("pre_tokenizer", null))
          .unsupported("pre_tokenizer", SUPPORTED);
    }
    JsonObject root = new JsonObject(origin, "pre_tokenizer", map);
    List<JsonObject> steps = steps(root);
    JsonObject last = steps.get(steps.size() - 1);
    if (!last.type().equals("ByteLevel")) {
      throw last.unsupported(SUPPORTED);
    }
    boolean split = steps.size() == 2;
    boolean usesRegex = last.flag("use_regex", true);
    prefixesSpace = last.flag("add_prefix_space", true);
    if (split && prefixesSpace) {
      throw last.unsupported("add_prefix_space", "false after a Split");
    }
    if (split == usesRegex) {
      throw last.unsupported("use_regex", "false after a Split, true without one");
    }
    splitter = split ? split(steps.get(0)) : new Gpt2Splitter();
    pattern = split ? regex(steps.get(0).object("pattern")) : SplitPattern.GPT2;
  }

  /** Returns the pattern that the splitter stands for. */
  String pattern() {
    return pattern;
  }

  Splitter splitter() {
    return splitter;
  }

  boolean prefixesSpace() {
    return prefixesSpace;
  }

  /** Returns whether a component is, or a sequence holds, one of a type. */
  static boolean mentions(Object component, String type) {
    if (!(component instanceof Map<?, ?> map)) {
      return false;
    }
    if (type.equals(map.get("type"))) {
      return true;
    }
    for (String key : List.of("pretokenizers", "decoders")) {
      if (map.get(key) instanceof List<?> list
          && list.stream().anyMatch(c -> c instanceof Map<?, ?> m && type.equals(m.get("type")))) {
        return true;
      }
    }
    return false;
  }

  private static List<JsonObject> steps(JsonObject root) {
    if (!root.type().equals("Sequence")) {
      return List.of(root);
    }
    List<JsonObject> steps = new ArrayList<>();
    for (int i = 0; i < root.list("pretokenizers").size(); i++) {
      steps.add(root.element("pretokenizers", i));
    }
    if (steps.isEmpty() || steps.size() > 2) {
      throw root.unsupported("pretokenizers", SUPPORTED);
    }
    return steps;
  }

  private static Splitter split(JsonObject step) {
    if (!step.type().equals("Split")) {
      throw step.unsupported(SUPPORTED);
    }
    String behavior = step.string("behavior", null);
    boolean invert = step.flag("invert", false);
    // What tiktoken does: matches are pieces, the rest is dropped.
    boolean removed = behavior.equals("Removed") && invert;
    if (!removed && !(behavior.equals("Isolated") && !invert)) {
      throw step.unsupported(
          "behavior", "Isolated without invert, or Removed with invert (here " + invert + ")");
    }
    JsonObject pattern = step.object("pattern");
    try {
      return SplitPattern.splitter(regex(pattern), !removed);
    } catch (PatternSyntaxException e) {
      throw pattern.unsupported("Regex", "what java.util.regex reads: " + e.getMessage());
    }
  }

  private static String regex(JsonObject pattern) {
    String regex = pattern.string("Regex", "");
    return regex.isEmpty() ? Pattern.quote(pattern.string("String", null)) : regex;
  }
}
