package dev.llama.cli;

import static java.util.stream.Collectors.joining;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.llama.Specials;
import dev.llama.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Text to token ids, or back. */
@Command(
    name = "tokenize",
    description = {
      "Turns text into token ids, or token ids into text (--decode).",
      "",
      "The text is taken as it is, line ends included."
    },
    customSynopsis = {
      "llama tokenize -m PATH [OPTION]... [TEXT | -p TEXT | -f FILE]",
      "       llama tokenize -m PATH [OPTION]... --decode [ID]..."
    },
    sortOptions = false,
    optionListHeading = "%nOptions:%n",
    footerHeading = "%nExamples:%n",
    footer = {
      "  llama tokenize -m stories260K \"Once upon a time\"",
      "  llama tokenize -m tokenizer.model --pieces -f text.txt",
      "  llama tokenize -m stories260K --decode 403 407 261 378"
    })
final class TokenizeCommand implements Callable<Integer> {
  private final Streams io;
  @Spec private CommandSpec spec;

  @Option(
      names = {"-m", "--model"},
      required = true,
      paramLabel = "PATH",
      description = "Model folder, .gguf file, tokenizer.model or tokenizer.json.")
  private Path path;

  @ArgGroup(heading = "%nText (stdin if none of these):%n")
  private TextSource source = new TextSource();

  @Option(names = "--special", description = "Special tokens in the text are special.")
  private boolean special;

  @Option(names = "--bos", description = "Begin as a prompt does, where the tokenizer says so.")
  private boolean bos;

  @Option(names = "--pieces", description = "One token a line: id and piece of the vocabulary.")
  private boolean pieces;

  @Option(
      names = "--decode",
      arity = "0..*",
      paramLabel = "ID",
      description = "The other way: the text of these ids (stdin if none are given).")
  private List<String> decode;

  @Mixin private CommonOptions common;

  TokenizeCommand(Streams io) {
    this.io = io;
  }

  @Override
  public Integer call() throws IOException {
    if (decode != null && (special || bos)) {
      throw new ParameterException(
          spec.commandLine(), "--decode and --special or --bos exclude each other");
    }
    return decode == null ? encode() : decode();
  }

  private int encode() throws IOException {
    String text = source.text(io, spec);
    Tokenizer tokenizer = Tokenizer.load(path);
    int[] encoded = tokenizer.encode(text, special ? Specials.ALL : Specials.NONE);
    int[] ids = bos ? TokenIds.withBos(tokenizer, encoded) : encoded;
    if (common.isJson()) {
      Json.print(io, json(tokenizer, ids));
    } else if (pieces) {
      printPieces(tokenizer, ids);
    } else {
      io.out().println(Arrays.stream(ids).mapToObj(Integer::toString).collect(joining(" ")));
    }
    return 0;
  }

  private int decode() throws IOException {
    String given = decode.isEmpty() ? source.text(io, spec) : String.join(" ", decode);
    int[] ids = TokenIds.parse(given, "--decode");
    Tokenizer tokenizer = Tokenizer.load(path);
    String text = tokenizer.decode(ids);
    if (common.isJson()) {
      JsonObject json = json(tokenizer, ids);
      json.addProperty("text", text);
      Json.print(io, json);
    } else if (pieces) {
      printPieces(tokenizer, ids);
    } else {
      io.out().println(text);
    }
    return 0;
  }

  private JsonObject json(Tokenizer tokenizer, int[] ids) {
    JsonObject json = new JsonObject();
    json.addProperty("count", ids.length);
    json.add("ids", Json.ids(ids));
    if (pieces) {
      JsonArray array = new JsonArray();
      Arrays.stream(ids).mapToObj(tokenizer::piece).forEach(array::add);
      json.add("pieces", array);
    }
    return json;
  }

  private void printPieces(Tokenizer tokenizer, int[] ids) {
    Table table = new Table("rl");
    for (int id : ids) {
      table.row(id, visible(tokenizer.piece(id)));
    }
    table.print(io.out());
  }

  /** One line for each piece, whatever is in it. */
  private static String visible(String piece) {
    StringBuilder text = new StringBuilder();
    piece
        .codePoints()
        .forEach(
            c -> {
              if (Character.isISOControl(c)) {
                text.append(String.format("\\u%04x", c));
              } else {
                text.appendCodePoint(c);
              }
            });
    return text.toString();
  }
}
