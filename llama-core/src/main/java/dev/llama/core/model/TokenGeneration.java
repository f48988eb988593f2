package dev.llama.core.model;

import dev.llama.CancelledException;
import dev.llama.FinishReason;
import dev.llama.GeneratedToken;
import dev.llama.Generation;
import dev.llama.GenerationOptions;
import dev.llama.InvalidInputException;
import dev.llama.TokenProbability;
import dev.llama.Tokenizer;
import dev.llama.Usage;
import dev.llama.spi.Draw;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.Set;

/** One run of a session: sample, append, repeat. */
final class TokenGeneration implements Generation, Iterator<GeneratedToken> {
  /** Tokens before the generated ones that a decoder may need to know: one character's bytes. */
  private static final int DECODER_CONTEXT = 4;

  private final InferenceSession session;
  private final int[] prompt;
  private final GenerationOptions options;
  private final Optional<Tokenizer> tokenizer;
  private final Set<Integer> modelStopIds;
  private final Sampler sampler;
  private final StringBuilder text = new StringBuilder();

  private TextStream stream; // null before the prompt has run, and without a tokenizer
  private GeneratedToken next;
  private FinishReason finish;
  private volatile boolean cancelled;
  private boolean started;
  private int generated;
  private long prefillNanos;
  private long decodeNanos;

  TokenGeneration(
      InferenceSession session,
      int[] prompt,
      GenerationOptions options,
      Optional<Tokenizer> tokenizer,
      Set<Integer> modelStopIds,
      int vocabSize) {
    this.session = session;
    this.prompt = prompt;
    this.options = options;
    this.tokenizer = tokenizer;
    this.modelStopIds = modelStopIds;
    sampler = new Sampler(options, vocabSize);
    if (!options.stopStrings().isEmpty() && !tokenizer.isPresent()) {
      throw new InvalidInputException(
          "stopStrings need a tokenizer, but the model has none; pass one by"
              + " ModelOptions.tokenizer, or use stopIds");
    }
  }

  @Override
  public Iterator<GeneratedToken> iterator() {
    return this;
  }

  @Override
  public boolean hasNext() {
    if (next == null && finish == null) {
      next = advance();
    }
    return next != null;
  }

  @Override
  public GeneratedToken next() {
    if (!hasNext()) {
      throw new NoSuchElementException("the generation has ended: " + finish);
    }
    GeneratedToken token = next;
    next = null;
    text.append(token.text());
    return token;
  }

  /** Produces the next token, or ends the generation and returns {@code null}. */
  private GeneratedToken advance() {
    try {
      if (stopRequested()) {
        return end(FinishReason.CANCELLED);
      }
      if (!started) {
        prefill();
      }
      if (generated == options.maxNewTokens() || session.position() == session.contextSize()) {
        return end(FinishReason.LENGTH);
      }
      long start = System.nanoTime();
      GeneratedToken token = choose();
      decodeNanos += generated > 1 ? System.nanoTime() - start : 0;
      return token;
    } catch (CancelledException e) {
      return end(FinishReason.CANCELLED);
    } catch (RuntimeException | Error e) {
      // Whatever it was, the state between session, sampler and text is no longer to be relied on.
      finish = FinishReason.CANCELLED;
      if (e instanceof InvalidInputException && session.isClosed()) {
        return end(FinishReason.CANCELLED);
      }
      throw e;
    }
  }

  private boolean stopRequested() {
    return cancelled || session.isClosed();
  }

  private void prefill() {
    long start = System.nanoTime();
    session.append(prompt, null, this::stopRequested);
    session.currentLogits(this::stopRequested);
    prefillNanos = System.nanoTime() - start;
    if (tokenizer.isPresent()) {
      Tokenizer.Decoder decoder = tokenizer.get().newDecoder();
      int size = tokenizer.get().vocabularySize();
      for (int id : session.lastTokens(DECODER_CONTEXT)) {
        if (id < size) {
          decoder.append(id);
        }
      }
      stream = new TextStream(decoder, options.stopStrings());
    }
    started = true;
  }

  private GeneratedToken choose() {
    if (sampler.leavesScoresAlone() && session.canChoose(!sampler.isGreedy())) {
      int id = session.choose(sampler.nextChoice(), this::stopRequested);
      if (id == Draw.NOTHING) {
        throw Sampler.nothingToChoose();
      }
      return accept(id, Float.NaN, List.of());
    }
    float[] logits = session.currentLogits(this::stopRequested);
    int id = sampler.sample(logits, session.lastTokens(sampler.historyWanted()));
    float logProbability = Float.NaN;
    List<TokenProbability> alternatives = List.of();
    if (options.logProbabilities() >= 0) {
      double logSumExp = Sampler.logSumExp(logits);
      logProbability = (float) (logits[id] - logSumExp);
      alternatives = sampler.likeliest(logits, options.logProbabilities(), logSumExp);
    }
    return accept(id, logProbability, alternatives);
  }

  private GeneratedToken accept(int id, float logProbability, List<TokenProbability> alternatives) {
    boolean stop =
        options.stopIds().contains(id)
            || (!options.ignoreModelStops() && modelStopIds.contains(id));
    String piece = "";
    if (stream != null && !stop && id < tokenizer.get().vocabularySize()) {
      piece = stream.append(id);
      stop = stream.stop().isPresent();
    }
    session.push(id);
    generated++;
    if (stop) {
      finish = FinishReason.STOP;
    } else if (generated == options.maxNewTokens() || session.position() == session.contextSize()) {
      finish = FinishReason.LENGTH;
    }
    if (finish != null && stream != null) {
      piece += stream.flush();
    }
    return new GeneratedToken(id, piece, logProbability, alternatives);
  }

  private GeneratedToken end(FinishReason reason) {
    finish = reason;
    if (stream != null) {
      text.append(stream.flush());
    }
    return null;
  }

  @Override
  public String text() {
    endIfCancelled();
    return text.toString();
  }

  /** Nobody need ask for another token to learn that there will be none. */
  private void endIfCancelled() {
    if (finish == null && next == null && stopRequested()) {
      end(FinishReason.CANCELLED);
    }
  }

  @Override
  public void cancel() {
    cancelled = true;
  }

  @Override
  public Optional<FinishReason> finishReason() {
    endIfCancelled();
    return Optional.ofNullable(finish);
  }

  @Override
  public Optional<String> stopString() {
    return stream == null ? Optional.empty() : stream.stop();
  }

  @Override
  public long seed() {
    return sampler.seed();
  }

  @Override
  public Usage usage() {
    return new Usage(
        started ? prompt.length : 0, generated, prefillNanos * 1e-9, decodeNanos * 1e-9);
  }

  @Override
  public void close() {
    cancel();
  }
}
