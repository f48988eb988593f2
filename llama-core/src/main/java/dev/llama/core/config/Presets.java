package dev.llama.core.config;

import dev.llama.InvalidInputException;
import dev.llama.ModelConfig;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/** The architectures of published models, a config.json each among this library's resources. */
public final class Presets {
  /** In the order in which people look for them: newest generation first. */
  public static final List<String> NAMES =
      Collections.unmodifiableList(
          Arrays.asList(
              "llama-3.3-70b",
              "llama-3.2-1b",
              "llama-3.2-3b",
              "llama-3.1-8b",
              "llama-3.1-70b",
              "llama-3.1-405b",
              "llama-3-8b",
              "llama-3-70b",
              "llama-2-7b",
              "llama-2-13b",
              "llama-2-70b",
              "llama-1-7b",
              "llama-1-13b",
              "llama-1-33b",
              "llama-1-65b",
              "code-llama-7b",
              "code-llama-13b",
              "code-llama-34b",
              "code-llama-70b",
              "tinyllama-1.1b",
              "mistral-7b-v0.1",
              "tiny"));

  /** Names of people who guess are short; nothing longer is compared or repeated. */
  private static final int LONGEST_GUESS = 40;

  private Presets() {}

  /**
   * Reads a preset.
   *
   * @param name one of {@link #NAMES}
   * @return the architecture
   * @throws InvalidInputException if there is no such preset
   */
  public static ModelConfig read(String name) {
    if (!NAMES.contains(name)) {
      throw unknown(name);
    }
    String file = name + ".json";
    try (InputStream in = Presets.class.getResourceAsStream("presets/" + file)) {
      if (in == null) {
        throw new IllegalStateException("the jar lacks its resource presets/" + file);
      }
      return ConfigReader.parse(Paths.get(file), bytes(in));
    } catch (IOException e) {
      throw new UncheckedIOException(e); // the jar itself cannot be read
    }
  }

  private static byte[] bytes(InputStream in) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    byte[] buffer = new byte[4096];
    for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
      bytes.write(buffer, 0, n);
    }
    return bytes.toByteArray();
  }

  private static InvalidInputException unknown(String name) {
    String guess = String.valueOf(name);
    String shown = guess.length() <= LONGEST_GUESS ? guess : guess.substring(0, LONGEST_GUESS);
    String wanted = shown.toLowerCase(Locale.ROOT);
    List<String> nearestFirst = new ArrayList<>(NAMES);
    nearestFirst.sort(Comparator.comparingInt(preset -> distance(wanted, preset)));
    return new InvalidInputException(
        "there is no preset \"" + shown + "\", expected one of " + String.join(", ", nearestFirst));
  }

  /** Insertions, deletions and replacements that make one text of the other (Levenshtein 1966). */
  private static int distance(String a, String b) {
    int[] row = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int replaced = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(replaced, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[b.length()];
  }
}
