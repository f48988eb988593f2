package dev.llama.cli;

import dev.llama.BackendException;
import dev.llama.spi.Availability;
import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.BackendProvider;
import java.util.Optional;

/** Backends to be listed, not to be run. */
public abstract class FakeBackend implements BackendProvider {
  private final String name;
  private final Availability availability;

  FakeBackend(String name, Availability availability) {
    this.name = name;
    this.availability = availability;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public Availability probe() {
    return availability;
  }

  @Override
  public Backend open(BackendOptions options) {
    throw new BackendException(name + " is a fake");
  }

  /** Cannot be used. */
  public static final class Absent extends FakeBackend {
    /** For ServiceLoader. */
    public Absent() {
      super("absent", Availability.unusable("no driver"));
    }
  }

  /** Works, with a loss. */
  public static final class Slow extends FakeBackend {
    /** For ServiceLoader. */
    public Slow() {
      super("slow", new Availability(10, "plain Java", Optional.of("add the jar for speed")));
    }
  }

  /** Works. */
  public static final class Fast extends FakeBackend {
    /** For ServiceLoader. */
    public Fast() {
      super("fast", Availability.usable(100, "kernels found"));
    }
  }
}
