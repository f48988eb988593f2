package dev.llama.cli;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/**
 * The model that comes with the command line, so that it does something on a machine without any.
 * It was trained by this project, on text that this project made: see docs/bundled-model.
 */
final class BundledModel {
  private static final String RESOURCE = "stories.gguf";

  private BundledModel() {}

  /**
   * Copies the model out of the jar: weights are read through a mapping, which needs a file.
   *
   * @return a temporary file, deleted when the process ends
   */
  static Path extract() throws IOException {
    try (InputStream in = BundledModel.class.getResourceAsStream(RESOURCE)) {
      if (in == null) {
        throw new FileNotFoundException(
            "this build has no bundled model; name a model by --model=PATH");
      }
      Path file = Files.createTempFile("llama-stories", ".gguf");
      file.toFile().deleteOnExit();
      Files.copy(in, file, StandardCopyOption.REPLACE_EXISTING);
      return file;
    }
  }
}
