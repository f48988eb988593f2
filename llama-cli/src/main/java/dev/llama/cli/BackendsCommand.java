package dev.llama.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.llama.spi.Availability;
import dev.llama.spi.BackendProvider;
import dev.llama.spi.Providers;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** What could run a model here. */
@Command(
    name = "backends",
    description = {
      "Lists the compute backends that were found, and which one would be chosen.",
      "",
      "The best score wins, unless --backend or -Dllama.backend names another; 0 is unusable."
    },
    customSynopsis = "llama backends [OPTION]...",
    sortOptions = false,
    optionListHeading = "%nOptions:%n",
    footerHeading = "%nExamples:%n",
    footer = {"  llama backends", "  llama backends --format json"})
final class BackendsCommand implements Callable<Integer> {
  private final Streams io;
  @Mixin private CommonOptions common;

  BackendsCommand(Streams io) {
    this.io = io;
  }

  /** A backend and what it says about this machine. */
  private record Found(String name, Availability availability) {}

  @Override
  public Integer call() {
    List<String> broken = new ArrayList<>();
    List<Found> found = new ArrayList<>();
    for (BackendProvider provider :
        Providers.find(BackendProvider.class, e -> broken.add(String.valueOf(e.getMessage())))) {
      found.add(new Found(provider.name(), Availability.of(provider)));
    }
    found.sort(Comparator.comparingInt((Found f) -> f.availability().score()).reversed());
    Optional<String> demanded =
        Optional.ofNullable(System.getProperty("llama.backend")).filter(name -> !name.isEmpty());
    Optional<String> chosen =
        demanded.isPresent()
            ? demanded
            : found.stream().filter(f -> f.availability().score() > 0).findFirst().map(Found::name);
    if (common.isJson()) {
      json(found, broken, chosen);
    } else {
      text(found, broken, chosen);
    }
    return 0;
  }

  private void text(List<Found> found, List<String> broken, Optional<String> chosen) {
    Table table = new Table("lrl").row("backend", "score", "reason");
    for (Found backend : found) {
      Availability availability = backend.availability();
      table.row(backend.name(), availability.score(), availability.reason());
      availability.loss().ifPresent(loss -> table.row("", "", loss));
    }
    table.print(io.out());
    broken.forEach(reason -> io.out().println("  cannot be loaded: " + reason));
    io.out().println();
    io.out().println(chosen.map(name -> "chosen: " + name).orElse("no usable backend"));
    io.flush();
  }

  private void json(List<Found> found, List<String> broken, Optional<String> chosen) {
    JsonArray backends = new JsonArray();
    for (Found backend : found) {
      JsonObject entry = new JsonObject();
      entry.addProperty("name", backend.name());
      entry.addProperty("score", backend.availability().score());
      entry.addProperty("reason", backend.availability().reason());
      backend.availability().loss().ifPresent(loss -> entry.addProperty("loss", loss));
      backends.add(entry);
    }
    JsonArray unloadable = new JsonArray();
    broken.forEach(unloadable::add);
    JsonObject json = new JsonObject();
    json.addProperty("chosen", chosen.orElse(null));
    json.add("backends", backends);
    json.add("broken", unloadable);
    Json.print(io, json);
  }
}
