package dev.llama.train.data;

import dev.llama.FormatException;
import dev.llama.core.json.Json;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;

/** Documents that are a field of the JSON object on each line. */
final class JsonLinesReader extends DocumentReader {
  private final String field;
  private final ByteBuilder bytes = new ByteBuilder();

  JsonLinesReader(Path file, ByteSource in, String field) {
    super(file, in);
    this.field = field;
  }

  @Override
  String next() throws IOException {
    while (true) {
      bytes.clear();
      long line = in.line();
      switch (in.readLine(bytes, MAX_DOCUMENT_BYTES)) {
        case NONE:
          return null;
        case TOO_LONG:
          throw tooLong(line, "cut it into several");
        default:
          break;
      }
      if (!bytes.isBlank(0)) {
        String text = text(parse(line), line);
        if (!text.isBlank()) {
          return text;
        }
      }
    }
  }

  private Map<String, Object> parse(long line) {
    decode(bytes, line); // faults of encoding are named better than JSON's parser does
    try {
      return Json.parseObject(file, Arrays.copyOf(bytes.array(), bytes.size()));
    } catch (FormatException e) {
      String problem = e.getMessage().substring(file.toString().length() + 2);
      String cure = "; expected one JSON object on each line";
      throw broken(line, problem.replace(" at line 1 column ", " at column ") + cure);
    }
  }

  private String text(Map<String, Object> object, long line) {
    Object value = object.get(field);
    if (value instanceof String text) {
      return text;
    }
    String found =
        object.containsKey(field)
            ? "the field \"" + field + "\" holds " + Json.describe(value)
            : "no field \"" + field + "\" among " + object.keySet();
    throw broken(line, found + ", expected the document's text; name the field that holds it");
  }
}
