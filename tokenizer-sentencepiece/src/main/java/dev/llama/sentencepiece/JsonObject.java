package dev.llama.sentencepiece;

import dev.llama.FormatException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/** A JSON object with its place in the document, so that complaints can name the value at fault. */
final class JsonObject {
  private final Path origin;
  private final String name;
  private final Map<?, ?> values;

  JsonObject(Path origin, String name, Map<?, ?> values) {
    this.origin = origin;
    this.name = name;
    this.values = values;
  }

  /** The value, or null. */
  Object get(String key) {
    return values.get(key);
  }

  /** The object's keys and values. */
  Map<?, ?> values() {
    return values;
  }

  String type() {
    return text("type", null);
  }

  /**
   * A text.
   *
   * @param absent what a missing value or null stands for; null: it is required
   */
  String text(String key, String absent) {
    Object value = values.get(key);
    if (value instanceof String text) {
      return text;
    }
    if (value == null && absent != null) {
      return absent;
    }
    throw wrong(key, "a text");
  }

  boolean flag(String key, boolean absent) {
    Object value = values.get(key);
    if (value instanceof Boolean flag) {
      return flag;
    }
    if (value == null) {
      return absent;
    }
    throw wrong(key, "true or false");
  }

  int integer(String key) {
    if (values.get(key) instanceof Long number && number >= 0 && number <= Integer.MAX_VALUE) {
      return number.intValue();
    }
    throw wrong(key, "an integer from 0 to 2147483647");
  }

  /** An object, or null if it is missing or null. */
  JsonObject object(String key) {
    Object value = values.get(key);
    if (value == null) {
      return null;
    }
    if (value instanceof Map<?, ?> map) {
      return new JsonObject(origin, path(key), map);
    }
    throw wrong(key, "an object");
  }

  /** A list; empty if it is missing or null. */
  List<?> list(String key) {
    Object value = values.get(key);
    if (value == null) {
      return Collections.emptyList();
    }
    if (value instanceof List<?> list) {
      return list;
    }
    throw wrong(key, "a list");
  }

  /** A list of objects; empty if it is missing or null. */
  List<JsonObject> objects(String key) {
    List<JsonObject> objects = new ArrayList<>();
    for (Object value : list(key)) {
      String place = key + "[" + objects.size() + "]";
      if (!(value instanceof Map<?, ?> map)) {
        throw wrong(place, value, "an object");
      }
      objects.add(new JsonObject(origin, path(place), map));
    }
    return objects;
  }

  /**
   * The steps of a component: those of a sequence, a single one, or none.
   *
   * @param key the component
   * @param steps what its sequences call their list
   */
  List<JsonObject> steps(String key, String steps) {
    JsonObject component = object(key);
    if (component == null) {
      return Collections.emptyList();
    }
    return component.get("type") instanceof String type && type.equals("Sequence")
        ? component.objects(steps)
        : Collections.singletonList(component);
  }

  FormatException wrong(String key, String expected) {
    return wrong(key, values.get(key), expected);
  }

  FormatException wrong(String key, Object value, String expected) {
    return new FormatException(origin, path(key) + " is " + show(value) + ", expected " + expected);
  }

  /** The complaint about a component that is not implemented. */
  FormatException unsupported(String expected) {
    return new FormatException(
        origin, name + " is " + show(values) + ", which is not implemented; expected " + expected);
  }

  private String path(String key) {
    return name.isEmpty() ? key : name + "." + key;
  }

  private static String show(Object value) {
    if (value == null) {
      return "missing or null";
    }
    if (value instanceof Map<?, ?> map) {
      Object type = map.get("type");
      return type instanceof String ? "an object of type " + type : "an object";
    }
    if (value instanceof List<?> list) {
      return "a list of " + list.size();
    }
    String text = String.valueOf(value);
    return value instanceof String
        ? "\"" + (text.length() > 100 ? text.substring(0, 100) + "…" : text) + "\""
        : text;
  }
}
