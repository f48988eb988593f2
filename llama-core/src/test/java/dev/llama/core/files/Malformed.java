package dev.llama.core.files;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import dev.llama.FormatException;
import dev.llama.spi.TensorData;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.function.Executable;

/** What loading a file of malformed/index.json must come to. */
final class Malformed {
  private Malformed() {}

  /** Accepted, or refused with a message that starts with a path, as the index expects. */
  static void check(Fixtures.Case file, Executable load) {
    switch (file.expect()) {
      case "accept" -> run(load);
      case "reject" -> requireMessage(assertThrows(FormatException.class, load, file.what()));
      case "either" -> {
        try {
          run(load);
        } catch (FormatException e) {
          requireMessage(e);
        }
      }
      case Fixtures.ABSENT -> Assumptions.abort("no fixtures");
      default -> fail("unknown expectation " + file.expect());
    }
  }

  private static void run(Executable load) {
    try {
      load.execute();
    } catch (FormatException e) {
      throw e;
    } catch (Throwable e) {
      fail("neither loaded nor refused", e);
    }
  }

  private static void requireMessage(FormatException e) {
    String problem = e.getMessage().substring(e.file().toString().length());
    assertTrue(problem.length() > 10 && problem.startsWith(": "), e.getMessage());
  }

  /** Reads the first and last bytes of all tensors. */
  static void touchEveryTensor(TensorSource source) {
    for (TensorData tensor : source.tensors().values()) {
      int length = (int) Math.min(16, tensor.byteSize());
      tensor.bytes(0, length).get(new byte[length]);
      tensor.bytes(tensor.byteSize() - length, length).get(new byte[length]);
    }
  }
}
