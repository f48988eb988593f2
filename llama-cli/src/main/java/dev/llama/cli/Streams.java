package dev.llama.cli;

import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** Where commands read and write. Text is UTF-8 whatever the locale says. */
final class Streams {
  private final InputStream in;
  private final Sink sink;
  private final PrintStream out;
  private final PrintStream err;
  private final boolean inIsTerminal;
  private final boolean outIsTerminal;
  private final boolean errIsTerminal;

  private Streams(
      InputStream in,
      OutputStream out,
      OutputStream err,
      boolean inIsTerminal,
      boolean outIsTerminal,
      boolean errIsTerminal) {
    this.in = in;
    this.sink = new Sink(out);
    this.out = new PrintStream(sink, false, StandardCharsets.UTF_8);
    this.err = new PrintStream(err, true, StandardCharsets.UTF_8);
    this.inIsTerminal = inIsTerminal;
    this.outIsTerminal = outIsTerminal;
    this.errIsTerminal = errIsTerminal;
  }

  /** Streams of which none is a terminal. */
  static Streams of(InputStream in, OutputStream out, OutputStream err) {
    return new Streams(in, out, err, false, false, false);
  }

  /** The streams of the process. */
  static Streams ofProcess() {
    return new Streams(
        new FileInputStream(FileDescriptor.in),
        new FileOutputStream(FileDescriptor.out),
        new FileOutputStream(FileDescriptor.err),
        isTerminal(0),
        isTerminal(1),
        isTerminal(2));
  }

  InputStream in() {
    return in;
  }

  /** Results. Buffered: call {@link #flush()}. */
  PrintStream out() {
    return out;
  }

  /** Everything about the run that is not its result. */
  PrintStream err() {
    return err;
  }

  boolean inIsTerminal() {
    return inIsTerminal;
  }

  boolean outIsTerminal() {
    return outIsTerminal;
  }

  boolean errIsTerminal() {
    return errIsTerminal;
  }

  /**
   * Writes out what is buffered.
   *
   * @throws UncheckedIOException if anything since the last call could not be written
   */
  void flush() {
    if (out.checkError() && sink.failure != null) {
      throw new UncheckedIOException(
          new IOException("cannot write the output: " + sink.failure.getMessage(), sink.failure));
    }
  }

  /** Whether the reader of the results has gone, as {@code head} does when it has enough. */
  boolean readerHasGone() {
    if (sink.failure == null || sink.failure.getMessage() == null) {
      return false;
    }
    String message = sink.failure.getMessage().toLowerCase(Locale.ROOT);
    return message.contains("pipe"); // "Broken pipe"; on Windows "The pipe is being closed"
  }

  /** The JDK tells about stdin and stdout together at most; Linux tells about each. */
  private static boolean isTerminal(int descriptor) {
    Path link = Path.of("/proc/self/fd/" + descriptor);
    if (Files.isSymbolicLink(link)) {
      try {
        String target = Files.readSymbolicLink(link).toString();
        return target.startsWith("/dev/pts/")
            || target.startsWith("/dev/tty")
            || target.equals("/dev/console");
      } catch (IOException e) {
        return false;
      }
    }
    return System.console() != null && consoleIsTerminal();
  }

  /** From JDK 22 on there is a console object even where there is no terminal. */
  private static boolean consoleIsTerminal() {
    try {
      return (boolean) java.io.Console.class.getMethod("isTerminal").invoke(System.console());
    } catch (NoSuchMethodException e) {
      return true;
    } catch (ReflectiveOperationException e) {
      return false;
    }
  }

  /** Keeps the exception that PrintStream swallows. */
  private static final class Sink extends FilterOutputStream {
    private IOException failure;

    Sink(OutputStream out) {
      super(out);
    }

    @Override
    public void write(int b) throws IOException {
      write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      try {
        out.write(bytes, offset, length);
      } catch (IOException e) {
        if (failure == null) {
          failure = e;
        }
        throw e;
      }
    }
  }
}
