package dev.llama.cli;

import dev.llama.ChatMessage;
import dev.llama.FinishReason;
import dev.llama.GeneratedToken;
import dev.llama.Generation;
import dev.llama.GenerationOptions;
import dev.llama.Model;
import dev.llama.Session;
import dev.llama.Specials;
import dev.llama.Tokenizer;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Continues a text, or answers as a chat model. */
@Command(
    name = "generate",
    description = {
      "Continues a text, or answers a message (--chat).",
      "",
      "The text goes to stdout as it is produced, the usage line to stderr. Ctrl-C ends the"
          + " generation; a second one kills."
    },
    customSynopsis = "llama generate [-m PATH] [OPTION]... [TEXT | -p TEXT | -f FILE]",
    sortOptions = false,
    optionListHeading = "%nOptions:%n",
    footerHeading = "%nExamples:%n",
    footer = {
      "  llama generate \"Once upon a time\"",
      "  llama generate -m stories260K --greedy -n 64 \"Once upon a time\"",
      "  llama generate -m Llama-3.2-1B-Instruct --chat --system \"Be brief.\" \"Who was Euler?\"",
      "  llama generate -m model.gguf -f prompt.txt --format json --logprobs 3",
      "",
      "Without -m a model of about a million parameters tells a story; it comes with llama.",
      "Without other options a model's generation_config.json says how tokens are chosen."
    })
final class GenerateCommand implements Callable<Integer> {
  private final Streams io;
  @Spec private CommandSpec spec;

  @ArgGroup(validate = false, order = 1, heading = "%nModel:%n")
  private ModelChoice model = new ModelChoice();

  @ArgGroup(order = 2, heading = "%nPrompt (stdin if none of these; one line end is dropped):%n")
  private TextSource source = new TextSource();

  @ArgGroup(validate = false, order = 3, heading = "%nLayout of the prompt:%n")
  private Layout layout = new Layout();

  @ArgGroup(validate = false, order = 4, heading = "%nLength:%n")
  private Length length = new Length();

  @ArgGroup(validate = false, order = 5, heading = "%nSampling:%n")
  private SamplingChoice sampling = new SamplingChoice();

  @Mixin private CommonOptions common;

  @Option(
      names = "--logprobs",
      paramLabel = "N",
      description = "With --format json: log-probability of each token and of N alternatives.")
  private Integer logprobs;

  GenerateCommand(Streams io) {
    this.io = io;
  }

  /** How a text becomes a prompt. */
  static final class Layout {
    @Option(names = "--chat", description = "The prompt is a message of the user.")
    private boolean chat;

    @Option(
        names = "--system",
        paramLabel = "TEXT",
        description = "With --chat: what the system message says.")
    private String system;

    @Option(
        names = "--special",
        description = "Special tokens in the prompt are special (default: ordinary text).")
    private boolean special;

    @Option(names = "--no-echo", description = "Print the continuation without the prompt.")
    private boolean noEcho;
  }

  /** When a generation ends. */
  static final class Length {
    @Option(
        names = {"-n", "--max-tokens"},
        paramLabel = "N",
        description = "At most N new tokens; -1 until the model stops or the context is full.")
    private Integer maxTokens;

    @Option(
        names = "--stop",
        paramLabel = "TEXT",
        description = "End before this text. Repeatable.")
    private List<String> stop = new ArrayList<>();

    @Option(names = "--ignore-eos", description = "Go on when the model stops.")
    private boolean ignoreEos;
  }

  @Override
  public Integer call() throws IOException {
    checkCombinations();
    String text = source.line(io, spec);
    try (Model loaded = model.loadOrBundled(io, spec);
        Session session = loaded.newSession(model.session(spec));
        Generation generation =
            session.generate(promptIds(loaded.tokenizer(), text), options(loaded))) {
      Interrupt.run(generation::cancel, () -> run(text, loaded, session, generation));
      boolean cancelled = generation.finishReason().orElseThrow() == FinishReason.CANCELLED;
      return cancelled ? Main.INTERRUPTED : 0;
    }
  }

  private void run(String text, Model loaded, Session session, Generation generation) {
    if (common.isJson()) {
      List<GeneratedToken> tokens = new ArrayList<>();
      generation.forEach(tokens::add);
      GenerationReport.json(io, text, loaded, session, generation, tokens);
    } else {
      stream(layout.chat || layout.noEcho ? "" : text, generation);
      GenerationReport.usage(io, loaded, generation, options(loaded).temperature() > 0);
    }
  }

  private void checkCombinations() {
    if (layout.chat && !model.isGiven()) {
      throw new ParameterException(
          spec.commandLine(),
          "--chat needs --model=PATH: the bundled model continues stories and has not learnt more");
    }
    if (layout.system != null && !layout.chat) {
      throw new ParameterException(spec.commandLine(), "--system needs --chat");
    }
    if (layout.special && layout.chat) {
      throw new ParameterException(
          spec.commandLine(),
          "--special and --chat exclude each other: messages are ordinary text");
    }
    if (logprobs != null && !common.isJson()) {
      throw new ParameterException(spec.commandLine(), "--logprobs needs --format json");
    }
    model.session(spec);
    options(GenerationOptions.defaults()); // wrong values are told before anything is loaded
  }

  private int[] promptIds(Tokenizer tokenizer, String text) {
    if (!layout.chat) {
      Specials specials = layout.special ? Specials.ALL : Specials.NONE;
      return TokenIds.withBos(tokenizer, tokenizer.encode(text, specials));
    }
    List<ChatMessage> messages = new ArrayList<>();
    if (layout.system != null) {
      messages.add(new ChatMessage("system", layout.system));
    }
    messages.add(new ChatMessage("user", text));
    return tokenizer.encodeChat(messages, true);
  }

  private GenerationOptions options(Model loaded) {
    return options(loaded.generationDefaults());
  }

  private GenerationOptions options(GenerationOptions defaults) {
    GenerationOptions options = sampling.apply(defaults, spec.commandLine());
    if (length.maxTokens != null) {
      int most = length.maxTokens == -1 ? Integer.MAX_VALUE : length.maxTokens;
      GenerationOptions before = options;
      options = checked("--max-tokens", () -> before.maxNewTokens(most));
    }
    if (!length.stop.isEmpty()) {
      GenerationOptions before = options;
      options = checked("--stop", () -> before.stopStrings(length.stop));
    }
    if (logprobs != null) {
      GenerationOptions before = options;
      options = checked("--logprobs", () -> before.logProbabilities(logprobs));
    }
    return length.ignoreEos ? options.ignoreModelStops(true) : options;
  }

  private <T> T checked(String option, Supplier<T> value) {
    return ModelChoice.checked(spec.commandLine(), option, value);
  }

  private void stream(String echo, Generation generation) {
    io.out().print(echo);
    io.flush();
    int printed = 0;
    for (GeneratedToken token : generation) {
      io.out().print(token.text());
      io.flush();
      printed += token.text().length();
    }
    // What was held back, should it have become a stop string or a whole character.
    io.out().print(generation.text().substring(printed));
    io.out().println();
    io.flush();
  }
}
