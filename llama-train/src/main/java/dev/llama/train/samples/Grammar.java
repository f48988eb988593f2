package dev.llama.train.samples;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Rules that say what can be said, and in how many ways; {@code stories/index.grammar} begins with
 * a description of how they are written. Immutable.
 */
final class Grammar {
  private static final Pattern HEADER = Pattern.compile("([a-z-]+)(?:\\(([a-z, ]+)\\))?:");

  private static final Pattern REFERENCE = Pattern.compile("[<=]([a-z-]+)[>}]");

  private final Map<String, Rule> rules = new HashMap<>();

  /**
   * A rule.
   *
   * @param properties names of the parts of each way, if the rule is one of things
   * @param ways texts with references in them
   */
  record Rule(List<String> properties, List<String> ways) {}

  /**
   * Reads a grammar.
   *
   * @param lines of all its files
   * @throws IllegalArgumentException if a line is none, or a rule is there twice or missing: names
   *     it
   */
  Grammar(List<String> lines) {
    Rule rule = null;
    for (String line : lines) {
      Matcher header = HEADER.matcher(line);
      if (line.isBlank() || line.startsWith("#")) {
        continue;
      }
      if (header.matches()) {
        String properties = header.group(2);
        List<String> names = properties == null ? List.of() : List.of(properties.split(", "));
        rule = new Rule(names, new ArrayList<>());
        if (rules.put(header.group(1), rule) != null) {
          throw new IllegalArgumentException("the grammar has two rules " + header.group(1));
        }
      } else if (rule != null && (line.equals("-") || line.startsWith("- "))) {
        rule.ways().add(line.substring(Math.min(2, line.length())));
      } else if (rule != null && !rule.ways().isEmpty() && line.startsWith("  ")) {
        int last = rule.ways().size() - 1;
        rule.ways().set(last, rule.ways().get(last) + "\n" + line.strip());
      } else {
        throw new IllegalArgumentException("no line of a grammar: " + line);
      }
    }
    checkReferences();
  }

  /** A rule that is hardly ever used is not to fail only then. */
  private void checkReferences() {
    for (Rule rule : List.copyOf(rules.values())) {
      for (String way : rule.ways()) {
        REFERENCE.matcher(way).results().forEach(reference -> rule(reference.group(1)));
      }
    }
  }

  /** Says what a rule says, in one of the possible ways. */
  String say(String rule, Chance chance) {
    return Polish.polish(new Telling(chance).expand("<" + rule + ">"));
  }

  private Rule rule(String name) {
    Rule rule = rules.get(name);
    if (rule == null || rule.ways().isEmpty()) {
      throw new IllegalArgumentException("the grammar has no rule " + name);
    }
    return rule;
  }

  /** One text in the making, with the things that have been chosen for it. */
  private final class Telling {
    private final Chance chance;
    private final Map<String, Map<String, String>> things = new HashMap<>();

    Telling(Chance chance) {
      this.chance = chance;
    }

    String expand(String text) {
      StringBuilder out = new StringBuilder();
      int at = 0;
      while (at < text.length()) {
        char c = text.charAt(at);
        if (c == '[') {
          int end = closing(text, at);
          List<String> ways = alternatives(text.substring(at + 1, end));
          out.append(expand(ways.get(chance.below(ways.size()))));
          at = end + 1;
        } else if (c == '<' || c == '{') {
          int end = text.indexOf(c == '<' ? '>' : '}', at);
          String name = text.substring(at + 1, end);
          out.append(c == '<' ? expandRule(name) : thing(name));
          at = end + 1;
        } else {
          out.append(c);
          at++;
        }
      }
      return out.toString();
    }

    private String expandRule(String name) {
      List<String> ways = rule(name).ways();
      return expand(ways.get(chance.below(ways.size())));
    }

    private String thing(String reference) {
      int equals = reference.indexOf('=');
      if (equals >= 0) {
        choose(reference.substring(0, equals), reference.substring(equals + 1));
        return "";
      }
      int dot = reference.indexOf('.');
      Map<String, String> thing = things.get(dot < 0 ? reference : reference.substring(0, dot));
      if (thing == null) {
        throw new IllegalArgumentException("nothing has been chosen for {" + reference + "}");
      }
      return property(thing, dot < 0 ? "name" : reference.substring(dot + 1), reference);
    }

    /** Chooses a thing whose name no other thing of this text has. */
    private void choose(String variable, String ruleName) {
      List<String> properties = rule(ruleName).properties();
      Map<String, String> thing;
      boolean taken;
      do {
        thing = new HashMap<>();
        String[] values = expandRule(ruleName).split(";", -1);
        if (values.length != properties.size()) {
          throw new IllegalArgumentException(
              ruleName + " has " + properties + ", found " + String.join(";", values));
        }
        for (int i = 0; i < values.length; i++) {
          String value = values[i].strip();
          for (String property : properties.subList(0, i)) {
            value = value.replace("*" + property, thing.get(property));
          }
          thing.put(properties.get(i), value);
        }
        String name = thing.get("name");
        taken = things.values().stream().anyMatch(other -> name.equals(other.get("name")));
      } while (taken);
      things.put(variable, thing);
    }
  }

  private static String property(Map<String, String> thing, String name, String reference) {
    String lower = name.toLowerCase(Locale.ROOT);
    String value = thing.get(lower);
    if (value == null && thing.containsKey("he")) {
      value = pronoun(lower, thing.get("he").equals("she"));
    }
    if (value == null) {
      throw new IllegalArgumentException("there is no {" + reference + "} of " + thing);
    }
    return lower.equals(name) ? value : Polish.capitalise(value);
  }

  private static String pronoun(String masculine, boolean feminine) {
    return switch (masculine) {
      case "him" -> feminine ? "her" : "him";
      case "his" -> feminine ? "her" : "his";
      case "himself" -> feminine ? "herself" : "himself";
      default -> null;
    };
  }

  private static int closing(String text, int open) {
    int depth = 0;
    for (int i = open; i < text.length(); i++) {
      depth += text.charAt(i) == '[' ? 1 : text.charAt(i) == ']' ? -1 : 0;
      if (depth == 0) {
        return i;
      }
    }
    throw new IllegalArgumentException("a bracket is never closed in: " + text);
  }

  private static List<String> alternatives(String text) {
    List<String> ways = new ArrayList<>();
    int start = 0;
    int depth = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      depth += c == '[' ? 1 : c == ']' ? -1 : 0;
      if (c == '|' && depth == 0) {
        ways.add(text.substring(start, i));
        start = i + 1;
      }
    }
    ways.add(text.substring(start));
    return ways;
  }
}
