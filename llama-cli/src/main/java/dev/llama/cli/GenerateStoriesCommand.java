package dev.llama.cli;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonObject;
import dev.llama.train.samples.Stories;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Stories to train on. */
@Command(
    name = "generate-stories",
    description = {
      "Writes simple stories, made from a grammar and a seed: the data that the bundled model was"
          + " trained on.",
      "",
      "A blank line stands between two stories; with --format json every line is an object with the"
          + " field text."
    },
    customSynopsis = "llama generate-stories [OPTION]...",
    sortOptions = false,
    optionListHeading = "%nOptions:%n",
    footerHeading = "%nExamples:%n",
    footer = {
      "  llama generate-stories --documents 3",
      "  llama generate-stories --documents 100000 --seed 1 --out stories.txt"
    })
final class GenerateStoriesCommand implements Callable<Integer> {
  private static final Gson GSON = new GsonBuilder().disableHtmlEscaping().create();

  private final Streams io;
  @Spec private CommandSpec spec;

  @Option(
      names = {"-n", "--documents"},
      paramLabel = "N",
      defaultValue = "1",
      description = "Number of stories (default: 1).")
  private long documents;

  @Option(
      names = "--short",
      description = "Very short ones, in which names and things come back at once.")
  private boolean brief;

  @Mixin private SampleOutput output;
  @Mixin private CommonOptions common;

  GenerateStoriesCommand(Streams io) {
    this.io = io;
  }

  @Override
  public Integer call() throws IOException {
    SampleOutput.requirePositive(spec, "--documents", documents);
    Stories stories = new Stories(output.seed());
    output.write(
        io,
        documents,
        number -> text(brief ? stories.shortStory(number) : stories.story(number), number));
    return 0;
  }

  private String text(String story, long number) {
    if (common.isJson()) {
      JsonObject json = new JsonObject();
      json.addProperty("text", story);
      return GSON.toJson(json) + "\n";
    }
    return (number > 0 ? "\n" : "") + story + "\n";
  }
}
