package dev.llama.cli;

import dev.llama.ContextOverflowException;
import dev.llama.FinishReason;
import dev.llama.GeneratedToken;
import dev.llama.Generation;
import dev.llama.GenerationOptions;
import dev.llama.LogitsConsumer;
import dev.llama.Session;
import dev.llama.TokenProbability;
import dev.llama.Usage;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;

/** Every token is followed by its successor with logit 2, by any other with logit 0. */
final class FakeSession implements Session {
  static final String CONTINUATION = " there was é.";
  static GenerationOptions lastOptions;

  /** Sizes of the windows that were run. */
  final List<Integer> windows = new ArrayList<>();

  private final int contextSize;
  private final List<Integer> tokens = new ArrayList<>();

  FakeSession(int contextSize) {
    this.contextSize = contextSize;
  }

  @Override
  public void append(int... ids) {
    append(ids, (position, logits) -> {});
  }

  @Override
  public void append(int[] ids, LogitsConsumer consumer) {
    if (tokens.size() + ids.length > contextSize) {
      throw new ContextOverflowException(tokens.size() + ids.length, contextSize);
    }
    windows.add(ids.length);
    for (int id : ids) {
      tokens.add(id);
      consumer.accept(tokens.size() - 1, logits());
    }
  }

  @Override
  public float[] logits() {
    float[] logits = new float[258];
    logits[(tokens.get(tokens.size() - 1) + 1) % logits.length] = 2;
    return logits;
  }

  @Override
  public Generation generate(CharSequence prompt, GenerationOptions options) {
    throw new UnsupportedOperationException("commands encode prompts themselves");
  }

  @Override
  public Generation generate(int[] prompt, GenerationOptions options) {
    lastOptions = options;
    append(prompt);
    return new FakeGeneration(prompt.length, options);
  }

  @Override
  public int position() {
    return tokens.size();
  }

  @Override
  public int contextSize() {
    return contextSize;
  }

  @Override
  public int[] tokens() {
    return tokens.stream().mapToInt(Integer::intValue).toArray();
  }

  @Override
  public void rewind(int position) {
    tokens.subList(position, tokens.size()).clear();
  }

  @Override
  public Session fork() {
    throw new UnsupportedOperationException("no command forks");
  }

  @Override
  public void close() {}

  /** One byte a token, the end-of-text token last; each text is held back by one token. */
  private final class FakeGeneration implements Generation, Iterator<GeneratedToken> {
    private final byte[] bytes = CONTINUATION.getBytes(StandardCharsets.UTF_8);
    private final int promptTokens;
    private final GenerationOptions options;
    private final StringBuilder text = new StringBuilder();
    private int produced;
    private FinishReason reason;

    FakeGeneration(int promptTokens, GenerationOptions options) {
      this.promptTokens = promptTokens;
      this.options = options;
    }

    @Override
    public Iterator<GeneratedToken> iterator() {
      return this;
    }

    @Override
    public boolean hasNext() {
      if (reason == null && produced == options.maxNewTokens()) {
        reason = FinishReason.LENGTH;
      } else if (reason == null && produced > bytes.length) {
        reason = FinishReason.STOP;
      }
      return reason == null;
    }

    @Override
    public GeneratedToken next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      int before = certain().length();
      int id = produced < bytes.length ? bytes[produced] & 0xff : FakeTokenizer.EOS;
      produced++;
      tokens.add(id);
      String fresh = certain().substring(before);
      text.append(fresh);
      boolean wanted = options.logProbabilities() >= 0;
      return new GeneratedToken(
          id,
          fresh,
          wanted ? -0.5f : Float.NaN,
          wanted ? List.of(new TokenProbability(id, -0.5f)) : List.of());
    }

    /** Whole characters only: the rest of the text is certain at its end. */
    private String certain() {
      String all = new String(bytes, 0, Math.min(produced, bytes.length), StandardCharsets.UTF_8);
      return all.endsWith("\ufffd") ? all.substring(0, all.length() - 1) : all;
    }

    @Override
    public String text() {
      return reason == null
          ? text.toString()
          : new String(bytes, 0, Math.min(produced, bytes.length), StandardCharsets.UTF_8);
    }

    @Override
    public void cancel() {
      reason = FinishReason.CANCELLED;
    }

    @Override
    public Optional<FinishReason> finishReason() {
      return Optional.ofNullable(reason);
    }

    @Override
    public Optional<String> stopString() {
      return Optional.empty();
    }

    @Override
    public long seed() {
      return options.seed().orElse(99);
    }

    @Override
    public Usage usage() {
      return new Usage(promptTokens, produced, 0.5, 2);
    }

    @Override
    public void close() {}
  }
}
