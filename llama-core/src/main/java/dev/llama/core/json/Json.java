package dev.llama.core.json;

import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.JsonWriter;
import com.google.gson.stream.MalformedJsonException;
import dev.llama.FormatException;
import dev.llama.InvalidInputException;
import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.StringWriter;
import java.lang.reflect.Array;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * JSON as RFC 8259 defines it and no more: UTF-8 without a byte order mark, one value, no comments,
 * no NaN, no key twice in one object. Values are {@code Map<String, Object>} in the file's order,
 * {@code List<Object>}, String, Long, Double, Boolean and {@code null}; maps and lists are
 * unmodifiable. An integer beyond 64 bits becomes a Double.
 */
public final class Json {
  /** Arrays and objects inside one another; published files have fewer than ten. */
  private static final int MAX_DEPTH = 128;

  /** Longest excerpt of a file in a message. */
  private static final int EXCERPT = 80;

  private Json() {}

  /**
   * Reads a file.
   *
   * @param file a regular file
   * @param maxBytes largest size that is accepted
   * @return the value
   * @throws FormatException if the file is missing, larger, or no JSON
   */
  public static Object read(Path file, long maxBytes) {
    requireReadable(file, maxBytes);
    try (InputStream in = Files.newInputStream(file)) {
      return parse(file, new BufferedInputStream(in));
    } catch (IOException e) {
      throw new FormatException(file, "cannot be read: " + e, e);
    }
  }

  /**
   * Reads a file that holds an object.
   *
   * @param file a regular file
   * @param maxBytes largest size that is accepted
   * @return the object
   * @throws FormatException if the file is missing, larger, no JSON, or holds something else
   */
  public static Map<String, Object> readObject(Path file, long maxBytes) {
    return object(file, read(file, maxBytes));
  }

  /**
   * Parses a part of a file that holds an object.
   *
   * @param origin the file, for messages
   * @param utf8 the part
   * @return the object
   * @throws FormatException if it is no JSON, or something other than an object
   */
  public static Map<String, Object> parseObject(Path origin, byte[] utf8) {
    try {
      return object(origin, parse(origin, new ByteArrayInputStream(utf8)));
    } catch (IOException e) {
      throw new FormatException(origin, "cannot be read: " + e, e);
    }
  }

  /**
   * Checks that a file can be read whole.
   *
   * @param file any path
   * @param maxBytes largest size that is accepted
   * @throws FormatException if it is missing, no regular file, or larger
   */
  public static void requireReadable(Path file, long maxBytes) {
    if (!Files.exists(file)) {
      throw new FormatException(file, "no such file");
    }
    if (!Files.isRegularFile(file)) {
      throw new FormatException(
          file, "is " + (Files.isDirectory(file) ? "a folder" : "a device") + ", expected a file");
    }
    long size;
    try {
      size = Files.size(file);
    } catch (IOException e) {
      throw new FormatException(file, "cannot be read: " + e, e);
    }
    if (size > maxBytes) {
      throw new FormatException(file, "has " + size + " bytes, expected at most " + maxBytes);
    }
  }

  /**
   * Writes a value, indented by two spaces.
   *
   * @param value as {@link #read} returns it; any other number and arrays of primitives too
   * @return JSON text that ends with a line feed
   * @throws InvalidInputException if it holds what JSON cannot express
   */
  public static String write(Object value) {
    StringWriter text = new StringWriter();
    JsonWriter out = new JsonWriter(text);
    out.setIndent("  ");
    out.setSerializeNulls(true);
    try {
      write(out, value);
    } catch (IOException | IllegalArgumentException e) {
      throw new InvalidInputException("cannot be written as JSON: " + e.getMessage());
    }
    return text.append('\n').toString();
  }

  private static void write(JsonWriter out, Object value) throws IOException {
    if (value == null) {
      out.nullValue();
    } else if (value instanceof Map<?, ?> map) {
      out.beginObject();
      for (Map.Entry<?, ?> entry : map.entrySet()) {
        out.name(String.valueOf(entry.getKey()));
        write(out, entry.getValue());
      }
      out.endObject();
    } else if (value instanceof Iterable<?> list) {
      out.beginArray();
      for (Object element : list) {
        write(out, element);
      }
      out.endArray();
    } else if (value.getClass().isArray()) {
      out.beginArray();
      for (int i = 0; i < Array.getLength(value); i++) {
        write(out, Array.get(value, i));
      }
      out.endArray();
    } else if (value instanceof Number number) {
      out.value(number);
    } else if (value instanceof Boolean bool) {
      out.value(bool);
    } else if (value instanceof String string) {
      out.value(string);
    } else {
      throw new IllegalArgumentException(value + " of " + value.getClass());
    }
  }

  /**
   * Describes a value for a message.
   *
   * @param value as {@link #read} returns it
   * @return at most a line, with its kind
   */
  public static String describe(Object value) {
    if (value instanceof Map<?, ?> map) {
      return "an object of " + map.size() + " fields";
    }
    if (value instanceof List<?> list) {
      return "an array of " + list.size() + " elements";
    }
    if (value instanceof String string) {
      return "the text \"" + shorten(string) + "\"";
    }
    return String.valueOf(value);
  }

