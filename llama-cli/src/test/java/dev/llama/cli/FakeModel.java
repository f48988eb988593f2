package dev.llama.cli;

import dev.llama.BackendInfo;
import dev.llama.GenerationOptions;
import dev.llama.Layer;
import dev.llama.Model;
import dev.llama.ModelConfig;
import dev.llama.RopeScaling;
import dev.llama.Session;
import dev.llama.SessionOptions;
import dev.llama.Tokenizer;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/** Continues every text with the same words. */
final class FakeModel implements Model {
  static final int CONTEXT = 64;

  private final Tokenizer tokenizer = new FakeTokenizer();
  SessionOptions sessionOptions;

  static ModelConfig configuration() {
    return new ModelConfig(
        List.of("LlamaForCausalLM"),
        "llama",
        258,
        64,
        172,
        5,
        8,
        4,
        8,
        "silu",
        "gated",
        Layer.NormKind.RMS_NORM,
        CONTEXT,
        1e-5,
        0.02,
        true,
        false,
        false,
        0,
        10000,
        new RopeScaling.None(),
        OptionalInt.empty(),
        OptionalInt.of(FakeTokenizer.BOS),
        List.of(FakeTokenizer.EOS),
        OptionalInt.empty(),
        1,
        true,
        Optional.of("float32"),
        Optional.empty(),
        Map.of("novel_field", 7));
  }

  @Override
  public ModelConfig config() {
    return configuration();
  }

  @Override
  public Tokenizer tokenizer() {
    return tokenizer;
  }

  @Override
  public GenerationOptions generationDefaults() {
    return GenerationOptions.defaults().temperature(0.6f).topP(0.9f);
  }

  @Override
  public BackendInfo backend() {
    return new BackendInfo("fake", "a fake", List.of());
  }

  @Override
  public Session newSession(SessionOptions options) {
    sessionOptions = options;
    return new FakeSession(options.contextSize() == 0 ? CONTEXT : options.contextSize());
  }

  @Override
  public void close() {}
}
