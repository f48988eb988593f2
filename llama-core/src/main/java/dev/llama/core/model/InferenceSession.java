package dev.llama.core.model;

import dev.llama.CancelledException;
import dev.llama.ContextOverflowException;
import dev.llama.Generation;
import dev.llama.GenerationOptions;
import dev.llama.InvalidInputException;
import dev.llama.LogitsConsumer;
import dev.llama.ModelConfig;
import dev.llama.Session;
import dev.llama.SessionOptions;
import dev.llama.Tokenizer;
import dev.llama.spi.KvCache;
import dev.llama.spi.KvShape;
import dev.llama.spi.RopeTable;
import java.util.Arrays;
import java.util.Objects;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;

/**
 * A sequence of tokens, of which the first {@code computed} are in the KV cache. The rest is
 * pending: it runs when something needs its keys or its logits, so that the last token of a
 * generation costs nothing until the conversation goes on.
 */
final class InferenceSession implements Session {
  private static final BooleanSupplier NEVER = () -> false;

  private final LoadedModel model;
  private final SessionOptions options;
  private final int contextSize;
  private final KvCache cache;

  /** Held while tokens run, so that close can wait for the chunk in progress. */
  private final ReentrantLock running = new ReentrantLock();

  private int[] tokens = new int[64];
  private int length;
  private int computed;
  private final float[] logits; // [vocab], behind token computed - 1
  private boolean logitsValid;
  private int choice; // the id that the backend chose, where only that was asked for
  private RopeTable ownRope; // for dynamic scaling beyond the original context; null until needed
  private int ropeLength; // sequence length that the cached keys' rotation holds for, 0 for any
  private TokenGeneration generation; // the last one begun, or null
  private volatile boolean closed;
  private boolean released;

  InferenceSession(LoadedModel model, SessionOptions options) {
    this(model, options, null);
  }

  private InferenceSession(LoadedModel model, SessionOptions options, KvCache forked) {
    ModelConfig config = model.config();
    this.model = model;
    this.options = options;
    contextSize = options.contextSize() == 0 ? config.contextLength() : options.contextSize();
    logits = new float[config.vocabSize()];
    cache =
        forked != null
            ? forked
            : model
                .computeBackend()
                .newKvCache(
                    new KvShape(
                        config.numHiddenLayers(),
                        config.numKeyValueHeads(),
                        config.headDim(),
                        options.kvCacheType(),
                        contextSize));
  }

  @Override
  public void append(int... tokens) {
    append(Objects.requireNonNull(tokens, "tokens"), null, NEVER);
  }

  @Override
  public void append(int[] tokens, LogitsConsumer consumer) {
    append(
        Objects.requireNonNull(tokens, "tokens"),
        Objects.requireNonNull(consumer, "consumer"),
        NEVER);
  }

  /**
   * Appends and runs tokens, or does neither.
   *
   * @param consumer receives the logits behind each of the tokens, or {@code null}
   * @param cancelled asked before each chunk
   * @throws CancelledException if it was
   */
  void append(int[] added, LogitsConsumer consumer, BooleanSupplier cancelled) {
    begin();
    try {
      check(added);
      int start = length;
      makeRoom(added.length);
      System.arraycopy(added, 0, tokens, length, added.length);
      length += added.length;
      try {
        run(start, consumer, cancelled);
      } catch (RuntimeException | Error e) {
        forgetFrom(start);
        throw e;
      }
    } finally {
      end();
    }
  }

  /** Appends a token that runs when its logits are asked for. The context has room for it. */
  void push(int token) {
    begin();
    try {
      makeRoom(1);
      tokens[length++] = token;
      logitsValid = false;
    } finally {
      end();
    }
  }

  private void makeRoom(int added) {
    if (length + added > tokens.length) {
      int doubled = (int) Math.min(2L * tokens.length, contextSize);
      tokens = Arrays.copyOf(tokens, Math.max(length + added, doubled));
    }
  }

  /** Checks that tokens may follow those already there. */
  void check(int[] added) {
    int vocabulary = model.config().vocabSize();
    for (int i = 0; i < added.length; i++) {
      if (added[i] < 0 || added[i] >= vocabulary) {
        throw new InvalidInputException(
            "token " + i + " is " + added[i] + ", the vocabulary has ids 0 to " + (vocabulary - 1));
      }
    }
    if (added.length > contextSize - length) {
      long required = (long) length + added.length;
      throw new ContextOverflowException((int) Math.min(Integer.MAX_VALUE, required), contextSize);
    }
  }

