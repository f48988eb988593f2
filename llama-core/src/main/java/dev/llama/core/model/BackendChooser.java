package dev.llama.core.model;

import dev.llama.BackendException;
import dev.llama.BackendInfo;
import dev.llama.BackendInfo.Candidate;
import dev.llama.ModelOptions;
import dev.llama.spi.Availability;
import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.BackendProvider;
import dev.llama.spi.Providers;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Finds the backends and opens the one that was asked for, or else the best that opens. */
public final class BackendChooser {
  private static final String PROPERTY = "llama.backend";

  private BackendChooser() {}

  /**
   * An open backend, and why it was chosen.
   *
   * @param backend to be closed by the caller
   * @param info its name, and the candidates
   */
  public record Choice(Backend backend, BackendInfo info) {}

  private record Probed(BackendProvider provider, String name, Availability availability)
      implements Comparable<Probed> {
    /** The best first; what is equal stays in its order. */
    @Override
    public int compareTo(Probed other) {
      return Integer.compare(other.availability.score(), availability.score());
    }
  }

  static Choice choose(ModelOptions options) {
    return choose(options, backend -> Optional.empty());
  }

  /**
   * Opens the backend that was asked for, or else the best that opens and is fit for the purpose.
   *
   * @param options name and threads
   * @param unfitness says what an open backend lacks for the purpose at hand; empty if nothing
   * @return the backend
   * @throws BackendException if there is none; says why each was passed over
   */
  public static Choice choose(ModelOptions options, Function<Backend, Optional<String>> unfitness) {
    List<Candidate> candidates = new ArrayList<>();
    List<Probed> probed = new ArrayList<>();
    List<Throwable> broken = new ArrayList<>();
    for (BackendProvider provider : Providers.find(BackendProvider.class, broken::add)) {
      probed.add(probe(provider));
    }
    for (Throwable e : broken) {
      candidates.add(new Candidate("?", 0, "cannot be loaded: " + e));
    }
    Collections.sort(probed);
    for (int i = 0; i < probed.size(); i++) {
      Probed p = probed.get(i);
      candidates.add(i, new Candidate(p.name, p.availability.score(), p.availability.reason()));
    }
    String property = System.getProperty(PROPERTY, "");
    return options.backend().isPresent() || !property.isEmpty()
        ? openNamed(
            options.backend().orElse(property), options.threads(), unfitness, probed, candidates)
        : openBest(options.threads(), unfitness, probed, candidates);
  }

  private static Probed probe(BackendProvider provider) {
    try {
      String name = Objects.requireNonNull(provider.name(), "name");
      return new Probed(provider, name, Availability.of(provider));
    } catch (RuntimeException | LinkageError e) {
      return new Probed(
          provider,
          provider.getClass().getName(),
          Availability.unusable("it cannot say its name: " + e));
    }
  }

  private static Choice openNamed(
      String wish,
      int threads,
      Function<Backend, Optional<String>> unfitness,
      List<Probed> probed,
      List<Candidate> candidates) {
    int colon = wish.indexOf(':');
    String name = colon < 0 ? wish : wish.substring(0, colon);
    Optional<String> variant =
        colon < 0 ? Optional.empty() : Optional.of(wish.substring(colon + 1));
    for (Probed p : probed) {
      if (p.name.equals(name)) {
        if (p.availability.score() == 0) {
          throw new BackendException(
              "backend " + wish + " cannot be used: " + p.availability.reason());
        }
        return open(p, new BackendOptions(variant, threads), unfitness, candidates);
      }
    }
    throw new BackendException(
        "there is no backend " + wish + "; add its jar, or choose one of: " + list(candidates));
  }

  private static Choice openBest(
      int threads,
      Function<Backend, Optional<String>> unfitness,
      List<Probed> probed,
      List<Candidate> candidates) {
    List<Candidate> reasons = new ArrayList<>(candidates);
    BackendException failure = null;
    for (int i = 0; i < probed.size() && probed.get(i).availability.score() > 0; i++) {
      Probed p = probed.get(i);
      try {
        Choice choice = open(p, new BackendOptions(Optional.empty(), threads), unfitness, reasons);
        if (failure != null) {
          log().warn("{}; falling back to {}", failure.getMessage(), p.name);
        }
        if (p.availability.loss().isPresent()) {
          log().warn("backend {}: {}", p.name, p.availability.loss().get());
        }
        return choice;
      } catch (BackendException e) {
        reasons.set(i, new Candidate(p.name, 0, e.getMessage()));
        failure = e;
      }
    }
    String reason =
        reasons.isEmpty()
            ? "none was found; add a backend, for instance the artifact dev.llama:backend-cpu"
            : list(reasons);
    throw new BackendException("no usable backend: " + reason, failure);
  }

  private static Choice open(
      Probed p,
      BackendOptions options,
      Function<Backend, Optional<String>> unfitness,
      List<Candidate> candidates) {
    try {
      Backend backend = p.provider.open(options);
      Optional<String> lacks = unfitness.apply(backend);
      if (lacks.isPresent()) {
        backend.close();
        throw new BackendException("backend " + p.name + " cannot be used: " + lacks.get());
      }
      return new Choice(backend, new BackendInfo(p.name, backend.description(), candidates));
    } catch (BackendException e) {
      throw e;
    } catch (RuntimeException | LinkageError e) {
      throw new BackendException("backend " + p.name + " cannot be opened: " + e, e);
    }
  }

  private static String list(List<Candidate> candidates) {
    StringBuilder text = new StringBuilder();
    for (Candidate c : candidates) {
      text.append(text.length() == 0 ? "" : "; ");
      text.append(c.name()).append(" (score ").append(c.score()).append(": ");
      text.append(c.reason()).append(')');
    }
    return text.length() == 0 ? "none was found" : text.toString();
  }

  /** Not a field: what logs nothing need not start the logging of the application. */
  private static Logger log() {
    return LoggerFactory.getLogger(BackendChooser.class);
  }
}
