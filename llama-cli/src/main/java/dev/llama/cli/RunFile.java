package dev.llama.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import dev.llama.DType;
import dev.llama.FormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParseResult;

/**
 * A run file: the long options of a command as a JSON object, {@code "warmup_steps": 100} for
 * {@code --warmup-steps=100}, a list for an option that may be repeated. Paths are relative to the
 * file. What is on the command line counts before what is in the file.
 */
final class RunFile {
  /** About the call, not about the run. */
  private static final Set<String> NEVER = Set.of("--resume", "--help", "--format");

  /** Of each of these only one makes sense: one on the command line replaces those in the file. */
  private static final List<Set<String>> ALTERNATIVES =
      List.of(
          Set.of("--preset", "--config", "--model"),
          Set.of("--documents", "--separator"),
          Set.of("--validation-fraction", "--validation-data"));

  private RunFile() {}

  /**
   * Turns a file into arguments.
   *
   * @param file JSON
   * @param spec of the command
   * @param given what the command line says
   * @return one argument for each value
   * @throws FormatException if the file is broken, or has a key that is no option
   */
  static List<String> arguments(Path file, CommandSpec spec, ParseResult given) {
    List<String> arguments = new ArrayList<>();
    for (var entry : read(file).entrySet()) {
      String name = "--" + entry.getKey().replace('_', '-');
      OptionSpec option = spec.findOption(name);
      if (option == null || NEVER.contains(name)) {
        throw new FormatException(
            file,
            "has a field \""
                + entry.getKey()
                + "\", expected names of options with _ for -, see 'llama train --help'");
      }
      if (!isReplaced(name, given)) {
        for (String value : values(file, entry.getKey(), entry.getValue())) {
          arguments.add(name + "=" + (isPath(option) ? resolve(file, value) : value));
        }
      }
    }
    return arguments;
  }

  private static JsonObject read(Path file) {
    try {
      JsonElement json = JsonParser.parseString(Files.readString(file));
      if (!json.isJsonObject()) {
        throw new FormatException(file, "is not a JSON object");
      }
      return json.getAsJsonObject();
    } catch (JsonParseException e) {
      throw new FormatException(file, "is not valid JSON: " + e.getMessage(), e);
    } catch (IOException e) {
      throw new FormatException(file, "cannot be read: " + Main.describe(e), e);
    }
  }

  private static boolean isReplaced(String name, ParseResult given) {
    return given.hasMatchedOption(name)
        || ALTERNATIVES.stream()
            .filter(names -> names.contains(name))
            .anyMatch(names -> names.stream().anyMatch(given::hasMatchedOption));
  }

  private static List<String> values(Path file, String key, JsonElement value) {
    List<String> values = new ArrayList<>();
    JsonArray array = new JsonArray();
    array.add(value);
    for (JsonElement element : value.isJsonArray() ? value.getAsJsonArray() : array) {
      if (!element.isJsonPrimitive()) {
        throw new FormatException(
            file, key + " is " + element + ", expected a text, a number, true or false");
      }
      values.add(element.getAsString());
    }
    return values;
  }

  private static boolean isPath(OptionSpec option) {
    return option.auxiliaryTypes()[0] == Path.class;
  }

  private static Path resolve(Path file, String value) {
    return file.toAbsolutePath().resolveSibling(value).normalize();
  }

  /**
   * What a command was told, as the text of a run file that stands anywhere.
   *
   * @param saved type of the trained model, which may come from the model that training began with
   */
  static String text(ParseResult given, DType saved) {
    JsonObject json = new JsonObject();
    for (OptionSpec option : given.matchedOptions()) {
      String name = option.longestName();
      if (!NEVER.contains(name) && !name.equals("--output")) {
        json.add(name.substring(2).replace('-', '_'), element(option.getValue()));
      }
    }
    json.addProperty("save_type", saved.name());
    return Json.text(json);
  }

  private static JsonElement element(Object value) {
    if (value instanceof Collection<?> many) {
      JsonArray array = new JsonArray();
      many.forEach(each -> array.add(element(each)));
      return array;
    } else if (value instanceof Path path) {
      return new JsonPrimitive(path.toAbsolutePath().normalize().toString());
    } else if (value instanceof Number number) {
      return new JsonPrimitive(number);
    } else if (value instanceof Boolean bool) {
      return new JsonPrimitive(bool);
    }
    return new JsonPrimitive(value.toString());
  }
}
