package dev.llama.cli;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.util.Enumeration;

/**
 * Runs the command line inside the test.
 *
 * @param exitCode what the process would end with
 * @param out what went to stdout
 * @param err what went to stderr
 */
record Cli(int exitCode, String out, String err) {

  /** With the fakes of this package in place of everything that is on the class path. */
  static Cli fake(String... args) {
    return fakeWithInput("", args);
  }

  static Cli fakeWithInput(String stdin, String... args) {
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    thread.setContextClassLoader(new FakeServices());
    try {
      return runWith(stdin, args);
    } finally {
      thread.setContextClassLoader(before);
    }
  }

  /** With what is on the class path. */
  static Cli real(String... args) {
    return runWith("", args);
  }

  static Cli runWith(String stdin, String... args) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    int exitCode = run(stdin, out, err, args);
    return new Cli(
        exitCode, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
  }

  static int run(String stdin, OutputStream out, OutputStream err, String... args) {
    byte[] in = stdin.getBytes(StandardCharsets.UTF_8);
    return new Main(Streams.of(new ByteArrayInputStream(in), out, err)).run(args);
  }

  JsonObject json() {
    return JsonParser.parseString(out).getAsJsonObject();
  }

  /** Serves the service files below {@code fakes/} instead of those of the class path. */
  private static final class FakeServices extends URLClassLoader {
    FakeServices() {
      super(
          new URL[] {Cli.class.getClassLoader().getResource("fakes/")}, Cli.class.getClassLoader());
    }

    @Override
    public Enumeration<URL> getResources(String name) throws IOException {
      Enumeration<URL> own = findResources(name);
      return own.hasMoreElements() ? own : super.getResources(name);
    }
  }
}
