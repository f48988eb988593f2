package dev.llama.cli;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonPrimitive;

/** Results as JSON. */
final class Json {
  private static final Gson GSON =
      new GsonBuilder().disableHtmlEscaping().serializeNulls().setPrettyPrinting().create();

  private Json() {}

  /** Prints a document and ends the line. */
  static void print(Streams io, JsonElement document) {
    io.out().print(text(document));
    io.flush();
  }

  /** A document that ends with a line feed. */
  static String text(JsonElement document) {
    return GSON.toJson(document) + "\n";
  }

  /** JSON knows no NaN and no infinity: they become null. */
  static JsonElement number(double value) {
    return Double.isFinite(value) ? new JsonPrimitive(value) : JsonNull.INSTANCE;
  }

  /** As {@link #number(double)}, with no more digits than a float has. */
  static JsonElement number(float value) {
    return Float.isFinite(value) ? new JsonPrimitive(value) : JsonNull.INSTANCE;
  }

  static JsonArray ids(int[] ids) {
    JsonArray array = new JsonArray(ids.length);
    for (int id : ids) {
      array.add(id);
    }
    return array;
  }
}
