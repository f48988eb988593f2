package dev.llama.core.config;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.FormatException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Every broken config.json ends in a FormatException that begins with the file, and is short. */
class MalformedConfigTest {
  @TestFactory
  List<DynamicTest> everyCase() throws Exception {
    return ConfigFixtures.tests(this::cases);
  }

  private List<DynamicTest> cases() {
    List<DynamicTest> tests = new ArrayList<>();
    for (Object entry :
        ConfigFixtures.<Object>list(ConfigFixtures.json("malformed/index.json").get("cases"))) {
      Map<String, Object> fields = ConfigFixtures.map(entry);
      if (fields.get("kind").equals("config")) {
        Path file = ConfigFixtures.path("malformed/" + fields.get("path"));
        tests.add(
            DynamicTest.dynamicTest(
                fields.get("path") + ": " + fields.get("what"),
                () -> check(file, (String) fields.get("expect"))));
      }
    }
    assertTrue(tests.size() > 40, () -> "only " + tests.size() + " cases");
    return tests;
  }

  private static void check(Path file, String expect) {
    if (expect.equals("accept")) {
      assertDoesNotThrow(() -> ConfigReader.read(file));
      return;
    }
    // The cases where either is fine are ambiguous files, which we refuse.
    FormatException e = assertThrows(FormatException.class, () -> ConfigReader.read(file));
    assertTrue(e.getMessage().startsWith(file + ": "), e.getMessage());
    assertTrue(e.getMessage().length() < file.toString().length() + 250, e.getMessage());
  }
}