  /** Runs the pending tokens; hands out the logits of those from {@code reportFrom} on. */
  private void run(int reportFrom, LogitsConsumer consumer, BooleanSupplier cancelled) {
    run(reportFrom, consumer, cancelled, null);
  }

  /** As {@link #run}; of the last token's logits, only what is chosen from them may be wanted. */
  private void run(
      int reportFrom, LogitsConsumer consumer, BooleanSupplier cancelled, Choice wanted) {
    RopeTable rope = prepareRope();
    while (computed < length) {
      requireNotStopped(cancelled);
      int rows = Math.min(options.prefillChunk(), length - computed);
      cache.reserve(computed + rows);
      Workspace workspace = model.workspaces().acquire(rows);
      try {
        runChunk(workspace, rows, rope, reportFrom, consumer, wanted);
      } finally {
        model.workspaces().release(workspace);
      }
    }
  }

  private void requireNotStopped(BooleanSupplier cancelled) {
    if (closed || cancelled.getAsBoolean()) {
      throw new CancelledException(
          closed ? "the session was closed while it ran" : "the generation was cancelled");
    }
  }

  /**
   * Chooses the rotary frequencies. With dynamic scaling they depend on the length of the whole
   * sequence once that exceeds the original context; every cached key was then rotated by others,
   * and the sequence is run again from its start.
   */
  private RopeTable prepareRope() {
    int needed = model.ropeDependsOn(length) ? length : 0;
    if (needed != ropeLength) {
      computed = 0;
      cache.truncate(0);
      ropeLength = needed;
    }
    if (needed == 0) {
      return model.rope();
    }
    if (ownRope == null) {
      model.warnOfDynamicRope();
      ownRope = model.newRopeTable();
    }
    model.updateRope(ownRope, length);
    return ownRope;
  }

  private void runChunk(
      Workspace workspace,
      int rows,
      RopeTable rope,
      int reportFrom,
      LogitsConsumer consumer,
      Choice wanted) {
    workspace.batch().clear();
    workspace.batch().add(cache, tokens, computed, rows, computed);
    workspace.batch().commit();
    int end = computed + rows;
    logitsValid = false;
    if (consumer != null && end > reportFrom) {
      int from = Math.max(computed, reportFrom);
      workspace.forward(rows, rope, from - computed);
      report(workspace, computed, from, end, consumer);
    } else if (end == length && wanted != null) {
      workspace.forwardToChoice(rows, rope, wanted);
      choice = workspace.readChoice();
    } else if (end == length) {
      workspace.forwardToLogits(rows, rope);
      workspace.readLogits(0, logits);
    } else {
      workspace.forward(rows, rope, rows);
      workspace.await();
    }
    computed = end;
    logitsValid = computed == length && wanted == null;
  }

  /** Hands out the logits of positions [from, to) of a chunk. */
  private void report(
      Workspace workspace, int chunkStart, int from, int to, LogitsConsumer consumer) {
    float[] row = new float[logits.length];
    for (int position = from; position < to; position += workspace.logitRows()) {
      int count = Math.min(workspace.logitRows(), to - position);
      workspace.logits(position - chunkStart, count);
      for (int i = 0; i < count; i++) {
        workspace.readLogits(i, row);
        if (position + i == length - 1) {
          System.arraycopy(row, 0, logits, 0, row.length);
        }
        consumer.accept(position + i, row);
        requireNotStopped(NEVER);
      }
    }
  }

  @Override
  public float[] logits() {
    return currentLogits(NEVER).clone();
  }

  /** The logits behind the last token, run if need be; valid until the next call. */
  float[] currentLogits(BooleanSupplier cancelled) {
    begin();
    try {
      makeLogitsPending();
      run(length, null, cancelled);
      return logits;
    } finally {
      end();
    }
  }

  /** Whether {@link #choose} can be called: the logits are not on the host already. */
  boolean canChoose(boolean drawn) {
    return !logitsValid && (!drawn || model.computeBackend().sampleOp().isPresent());
  }

