package dev.llama.train.data;

import dev.llama.FormatException;
import dev.llama.Tokenizer;
import dev.llama.TrainingException;
import dev.llama.core.json.Json;
import dev.llama.train.BatchSource;
import dev.llama.train.TokenBatch;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalInt;

/**
 * Packs documents into rows, one behind the other, so that no position is wasted. The last token of
 * a document is only ever a target. A document that does not fit goes on in the next row.
 */
final class PackedSource implements BatchSource {
  private static final Path STATE = Path.of("state of the data");

  private final DocumentStream stream;
  private final long documents;
  private final boolean endless;
  private final Map<String, Object> identity;
  private final Tokenizer tokenizer;
  private final OptionalInt begin;
  private final OptionalInt end;

  private DocumentStream.Place place; // of the document in `tokens`
  private int[] tokens = new int[0]; // what has begun but not ended
  private int at; // the next input among them
  private boolean closed;

  /**
   * Creates a source at the beginning of the data.
   *
   * @param documents how many the stream has in a pass
   * @param endless whether another pass follows the first
   * @param identity what a state must have in common with this source
   * @param begin put before each document
   * @param end put behind each document
   */
  PackedSource(
      DocumentStream stream,
      long documents,
      boolean endless,
      Map<String, Object> identity,
      Tokenizer tokenizer,
      OptionalInt begin,
      OptionalInt end) {
    this.stream = stream;
    this.documents = documents;
    this.endless = endless;
    this.identity = identity;
    this.tokenizer = tokenizer;
    this.begin = begin;
    this.end = end;
    this.place = stream.place();
  }

  @Override
  public boolean next(TokenBatch batch) {
    if (closed) {
      throw new TrainingException("the source of batches has been closed");
    }
    batch.clear();
    boolean any = false;
    for (int row = 0; row < batch.rows(); row++) {
      any |= fillRow(batch, row * batch.length());
    }
    return any;
  }

  /** Fills a row; returns whether there was anything to put into it. */
  private boolean fillRow(TokenBatch batch, int start) {
    int filled = 0;
    for (int number = 0; filled < batch.length() && advance(); number++) {
      int count = Math.min(tokens.length - 1 - at, batch.length() - filled);
      int to = start + filled;
      System.arraycopy(tokens, at, batch.tokens(), to, count);
      System.arraycopy(tokens, at + 1, batch.targets(), to, count);
      Arrays.fill(batch.documents(), to, to + count, number);
      at += count;
      filled += count;
    }
    return filled > 0;
  }

  /** Goes on to a document that has an input and a target left; false at the end of the data. */
  private boolean advance() {
    long passes = stream.place().pass();
    while (at >= tokens.length - 1) {
      if (!endless && stream.place().pass() > 0) {
        return false;
      }
      if (stream.place().pass() > passes + 1) {
        throw new TrainingException(
            "no document has two tokens, so that one could be predicted from the other; choose"
                + " longer documents, or tokens that begin and end a text");
      }
      place = stream.place();
      tokens = encode(stream.next());
      at = 0;
    }
    return true;
  }

  private int[] encode(String document) {
    int[] ids = tokenizer.encode(document);
    int[] framed = new int[ids.length + (begin.isPresent() ? 1 : 0) + (end.isPresent() ? 1 : 0)];
    int first = begin.isPresent() ? 1 : 0;
    begin.ifPresent(id -> framed[0] = id);
    System.arraycopy(ids, 0, framed, first, ids.length);
    end.ifPresent(id -> framed[framed.length - 1] = id);
    return framed;
  }

  @Override
  public String state() {
    boolean between = at >= tokens.length - 1;
    DocumentStream.Place next = between ? stream.place() : place;
    Map<String, Object> state = new LinkedHashMap<>(identity);
    state.put("pass", next.pass());
    state.put("window", next.window());
    state.put("document", next.document());
    state.put("token", between ? 0 : at);
    return Json.write(state).replaceAll("\\s*\\n\\s*", " ").trim();
  }

  @Override
  public void restore(String state) {
    Map<String, Object> values;
    try {
      values = Json.parseObject(STATE, state.getBytes(StandardCharsets.UTF_8));
    } catch (FormatException e) {
      throw new TrainingException(e.getMessage() + "; it does not come from these data", e);
    }
    identity.forEach((name, value) -> requireSame(name, value, values.get(name)));
    long pass = number(values, "pass", endless ? Long.MAX_VALUE : 1);
    int window = (int) number(values, "window", Integer.MAX_VALUE);
    int document = (int) number(values, "document", Integer.MAX_VALUE);
    int token = (int) number(values, "token", Integer.MAX_VALUE);
    DocumentStream.Place target = new DocumentStream.Place(pass, window, document);
    if (!stream.has(target)) {
      throw new TrainingException(STATE + ": there is no document at " + target);
    }
    stream.moveTo(target);
    place = target;
    tokens = new int[0];
    at = 0;
    if (token > 0) {
      tokens = encode(stream.next());
      at = token;
      if (at >= tokens.length) {
        throw new TrainingException(
            STATE + ": token " + at + " of a document of " + tokens.length + " tokens");
      }
    }
  }

  private static void requireSame(String name, Object expected, Object found) {
    if (!String.valueOf(expected).equals(String.valueOf(found))) {
      throw new TrainingException(
          "the data are not those of the checkpoint: "
              + name
              + " is "
              + expected
              + " and was "
              + found
              + "; resume with the same files and options, or start a new run from its weights");
    }
  }

  private static long number(Map<String, Object> values, String name, long most) {
    if (values.get(name) instanceof Long number && number >= 0 && number <= most) {
      return number;
    }
    throw new TrainingException(
        STATE + ": " + name + " is " + values.get(name) + ", expected 0 to " + most);
  }

  @Override
  public double epochs() {
    return stream.place().pass() + (double) stream.done() / documents;
  }

  @Override
  public void close() {
    closed = true;
  }
}
