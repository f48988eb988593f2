package dev.llama.cli;

import dev.llama.ContextOverflowException;
import dev.llama.LlamaException;
import java.io.IOException;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import picocli.CommandLine;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/** The command line {@code llama}. */
public final class Main {
  /** What a shell reports for a process that Ctrl-C ended. */
  static final int INTERRUPTED = 130;

  /** What a shell reports for a process whose reader had gone. */
  private static final int BROKEN_PIPE = 141;

  private final Streams io;
  private final LlamaCommand llama = new LlamaCommand();

  Main(Streams io) {
    this.io = io;
  }

  /**
   * Runs a command and ends the process with its exit code.
   *
   * @param args command, options and parameters
   */
  public static void main(String[] args) {
    Streams io = Streams.ofProcess();
    // Warnings of the library go there too, and name files in any script.
    System.setErr(new PrintStream(io.err(), true, StandardCharsets.UTF_8));
    System.exit(new Main(io).run(args));
  }

  /** Runs a command; returns the exit code: 0, 1 for failures, 2 for wrong usage. */
  int run(String... args) {
    try {
      int exitCode = commandLine().execute(args);
      if (exitCode == ExitCode.OK) {
        io.flush(); // a failure has been reported by now, a failing stdout too
      }
      return exitCode;
    } catch (Throwable e) { // errors too: one line is all that a user is shown
      return failed(e);
    }
  }

  /** The commands and what they have in common. */
  CommandLine commandLine() {
    CommandLine commandLine =
        new CommandLine(llama)
            .addSubcommand(new GenerateCommand(io))
            .addSubcommand(new TokenizeCommand(io))
            .addSubcommand(new InspectCommand(io))
            .addSubcommand(new PlanCommand(io))
            .addSubcommand(new ServeModelsCommand(io))
            .addSubcommand(new PresetsCommand(io))
            .addSubcommand(new BenchCommand(io))
            .addSubcommand(new EvalCommand(io))
            .addSubcommand(new QuantizeCommand(io))
            .addSubcommand(new TrainCommand(io))
            .addSubcommand(new TrainTokenizerCommand(io))
            .addSubcommand(new GenerateStoriesCommand(io))
            .addSubcommand(new GenerateDnaCommand(io))
            .addSubcommand(new BackendsCommand(io))
            .addSubcommand(new CommandLine.HelpCommand());
    return commandLine
        .setOut(new PrintWriter(io.out(), true))
        .setErr(new PrintWriter(io.err(), true))
        .setColorScheme(CommandLine.Help.defaultColorScheme(ansi()))
        .setCaseInsensitiveEnumValuesAllowed(true)
        .setAbbreviatedOptionsAllowed(false)
        .setUsageHelpAutoWidth(false)
        .setUsageHelpWidth(100)
        .setExecutionStrategy(this::execute)
        .setParameterExceptionHandler(Main::wrongUsage)
        .setExecutionExceptionHandler((e, command, parsed) -> failed(e));
  }

  private Ansi ansi() {
    boolean colour = io.outIsTerminal() && System.getenv("NO_COLOR") == null;
    return colour ? Ansi.AUTO : Ansi.OFF;
  }

  private int execute(ParseResult parsed) {
    if (llama.verbose()) {
      // Read by slf4j-simple when the first logger is made, which is later.
      System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "debug");
    }
    return new CommandLine.RunLast().execute(parsed);
  }

  private static int wrongUsage(ParameterException e, String[] args) {
    CommandLine command = e.getCommandLine();
    PrintWriter err = command.getErr();
    err.println("llama: " + oneLine(e.getMessage()).replaceFirst("^Error: ", ""));
    UnmatchedArgumentException.printSuggestions(e, err);
    err.println("Try '" + command.getCommandSpec().qualifiedName() + " --help'.");
    return ExitCode.USAGE;
  }

  private int failed(Throwable e) {
    if (io.readerHasGone()) {
      return BROKEN_PIPE;
    }
    io.err().println("llama: " + describe(e));
    if (llama.verbose()) {
      e.printStackTrace(io.err());
    }
    return ExitCode.SOFTWARE;
  }

  /** One line that says what went wrong. */
  static String describe(Throwable e) {
    String message = e.getMessage() == null ? "" : e.getMessage();
    if (e instanceof UncheckedIOException unchecked) {
      return describe(unchecked.getCause());
    } else if (e instanceof ContextOverflowException overflow) {
      return "context overflow: "
          + overflow.required()
          + " positions are needed, it has "
          + overflow.available()
          + "; shorten the prompt, or raise --context (at most what 'llama inspect' says)";
    } else if (e instanceof LlamaException) {
      return oneLine(message);
    } else if (e instanceof NoSuchFileException) {
      return message + ": no such file";
    } else if (e instanceof AccessDeniedException) {
      return message + ": permission denied";
    } else if (e instanceof IOException) {
      return message.isEmpty() ? e.getClass().getSimpleName() : oneLine(message);
    } else if (e instanceof OutOfMemoryError) {
      return "out of memory ("
          + oneLine(message)
          + "); the Java heap may take "
          + Units.bytes(Runtime.getRuntime().maxMemory())
          + ": use a smaller --context, or set JAVA_TOOL_OPTIONS=-Xmx<size>";
    }
    return "internal error, please report it with the output of --verbose: "
        + oneLine(e.toString());
  }

  private static String oneLine(String message) {
    return message.replaceAll("\\s*\\R\\s*", " ").trim();
  }
}
