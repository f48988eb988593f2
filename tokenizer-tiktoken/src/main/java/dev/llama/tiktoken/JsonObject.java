package dev.llama.tiktoken;

import dev.llama.FormatException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;

/** An object in a JSON document that knows where it is, for errors that name the place. */
final class JsonObject {
  private final Path origin;
  private final String path; // "" for the document
  private final Map<?, ?> members;

  JsonObject(Path origin, String path, Map<?, ?> members) {
    this.origin = origin;
    this.path = path;
    this.members = members;
  }

  /** Returns a member as it is, {@code null} if it is absent. */
  Object get(String key) {
    return members.get(key);
  }

  /** Returns the names of the members. */
  Collection<String> names() {
    List<String> names = new ArrayList<>(members.size());
    for (Object name : members.keySet()) {
      names.add((String) name);
    }
    return names;
  }

  /** Returns the member {@code type}. */
  String type() {
    return string("type", null);
  }

  /** Returns a text; absent or null: the default, or an error if that is {@code null}. */
  String string(String key, String absent) {
    Object value = members.get(key);
    if (value == null && absent != null) {
      return absent;
    }
    if (value instanceof String text) {
      return text;
    }
    throw wrong(key, "a string");
  }

  /** Returns true or false; absent or null: the default. */
  boolean flag(String key, boolean absent) {
    Object value = members.get(key);
    if (value == null) {
      return absent;
    }
    if (value instanceof Boolean flag) {
      return flag;
    }
    throw wrong(key, "true or false");
  }

  /** Returns a token id. */
  int id(String key) {
    return id(members.get(key), key);
  }

  /** Returns the only id of an array. */
  int firstId(String key) {
    List<?> ids = list(key);
    if (ids.size() != 1) {
      throw wrong(key, "one token id");
    }
    return id(ids.get(0), key);
  }

  private int id(Object value, String key) {
    if (value instanceof Long id && id >= 0 && id < MergeTable.MAX_IDS) {
      return id.intValue();
    }
    throw wrong(key, "a token id from 0 to " + (MergeTable.MAX_IDS - 1));
  }

  /** Returns an array. */
  List<?> list(String key) {
    if (members.get(key) instanceof List<?> list) {
      return list;
    }
    throw wrong(key, "an array");
  }

  /** Returns an object. */
  JsonObject object(String key) {
    if (members.get(key) instanceof Map<?, ?> map) {
      return new JsonObject(origin, name(key), map);
    }
    throw wrong(key, "an object");
  }

  /** Returns an object, {@code null} if it is absent or null. */
  JsonObject objectOrNull(String key) {
    return members.get(key) == null ? null : object(key);
  }

  /** Returns an object in an array. */
  JsonObject element(String key, int index) {
    Object value = list(key).get(index);
    String name = name(key) + "[" + index + "]";
    if (value instanceof Map<?, ?> map) {
      return new JsonObject(origin, name, map);
    }
    throw new FormatException(origin, name + " is " + Quote.of(value) + "; expected an object");
  }

  /** Returns an error: this object asks for what is not implemented. */
  FormatException unsupported(String supported) {
    return unsupported("type", supported);
  }

  /** Returns an error: a member asks for what is not implemented. */
  FormatException unsupported(String key, String supported) {
    return new FormatException(
        origin,
        name(key)
            + " is "
            + Quote.of(members.get(key))
            + ", which is not implemented; supported is "
            + supported);
  }

  private FormatException wrong(String key, String expected) {
    return new FormatException(
        origin,
        name(key)
            + (members.containsKey(key) ? " is " + Quote.of(members.get(key)) : " is missing")
            + "; expected "
            + expected);
  }

  private String name(String key) {
    return path.isEmpty() ? key : path + "." + key;
  }
}