  private static String shorten(String text) {
    return text.length() <= EXCERPT ? text : text.substring(0, EXCERPT) + "...";
  }

  private static Map<String, Object> object(Path origin, Object value) {
    if (!(value instanceof Map<?, ?>)) {
      throw new FormatException(origin, "holds " + describe(value) + ", expected a JSON object");
    }
    @SuppressWarnings("unchecked") // the parser puts nothing else into maps
    Map<String, Object> map = (Map<String, Object>) value;
    return map;
  }

  private static Object parse(Path origin, InputStream in) throws IOException {
    requireUtf8(origin, in);
    JsonReader reader =
        new JsonReader(
            new InputStreamReader(
                in,
                StandardCharsets.UTF_8
                    .newDecoder()
                    .onMalformedInput(CodingErrorAction.REPORT)
                    .onUnmappableCharacter(CodingErrorAction.REPORT)));
    reader.setStrictness(Strictness.STRICT);
    try {
      Object value = value(origin, reader, 0);
      if (reader.peek() != JsonToken.END_DOCUMENT) {
        throw new FormatException(origin, "goes on after the JSON value" + position(reader));
      }
      return value;
    } catch (CharacterCodingException e) {
      throw new FormatException(
          origin, "is not UTF-8 text; the fault lies after" + position(reader), e);
    } catch (EOFException e) {
      throw new FormatException(
          origin, "ends in the middle of the JSON" + position(reader) + "; copy it again", e);
    } catch (MalformedJsonException | NumberFormatException e) {
      throw new FormatException(origin, "is not valid JSON" + position(reader), e);
    }
  }

  /** Names the two encodings that editors choose by mistake; the decoder reports the rest. */
  private static void requireUtf8(Path origin, InputStream in) throws IOException {
    in.mark(4);
    int first = in.read();
    int second = in.read();
    int third = in.read();
    in.reset();
    if (first >= 0xFE || first == 0 || second == 0) {
      throw new FormatException(
          origin, "is UTF-16 or binary, expected UTF-8 text; save it as UTF-8");
    }
    if (first == 0xEF && second == 0xBB && third == 0xBF) {
      throw new FormatException(
          origin, "begins with a byte order mark; save it as UTF-8 without one");
    }
  }

  private static Object value(Path origin, JsonReader reader, int depth) throws IOException {
    if (depth > MAX_DEPTH) {
      throw new FormatException(
          origin, "is nested deeper than " + MAX_DEPTH + " levels" + position(reader));
    }
    JsonToken token = reader.peek();
    switch (token) {
      case BEGIN_OBJECT:
        return object(origin, reader, depth);
      case BEGIN_ARRAY:
        return array(origin, reader, depth);
      case STRING:
        return reader.nextString();
      case NUMBER:
        return number(origin, reader);
      case BOOLEAN:
        return reader.nextBoolean();
      case NULL:
        reader.nextNull();
        return null;
      default:
        throw new FormatException(origin, "is not valid JSON" + position(reader));
    }
  }

  private static Map<String, Object> object(Path origin, JsonReader reader, int depth)
      throws IOException {
    reader.beginObject();
    if (!reader.hasNext()) {
      reader.endObject();
      return Map.of(); // files of empty objects would otherwise cost many times their size
    }
    Map<String, Object> map = new LinkedHashMap<>();
    while (reader.hasNext()) {
      String name = reader.nextName();
      if (map.containsKey(name)) {
        throw new FormatException(
            origin, "has the key \"" + shorten(name) + "\" twice" + position(reader));
      }
      map.put(name, value(origin, reader, depth + 1));
    }
    reader.endObject();
    return Collections.unmodifiableMap(map);
  }

  private static List<Object> array(Path origin, JsonReader reader, int depth) throws IOException {
    reader.beginArray();
    if (!reader.hasNext()) {
      reader.endArray();
      return List.of();
    }
    ArrayList<Object> list = new ArrayList<>(2);
    while (reader.hasNext()) {
      list.add(value(origin, reader, depth + 1));
    }
    reader.endArray();
    return Collections.unmodifiableList(list);
  }

  private static Object number(Path origin, JsonReader reader) throws IOException {
    String text = reader.nextString();
    if (text.indexOf('.') < 0 && text.indexOf('e') < 0 && text.indexOf('E') < 0) {
      try {
        return Long.parseLong(text);
      } catch (NumberFormatException ignored) {
        // Beyond 64 bits: whoever needs an integer refuses the Double.
      }
    }
    double number = Double.parseDouble(text);
    if (Double.isInfinite(number)) {
      throw new FormatException(
          origin, "has a number beyond the range of doubles, " + shorten(text) + position(reader));
    }
    return number;
  }

  /** Where the reader stands; it says so in toString alone. */
  private static String position(JsonReader reader) {
    String text = reader.toString();
    int at = text.indexOf(" at line ");
    return at < 0 ? "" : shorten(text.substring(at));
  }
}
