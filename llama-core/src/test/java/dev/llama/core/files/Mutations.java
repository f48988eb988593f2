package dev.llama.core.files;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import dev.llama.FormatException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Random;
import java.util.function.Consumer;

/** Loads one file again and again with one byte of its header changed. */
final class Mutations {
  private Mutations() {}

  /** Fails if loading ends in anything but success or FormatException. */
  static void run(
      Path path, byte[] valid, int headerSize, int times, Random random, Consumer<Path> load)
      throws IOException {
    SparseFiles.write(SparseFiles.create(path, valid.length), 0, valid);
    load.accept(path);
    int refused = 0;
    try (FileChannel file = FileChannel.open(path, StandardOpenOption.WRITE)) {
      for (int i = 0; i < times; i++) {
        int at = random.nextInt(headerSize);
        // Half the time a single bit, which turns numbers into others of the same look.
        byte changed =
            (byte)
                (random.nextBoolean() ? valid[at] ^ 1 << random.nextInt(8) : random.nextInt(256));
        file.write(ByteBuffer.wrap(new byte[] {changed}), at);
        try {
          load.accept(path);
        } catch (FormatException e) {
          refused++;
        } catch (RuntimeException | Error e) {
          fail("byte " + at + " changed from " + valid[at] + " to " + changed, e);
        }
        file.write(ByteBuffer.wrap(valid, at, 1), at);
      }
    }
    assertTrue(refused > times / 4, "only " + refused + " of " + times + " were refused");
  }
}