  /**
   * Chooses from the logits behind the last token where they are: nothing else leaves the device.
   *
   * @param wanted how
   * @return an id, or {@link dev.llama.spi.Draw#NOTHING}
   */
  int choose(Choice wanted, BooleanSupplier cancelled) {
    begin();
    try {
      makeLogitsPending();
      run(length, null, cancelled, wanted);
      return choice;
    } finally {
      end();
    }
  }

  /** Lets the last token run again, if it has run without its logits. */
  private void makeLogitsPending() {
    if (length == 0) {
      throw new InvalidInputException("the session is empty: append a token before its logits");
    }
    if (!logitsValid && computed == length) {
      computed = length - 1;
      cache.truncate(computed);
    }
  }

  @Override
  public Generation generate(CharSequence prompt, GenerationOptions generationOptions) {
    Tokenizer tokenizer = model.tokenizer();
    int[] ids = tokenizer.encode(Objects.requireNonNull(prompt, "prompt"));
    if (position() == 0 && tokenizer.addsBos() && tokenizer.bos().isPresent()) {
      int[] withBos = new int[ids.length + 1];
      withBos[0] = tokenizer.bos().getAsInt();
      System.arraycopy(ids, 0, withBos, 1, ids.length);
      ids = withBos;
    }
    return generate(ids, generationOptions);
  }

  @Override
  public Generation generate(int[] prompt, GenerationOptions generationOptions) {
    Objects.requireNonNull(prompt, "prompt");
    Objects.requireNonNull(generationOptions, "options");
    begin();
    try {
      check(prompt);
      if (prompt.length == 0 && length == 0) {
        throw new InvalidInputException(
            "there is nothing to continue: prompt and session are empty");
      }
      if (generation != null) {
        generation.cancel();
      }
      generation =
          new TokenGeneration(
              this,
              prompt.clone(),
              generationOptions,
              model.findTokenizer(),
              model.stopIds(),
              model.config().vocabSize());
      return generation;
    } finally {
      end();
    }
  }

  @Override
  public int position() {
    return length;
  }

  @Override
  public int contextSize() {
    return contextSize;
  }

  @Override
  public int[] tokens() {
    return Arrays.copyOf(tokens, length);
  }

  /** The last tokens, at most that many. */
  int[] lastTokens(int count) {
    return Arrays.copyOfRange(tokens, Math.max(0, length - count), length);
  }

  @Override
  public void rewind(int position) {
    begin();
    try {
      if (position < 0 || position > length) {
        throw new InvalidInputException(
            "cannot rewind to " + position + ", the session holds 0 to " + length + " tokens");
      }
      if (position < length) {
        forgetFrom(position);
      }
    } finally {
      end();
    }
  }

  private void forgetFrom(int position) {
    length = position;
    logitsValid = false;
    if (computed > position) {
      computed = position;
    }
    if (cache.length() > computed) {
      cache.truncate(computed);
    }
  }

  @Override
  public Session fork() {
    begin();
    try {
      InferenceSession copy = new InferenceSession(model, options, cache.fork());
      copy.tokens = tokens.clone();
      copy.length = length;
      copy.computed = computed;
      copy.ropeLength = ropeLength;
      copy.logitsValid = logitsValid;
      System.arraycopy(logits, 0, copy.logits, 0, logits.length);
      return model.register(copy);
    } finally {
      end();
    }
  }

  boolean isClosed() {
    return closed;
  }

  private void begin() {
    running.lock();
    if (closed) {
      end();
      throw new InvalidInputException("the session is closed");
    }
    if (running.getHoldCount() > 1) {
      end();
      throw new InvalidInputException(
          "the session is in use by the very call whose LogitsConsumer runs; a consumer may only"
              + " close it");
    }
  }

  private void end() {
    if (closed && running.getHoldCount() == 1) {
      release();
    }
    running.unlock();
  }

  @Override
  public void close() {
    closed = true;
    // A call in progress on this very thread (a consumer that closes) releases on its way out.
    if (!running.isHeldByCurrentThread()) {
      running.lock();
      end();
    }
  }

  private void release() {
    if (!released) {
      released = true;
      cache.close();
      if (ownRope != null) {
        ownRope.inverseFrequencies().close();
      }
      model.unregister(this);
    }
  }
}
