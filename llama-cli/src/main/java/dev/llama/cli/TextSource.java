package dev.llama.cli;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;

/** Where a text comes from: at most one of these. */
final class TextSource {
  @Parameters(index = "0", arity = "0..1", paramLabel = "TEXT", description = "The text.")
  private String argument;

  @Option(
      names = {"-p", "--prompt"},
      paramLabel = "TEXT",
      description = "The text.")
  private String prompt;

  @Option(
      names = {"-f", "--file"},
      paramLabel = "FILE",
      description = "A file with the text in UTF-8; - is stdin.")
  private Path file;

  /**
   * Returns the text, from stdin if nothing else is given.
   *
   * @throws IOException if the file cannot be read or is not UTF-8
   */
  String text(Streams io, CommandSpec spec) throws IOException {
    if (argument != null) {
      return argument;
    } else if (prompt != null) {
      return prompt;
    }
    return file == null ? stdin(io, spec) : read(file, io);
  }

  /** As {@link #text}, less the line end that editors and {@code echo} put at the end of files. */
  String line(Streams io, CommandSpec spec) throws IOException {
    String text = text(io, spec);
    return argument == null && prompt == null ? text.replaceFirst("\\r?\\n\\z", "") : text;
  }

  private static String stdin(Streams io, CommandSpec spec) throws IOException {
    if (io.inIsTerminal()) {
      throw new ParameterException(
          spec.commandLine(), "No text: give it as an argument, by --file, or through stdin");
    }
    return decode(io.in().readAllBytes(), "stdin");
  }

  /** Reads a file in UTF-8; "-" is stdin. */
  static String read(Path file, Streams io) throws IOException {
    if (file.toString().equals("-")) {
      return decode(io.in().readAllBytes(), "stdin");
    }
    try (InputStream in = Files.newInputStream(file)) {
      return decode(in.readAllBytes(), file.toString());
    }
  }

  private static String decode(byte[] bytes, String name) throws IOException {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException e) {
      throw new IOException(name + ": not UTF-8 text", e);
    }
  }
}
