package dev.llama.cli;

import com.google.gson.JsonObject;
import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import dev.llama.train.data.BytePairTrainer;
import dev.llama.train.data.BytePairVocabulary;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** A vocabulary from one's own text. */
@Command(
    name = "train-tokenizer",
    description = {
      "Makes a byte-level byte-pair vocabulary out of text: tokenizer.model, a file of tiktoken"
          + " ranks with the split pattern of Llama 3.",
      "",
      "The 256 single bytes come first, then the merges, most frequent first, then special tokens."
          + " The same text gives the same vocabulary."
    },
    customSynopsis = {
      "llama train-tokenizer --vocab-size N --out DIR [OPTION]... FILE...",
      "       llama train-tokenizer --bytes-only --out DIR [--special-tokens N]"
    },
    sortOptions = false,
    optionListHeading = "%nOptions:%n",
    footerHeading = "%nExamples:%n",
    footer = {
      "  llama train-tokenizer --vocab-size 4096 --out my-tokenizer stories.txt more/",
      "  llama train-tokenizer --vocab-size 8000 --json-field story --out t data.jsonl.gz",
      "  llama train-tokenizer --bytes-only --out nucleotides"
    })
final class TrainTokenizerCommand implements Callable<Integer> {
  private static final int LLAMA3_SPECIAL_TOKENS = 256;

  private final Streams io;
  @Spec private CommandSpec spec;

  @Parameters(
      paramLabel = "FILE",
      arity = "0..*",
      description = "Text, .jsonl or FASTA files, also .gz, or folders of them.")
  private List<Path> files = new ArrayList<>();

  @Option(
      names = "--vocab-size",
      paramLabel = "N",
      description = "Number of tokens, special ones included: vocab_size of the model.")
  private Integer size;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "Where tokenizer.model goes; made if it is not there.")
  private Path folder;

  @Option(
      names = "--special-tokens",
      paramLabel = "N",
      description =
          "The first N of Llama 3's 256 special tokens, at least 2: begin and end of text"
              + " (default: 256; with --bytes-only: 0).")
  private Integer specialTokens;

  @Option(
      names = "--bytes-only",
      description = "No merges: the 256 bytes are the vocabulary, as for nucleotides.")
  private boolean bytesOnly;

  @Option(names = "--overwrite", description = "Replace a tokenizer.model that is there.")
  private boolean overwrite;

  @ArgGroup(validate = false, heading = "%nDocuments:%n")
  private DataChoice data = new DataChoice();

  @Mixin private CommonOptions common;

  TrainTokenizerCommand(Streams io) {
    this.io = io;
  }

  @Override
  public Integer call() {
    checkCombinations();
    BytePairTrainer trainer = null;
    BytePairVocabulary vocabulary;
    if (bytesOnly) {
      int specials = specialTokens == null ? 0 : specialTokens;
      vocabulary =
          ModelChoice.checked(
              spec.commandLine(), "--special-tokens", () -> BytePairVocabulary.ofBytes(specials));
    } else {
      trainer = new BytePairTrainer(TokenizerOptions.defaults());
      trainer.add(data.options(files, spec));
      vocabulary = train(trainer);
    }
    Tokenizer tokenizer = vocabulary.write(folder);
    report(tokenizer, trainer == null ? 0 : trainer.bytes());
    return 0;
  }

  private void checkCombinations() {
    if (bytesOnly && (!files.isEmpty() || size != null)) {
      throw new ParameterException(
          spec.commandLine(), "--bytes-only needs no files and no --vocab-size: it is 256");
    }
    if (!bytesOnly && (files.isEmpty() || size == null)) {
      throw new ParameterException(
          spec.commandLine(), "Missing " + (size == null ? "--vocab-size N" : "files to train on"));
    }
    Path existing = folder.resolve("tokenizer.model");
    if (!overwrite && Files.exists(existing)) {
      throw new ParameterException(
          spec.commandLine(), existing + " is already there; name another --out, or --overwrite");
    }
  }

  private BytePairVocabulary train(BytePairTrainer trainer) {
    int specials = specialTokens == null ? LLAMA3_SPECIAL_TOKENS : specialTokens;
    try (Progress progress = new Progress(io, "Merging", " tokens", 1)) {
      return ModelChoice.checked(
          spec.commandLine(),
          "--vocab-size",
          () -> trainer.train(size, specials, tokens -> progress.update(tokens, size)));
    }
  }

  private void report(Tokenizer tokenizer, long bytes) {
    int specials = tokenizer.specialTokens().size();
    int merges = tokenizer.vocabularySize() - 256 - specials;
    if (size != null && tokenizer.vocabularySize() < size) {
      io.err()
          .println(
              "llama: the text has no more pairs that occur twice: "
                  + tokenizer.vocabularySize()
                  + " tokens instead of "
                  + size);
    }
    if (common.isJson()) {
      JsonObject json = new JsonObject();
      json.addProperty("tokenizer", folder.resolve("tokenizer.model").toString());
      json.addProperty("vocabulary_size", tokenizer.vocabularySize());
      json.addProperty("merges", merges);
      json.addProperty("special_tokens", specials);
      json.addProperty("text_bytes", bytes);
      Json.print(io, json);
      return;
    }
    io.out()
        .printf(
            "%s: %d tokens (256 bytes, %d merges, %d special tokens)%s%n",
            folder.resolve("tokenizer.model"),
            tokenizer.vocabularySize(),
            merges,
            specials,
            bytesOnly ? "" : " from " + Units.bytes(bytes) + " of text");
    io.flush();
  }
}
