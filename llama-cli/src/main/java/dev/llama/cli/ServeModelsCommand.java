package dev.llama.cli;

import dev.llama.core.catalogue.Catalogue;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** A folder of layer-specs over HTTP. */
@Command(
    name = "serve-models",
    description = {
      "Serves a folder of layer-specs over HTTP, read only, until Ctrl-C.",
      "",
      "GET /models lists them, GET /models/MODEL_ID returns one. Files may change meanwhile. There"
          + " is no encryption and no password: other machines see it only with --host."
    },
    customSynopsis = "llama serve-models [OPTION]... DIR",
    sortOptions = false,
    parameterListHeading = "%nCatalogue:%n",
    optionListHeading = "%nOptions:%n",
    footerHeading = "%nExamples:%n",
    footer = {
      "  llama serve-models models --port 8080",
      "  curl http://127.0.0.1:8080/models/meta-llama_Llama-3.2-1B"
    })
final class ServeModelsCommand implements Callable<Integer> {
  private static final int MAX_PORT = 65535;

  private final Streams io;
  @Spec private CommandSpec spec;

  @Parameters(index = "0", paramLabel = "DIR", description = "Folder of layer-spec files.")
  private Path folder;

  @Option(
      names = "--port",
      required = true,
      paramLabel = "N",
      description = "Port; 0 picks a free one. Required.")
  private int port;

  @Option(
      names = "--host",
      paramLabel = "ADDRESS",
      defaultValue = "127.0.0.1",
      description = "Address to listen at (default: 127.0.0.1, this machine alone).")
  private String host;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this help.")
  private boolean help;

  ServeModelsCommand(Streams io) {
    this.io = io;
  }

  @Override
  public Integer call() throws IOException {
    if (port < 0 || port > MAX_PORT) {
      throw new ParameterException(
          spec.commandLine(),
          "Invalid value for option '--port': " + port + ", expected 0 to " + MAX_PORT);
    }
    Catalogue catalogue = Catalogue.open(folder);
    catalogue
        .faults()
        .forEach((file, fault) -> io.err().println("llama: left out: " + Main.describe(fault)));
    try (ModelServer server = start(catalogue)) {
      InetSocketAddress address = server.address();
      String name = address.getAddress().getHostAddress();
      io.out()
          .println(
              "Serving "
                  + Units.plural(catalogue.ids().size(), "model")
                  + " at http://"
                  + (name.contains(":") ? "[" + name + "]" : name)
                  + ":"
                  + address.getPort()
                  + "/models");
      io.flush();
      awaitInterrupt();
    }
    return Main.INTERRUPTED;
  }

  private ModelServer start(Catalogue catalogue) throws IOException {
    InetAddress address;
    try {
      address = InetAddress.getByName(host);
    } catch (UnknownHostException e) {
      throw new IOException("there is no address " + host + " to listen at", e);
    }
    try {
      return new ModelServer(
          catalogue,
          new InetSocketAddress(address, port),
          fault -> io.err().println("llama: " + fault));
    } catch (IOException e) {
      throw new IOException(
          "cannot listen at "
              + host
              + " port "
              + port
              + ": "
              + e.getMessage()
              + "; choose another --port, or 0 for a free one",
          e);
    }
  }

  private static void awaitInterrupt() {
    CountDownLatch interrupted = new CountDownLatch(1);
    Interrupt.run(
        interrupted::countDown,
        () -> {
          try {
            interrupted.await();
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // whoever runs this thread wants it to end
          }
        });
  }
}
