package dev.llama.core.model;

import dev.llama.BackendInfo;
import dev.llama.DType;
import dev.llama.FormatException;
import dev.llama.GenerationOptions;
import dev.llama.InvalidInputException;
import dev.llama.Model;
import dev.llama.ModelConfig;
import dev.llama.RopeScaling;
import dev.llama.Session;
import dev.llama.SessionOptions;
import dev.llama.Tokenizer;
import dev.llama.core.config.RopeFrequencies;
import dev.llama.spi.Backend;
import dev.llama.spi.RopeTable;
import dev.llama.spi.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.WeakHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A model whose weights are on its backend. */
final class LoadedModel implements Model {

  /** What a model consists of, besides the weights. */
  record Parts(
      Path path,
      ModelConfig config,
      Optional<Tokenizer> tokenizer,
      GenerationOptions generationDefaults,
      Set<Integer> stopIds,
      RopeTable.Pairing pairing) {}

  private final Parts parts;
  private final Backend backend;
  private final BackendInfo backendInfo;
  private final AutoCloseable files;
  private final Weights weights;
  private final WorkspacePool workspaces;
  private final RopeTable rope;

  /** Weak, so that a session that its user forgot can still be collected. */
  private final Set<InferenceSession> sessions =
      Collections.synchronizedSet(Collections.newSetFromMap(new WeakHashMap<>()));

  private final AtomicBoolean warnedOfDynamicRope = new AtomicBoolean();
  private boolean closed;

  /**
   * Takes possession of backend, files and weights: they are closed with the model.
   *
   * @param files keeps the mapping of the weights valid
   */
  LoadedModel(Parts parts, BackendChooser.Choice choice, AutoCloseable files, Weights weights) {
    this.parts = parts;
    this.backend = choice.backend();
    this.backendInfo = choice.info();
    this.files = files;
    this.weights = weights;
    Decoder decoder = new Decoder(parts.config(), weights, backend.ops());
    rope = newRopeTable();
    updateRope(rope, 1);
    workspaces =
        new WorkspacePool(rows -> new Workspace(backend, parts.config(), decoder, rope, rows));
  }

  /** Makes a table whose frequencies are still to be set. */
  RopeTable newRopeTable() {
    Tensor frequencies = backend.allocate(DType.F32, parts.config().headDim() / 2);
    return new RopeTable(frequencies, RopeFrequencies.magnitude(parts.config()), parts.pairing());
  }

  /** Sets the frequencies that hold for a sequence of that length. */
  void updateRope(RopeTable table, int sequenceLength) {
    float[] frequencies = RopeFrequencies.inverseFrequencies(parts.config(), sequenceLength);
    ByteBuffer bytes =
        ByteBuffer.allocateDirect(frequencies.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(frequencies);
    backend.write(table.inverseFrequencies(), bytes);
  }

  /** Whether the frequencies of a sequence of that length are not those of a short one. */
  boolean ropeDependsOn(int sequenceLength) {
    return parts.config().ropeScaling() instanceof RopeScaling.Dynamic
        && sequenceLength > parts.config().maxPositionEmbeddings();
  }

  RopeTable rope() {
    return rope;
  }

  /** Says once what dynamic scaling costs. */
  void warnOfDynamicRope() {
    if (warnedOfDynamicRope.compareAndSet(false, true)) {
      log()
          .warn(
              "{}: dynamic rope scaling: beyond {} positions the whole sequence is run again"
                  + " whenever it grows; a shorter context, or a model with llama3 or yarn scaling,"
                  + " avoids that",
              parts.path(),
              parts.config().maxPositionEmbeddings());
    }
  }

  Backend computeBackend() {
    return backend;
  }

  WorkspacePool workspaces() {
    return workspaces;
  }

  Optional<Tokenizer> findTokenizer() {
    return parts.tokenizer();
  }

  Set<Integer> stopIds() {
    return parts.stopIds();
  }

  @Override
  public ModelConfig config() {
    return parts.config();
  }

  @Override
  public Tokenizer tokenizer() {
    return parts
        .tokenizer()
        .orElseThrow(
            () ->
                new FormatException(
                    parts.path(),
                    "there is no tokenizer (tokenizer.model or tokenizer.json); put it beside the"
                        + " weights, pass one by ModelOptions.tokenizer, or use token ids"));
  }

  @Override
  public GenerationOptions generationDefaults() {
    return parts.generationDefaults();
  }

  @Override
  public BackendInfo backend() {
    return backendInfo;
  }

  @Override
  public Session newSession(SessionOptions options) {
    requireOpen();
    int longest = parts.config().longestContext();
    if (options.contextSize() > longest) {
      throw new InvalidInputException(
          "contextSize is " + options.contextSize() + ", the model has at most " + longest);
    }
    InferenceSession session;
    try {
      session = new InferenceSession(this, options);
    } catch (InvalidInputException e) {
      requireOpen(); // closed meanwhile: then that is the reason
      throw e;
    }
    return register(session);
  }

  private synchronized void requireOpen() {
    if (closed) {
      throw new InvalidInputException("the model " + parts.path() + " is closed");
    }
  }

  /** Adds a session to those that are closed with the model. */
  synchronized InferenceSession register(InferenceSession session) {
    if (closed) {
      session.close();
      requireOpen();
    }
    sessions.add(session);
    return session;
  }

  void unregister(InferenceSession session) {
    sessions.remove(session);
  }

  @Override
  public void close() {
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
    }
    List<InferenceSession> open;
    synchronized (sessions) {
      open = new ArrayList<>(sessions);
    }
    open.forEach(InferenceSession::close);
    workspaces.close();
    rope.inverseFrequencies().close();
    weights.close();
    backend.close();
    CoreModelLoader.closeQuietly(files);
  }

  /** Not a field: what logs nothing need not start the logging of the application. */
  private static Logger log() {
    return LoggerFactory.getLogger(LoadedModel.class);
  }
}
