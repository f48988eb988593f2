package dev.llama.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.llama.GeneratedToken;
import dev.llama.Generation;
import dev.llama.Model;
import dev.llama.Session;
import dev.llama.TokenProbability;
import dev.llama.Tokenizer;
import dev.llama.Usage;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** What a finished generation was, and what it took. */
final class GenerationReport {
  private GenerationReport() {}

  /** Prints one line to stderr; the seed is told where it had a say. */
  static void usage(Streams io, Model model, Generation generation, boolean random) {
    Usage usage = generation.usage();
    io.err()
        .println(
            "llama: prompt "
                + Units.plural(usage.promptTokens(), "token")
                + speed(usage.prefillTokensPerSecond())
                + ", generated "
                + Units.plural(usage.generatedTokens(), "token")
                + speed(usage.decodeTokensPerSecond())
                + " in "
                + Units.seconds(usage.prefillSeconds() + usage.decodeSeconds())
                + ", finish: "
                + reason(generation)
                + (random ? ", seed " + generation.seed() : "")
                + ", backend "
                + model.backend().name());
  }

  private static String speed(double tokensPerSecond) {
    return tokensPerSecond > 0 ? " (" + Units.decimals(tokensPerSecond, 1) + " tokens/s)" : "";
  }

  private static String reason(Generation generation) {
    return generation.finishReason().orElseThrow().name().toLowerCase(Locale.ROOT);
  }

  /** Prints one JSON object to stdout. */
  static void json(
      Streams io,
      String prompt,
      Model model,
      Session session,
      Generation generation,
      List<GeneratedToken> tokens) {
    int[] all = session.tokens();
    int[] ids = tokens.stream().mapToInt(GeneratedToken::id).toArray();
    JsonObject json = new JsonObject();
    json.addProperty("prompt", prompt);
    json.add("prompt_ids", Json.ids(Arrays.copyOf(all, Math.max(0, all.length - ids.length))));
    json.add("ids", Json.ids(ids));
    json.addProperty("text", generation.text());
    json.addProperty("finish_reason", reason(generation));
    generation.stopString().ifPresent(stop -> json.addProperty("stop_string", stop));
    json.addProperty("seed", generation.seed());
    json.addProperty("backend", model.backend().name());
    json.add("usage", usage(generation.usage()));
    if (tokens.stream().anyMatch(token -> !Float.isNaN(token.logProbability()))) {
      JsonArray steps = new JsonArray();
      tokens.forEach(token -> steps.add(step(model.tokenizer(), token)));
      json.add("logprobs", steps);
    }
    Json.print(io, json);
  }

  private static JsonObject usage(Usage usage) {
    JsonObject json = new JsonObject();
    json.addProperty("prompt_tokens", usage.promptTokens());
    json.addProperty("generated_tokens", usage.generatedTokens());
    json.add("prefill_seconds", Json.number(usage.prefillSeconds()));
    json.add("decode_seconds", Json.number(usage.decodeSeconds()));
    json.add("prefill_tokens_per_second", Json.number(usage.prefillTokensPerSecond()));
    json.add("decode_tokens_per_second", Json.number(usage.decodeTokensPerSecond()));
    return json;
  }

  private static JsonObject step(Tokenizer tokenizer, GeneratedToken token) {
    JsonObject step = probability(tokenizer, token.id(), token.logProbability());
    JsonArray top = new JsonArray();
    for (TokenProbability other : token.alternatives()) {
      top.add(probability(tokenizer, other.id(), other.logProbability()));
    }
    step.add("top", top);
    return step;
  }

  private static JsonObject probability(Tokenizer tokenizer, int id, float logProbability) {
    JsonObject json = new JsonObject();
    json.addProperty("id", id);
    json.addProperty("piece", tokenizer.piece(id));
    json.add("logprob", Json.number(logProbability));
    return json;
  }
}
