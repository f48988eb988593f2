package dev.llama.cli;

import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** What stands before the name of a command. */
@Command(
    name = "llama",
    description = "Runs Llama-family models.",
    versionProvider = LlamaCommand.Version.class,
    synopsisSubcommandLabel = "COMMAND",
    commandListHeading = "%nCommands:%n",
    optionListHeading = "%nOptions:%n",
    footerHeading = "%nExamples:%n",
    footer = {
      "  llama generate \"Once upon a time\"",
      "  llama generate -m Llama-3.2-1B-Instruct --chat \"Why is the sky blue?\"",
      "  llama inspect Llama-3.2-1B-Instruct",
      "  llama bench -m model.gguf -p 512 -n 64",
      "",
      "A model is a folder with config.json and safetensors weights, or one .gguf file.",
      "'llama help COMMAND' says more about a command.",
      "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C."
    })
final class LlamaCommand implements Runnable {
  @Spec private CommandSpec spec;

  @Option(
      names = {"-v", "--verbose"},
      scope = ScopeType.INHERIT,
      description = "Log what is done; show where an error comes from.")
  private boolean verbose;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this help.")
  private boolean help;

  @Option(
      names = {"-V", "--version"},
      versionHelp = true,
      description = "Show the version.")
  private boolean version;

  boolean verbose() {
    return verbose;
  }

  /** Without a command, the help. */
  @Override
  public void run() {
    spec.commandLine().usage(spec.commandLine().getOut());
  }

  /** The version of the jar, and of what it runs on. */
  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      String version = Main.class.getPackage().getImplementationVersion();
      if (version == null) {
        version = Main.class.getModule().isNamed() ? moduleVersion() : "development";
      }
      return new String[] {
        "llama " + version,
        "Java "
            + Runtime.version()
            + ", "
            + System.getProperty("os.name")
            + " "
            + System.getProperty("os.arch")
            + ", picocli "
            + CommandLine.VERSION
      };
    }

    private static String moduleVersion() {
      return Main.class.getModule().getDescriptor().rawVersion().orElse("development");
    }
  }
}
