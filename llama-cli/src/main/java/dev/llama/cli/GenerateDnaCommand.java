package dev.llama.cli;

import dev.llama.train.samples.Nucleotides;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Nucleotide sequences to train on. */
@Command(
    name = "generate-dna",
    description = {
      "Writes a FASTA file of nucleotide sequences made from a seed, with repeats, motifs and genes"
          + " that a model can learn.",
      "",
      "They are drawn at random and resemble no genome. Repeats are in lower case."
    },
    customSynopsis = "llama generate-dna [OPTION]...",
    sortOptions = false,
    optionListHeading = "%nOptions:%n",
    footerHeading = "%nExamples:%n",
    footer = {
      "  llama generate-dna --records 2 --length 600",
      "  llama generate-dna --records 200 --length 20000 --seed 1 --out train.fasta"
    })
final class GenerateDnaCommand implements Callable<Integer> {
  private static final int LINE = 60;

  private final Streams io;
  @Spec private CommandSpec spec;

  @Option(
      names = {"-n", "--records"},
      paramLabel = "N",
      defaultValue = "1",
      description = "Number of sequences (default: 1).")
  private long records;

  @Option(
      names = "--length",
      paramLabel = "N",
      defaultValue = "10000",
      description = "Letters in each (default: 10000).")
  private int length;

  @Mixin private SampleOutput output;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this help.")
  private boolean help;

  GenerateDnaCommand(Streams io) {
    this.io = io;
  }

  @Override
  public Integer call() throws IOException {
    SampleOutput.requirePositive(spec, "--records", records);
    SampleOutput.requirePositive(spec, "--length", length);
    Nucleotides nucleotides = new Nucleotides(output.seed());
    output.write(io, records, number -> record(nucleotides.sequence(number, length), number));
    return 0;
  }

  private String record(String sequence, long number) {
    StringBuilder record = new StringBuilder(sequence.length() + sequence.length() / LINE + 64);
    record.append(">synthetic-" + number + " seed " + output.seed() + "\n");
    for (int at = 0; at < sequence.length(); at += LINE) {
      record.append(sequence, at, Math.min(at + LINE, sequence.length())).append('\n');
    }
    return record.toString();
  }
}
