package dev.llama.core.json;

import dev.llama.FormatException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;

/**
 * The fields of a JSON object, asked for by name and type. A {@code null} counts as absent. What
 * does not fit is a {@link FormatException} with the file, the field, the value found and the value
 * expected. Remembers what was asked for, so that the rest can be reported. For one thread.
 */
public final class Fields {
  private final Path file;
  private final String prefix;
  private final Map<String, Object> values;
  private final Set<String> used = new LinkedHashSet<>();

  /**
   * Wraps an object.
   *
   * @param file where it comes from, for messages
   * @param values as {@link Json} parses them
   */
  public Fields(Path file, Map<String, Object> values) {
    this(file, "", values);
  }

  private Fields(Path file, String prefix, Map<String, Object> values) {
    this.file = file;
    this.prefix = prefix;
    this.values = values;
  }

  /**
   * Reads a file that holds an object.
   *
   * @param file a JSON file
   * @param maxBytes largest size that is accepted
   * @return its fields
   * @throws FormatException if the file is missing, larger, no JSON, or holds something else
   */
  public static Fields read(Path file, long maxBytes) {
    return new Fields(file, Json.readObject(file, maxBytes));
  }

  /**
   * Returns where the object comes from.
   *
   * @return the file
   */
  public Path file() {
    return file;
  }

  /**
   * Returns the value of a field.
   *
   * @param name field
   * @return as parsed; {@code null} if it is absent or null
   */
  public Object get(String name) {
    used.add(name);
    return values.get(name);
  }

  /**
   * Returns whether a field is there, null or not.
   *
   * @param name field
   * @return whether the object has it
   */
  public boolean contains(String name) {
    return values.containsKey(name);
  }

  /**
   * Returns a field that must be there.
   *
   * @param name field
   * @return its value
   */
  public int requireInt(String name) {
    return integer(name, require(name, "an integer"));
  }

  /**
   * Returns an integer.
   *
   * @param name field
   * @return empty if it is absent
   */
  public OptionalInt optionalInt(String name) {
    Object value = get(name);
    return value == null ? OptionalInt.empty() : OptionalInt.of(integer(name, value));
  }

  /**
   * Returns a field that must be there.
   *
   * @param name field
   * @return its value; an integer will do
   */
  public double requireDouble(String name) {
    return number(name, require(name, "a number"));
  }

  /**
   * Returns a number.
   *
   * @param name field
   * @return empty if it is absent
   */
  public OptionalDouble optionalDouble(String name) {
    Object value = get(name);
    return value == null ? OptionalDouble.empty() : OptionalDouble.of(number(name, value));
  }

  /**
   * Returns a truth value.
   *
   * @param name field
   * @return empty if it is absent
   */
  public Optional<Boolean> optionalBoolean(String name) {
    return optional(name, Boolean.class, "true or false");
  }

  /**
   * Returns a text.
   *
   * @param name field
   * @return empty if it is absent
   */
  public Optional<String> optionalString(String name) {
    return optional(name, String.class, "a text");
  }

  /**
   * Returns an object inside this one.
   *
   * @param name field
   * @return empty if it is absent
   */
  public Optional<Fields> optionalObject(String name) {
    Object value = get(name);
    if (value == null) {
      return Optional.empty();
    }
    if (!(value instanceof Map<?, ?>)) {
      throw error(name, "an object");
    }
    @SuppressWarnings("unchecked") // the parser's maps have no other keys
    Map<String, Object> map = (Map<String, Object>) value;
    return Optional.of(new Fields(file, prefix + name + ".", map));
  }

  /**
   * Returns integers that may be written as one number or as an array.
   *
   * @param name field
   * @return empty if it is absent
   */
  public List<Integer> ints(String name) {
    Object value = get(name);
    if (value == null) {
      return List.of();
    }
    List<Integer> list = new ArrayList<>();
    for (Object element : value instanceof List<?> elements ? elements : List.of(value)) {
      list.add(integer(name, element));
    }
    return list;
  }

  /**
   * Returns numbers in an array.
   *
   * @param name field
   * @return empty if it is absent
   */
  public List<Double> doubles(String name) {
    List<Double> list = new ArrayList<>();
    for (Object element : optional(name, List.class, "an array of numbers").orElse(List.of())) {
      list.add(number(name, element));
    }
    return list;
  }

  /**
   * Returns texts that may be written as one or as an array.
   *
   * @param name field
   * @return empty if it is absent
   */
  public List<String> strings(String name) {
    Object value = get(name);
    if (value == null) {
      return List.of();
    }
    List<String> list = new ArrayList<>();
    for (Object element : value instanceof List<?> elements ? elements : List.of(value)) {
      if (!(element instanceof String string)) {
        throw error(name, "texts");
      }
      list.add(string);
    }
    return list;
  }

  /**
   * Marks fields as known, without looking at them.
   *
   * @param names fields
   */
  public void skip(Set<String> names) {
    used.addAll(names);
  }

  /**
   * Returns what was never asked for.
   *
   * @return in the file's order
   */
  public Map<String, Object> rest() {
    Map<String, Object> rest = new LinkedHashMap<>(values);
    rest.keySet().removeAll(used);
    return Collections.unmodifiableMap(rest);
  }

  /**
   * Returns an exception about a field.
   *
   * @param name field
   * @param expected what its value may be
   * @return with file, field, value found and value expected
   */
  public FormatException error(String name, String expected) {
    Object value = values.get(name);
    return new FormatException(
        file,
        prefix
            + name
            + " is "
            + (value == null ? missing(name) : Json.describe(value))
            + ", expected "
            + expected);
  }

  private String missing(String name) {
    return values.containsKey(name) ? "null" : "missing";
  }

  private Object require(String name, String expected) {
    Object value = get(name);
    if (value == null) {
      throw error(name, expected);
    }
    return value;
  }

  private <T> Optional<T> optional(String name, Class<T> type, String expected) {
    Object value = get(name);
    if (value != null && !type.isInstance(value)) {
      throw error(name, expected);
    }
    return Optional.ofNullable(type.cast(value));
  }

  private int integer(String name, Object value) {
    if (!(value instanceof Long number) || number != number.intValue()) {
      throw error(name, "an integer of 32 bits");
    }
    return number.intValue();
  }

  private double number(String name, Object value) {
    if (!(value instanceof Number number)) {
      throw error(name, "a number");
    }
    return number.doubleValue();
  }
}
