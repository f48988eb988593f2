package dev.llama.core.files;

import dev.llama.core.json.Json;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;

/** Reference data beside the checkout; tests that need it are skipped where it is absent. */
final class Fixtures {
  private static final String ROOT = System.getProperty("llama.fixtures", "");

  /** What sources of parameters list where the fixtures are absent, so that a test is skipped. */
  static final String ABSENT = "absent";

  static boolean present() {
    return !ROOT.isEmpty() && Files.isDirectory(Paths.get(ROOT));
  }

  static Path path(String name) {
    Assumptions.assumeTrue(present(), "no fixtures in " + ROOT);
    return Paths.get(ROOT).resolve(name);
  }

  static Map<String, Object> json(String name) {
    return Json.readObject(path(name), 100_000_000);
  }

  private Fixtures() {}

  /** The files and folders of malformed/index.json below one folder. */
  static List<Case> malformed(String folder) {
    if (!present()) {
      return List.of(new Case(Paths.get(ABSENT), ABSENT, "no fixtures"));
    }
    List<Case> cases = new ArrayList<>();
    for (Object element : (List<?>) json("malformed/index.json").get("cases")) {
      Map<?, ?> entry = (Map<?, ?>) element;
      String name = (String) entry.get("path");
      if (name.startsWith(folder + "/")) {
        cases.add(
            new Case(
                path("malformed/" + name),
                (String) entry.get("expect"),
                (String) entry.get("what")));
      }
    }
    return cases;
  }

  /** A file, whether loading must "accept", must "reject" or may do "either", and its fault. */
  record Case(Path path, String expect, String what) {
    @Override
    public String toString() {
      return path.getFileName() + ": " + expect + ", " + what;
    }
  }
}
