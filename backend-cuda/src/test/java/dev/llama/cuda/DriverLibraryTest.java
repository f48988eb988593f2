package dev.llama.cuda;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.BackendException;
import org.junit.jupiter.api.Test;

/** What a machine without a driver is told. */
class DriverLibraryTest {
  @Test
  void aMissingLibraryIsNamedWithTheCure() {
    BackendException e =
        assertThrows(BackendException.class, () -> DriverLibrary.bind("no-such-driver"));
    assertTrue(e.getMessage().contains("no-such-driver"), e.getMessage());
    assertTrue(e.getMessage().contains("install"), e.getMessage());
  }
}
