package dev.llama.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.lang.module.ModuleDescriptor;
import java.lang.module.ModuleFinder;
import java.lang.module.ModuleReader;
import java.lang.module.ModuleReference;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Every artifact is a named module, and says the same there as in META-INF/services. */
class ModuleDescriptorsTest {

  private static Map<String, ModuleReference> modules() {
    Map<String, ModuleReference> modules = new TreeMap<>();
    String classPath = System.getProperty("java.class.path");
    Stream.concat(
            Arrays.stream(classPath.split(File.pathSeparator)).map(Path::of),
            Stream.of(ArchitectureTest.COMMAND_LINE))
        .filter(path -> path.toString().matches(".*(llama|backend|tokenizer)-.*"))
        .flatMap(path -> ModuleFinder.of(path).findAll().stream())
        .filter(module -> module.descriptor().name().startsWith("dev.llama."))
        .filter(module -> !module.descriptor().isAutomatic())
        .forEach(module -> modules.put(module.descriptor().name(), module));
    return modules;
  }

  @Test
  void everyArtifactIsANamedModule() {
    assertTrue(
        modules()
            .keySet()
            .containsAll(
                Set.of(
                    "dev.llama.api",
                    "dev.llama.core",
                    "dev.llama.train",
                    "dev.llama.cpu",
                    "dev.llama.cuda",
                    "dev.llama.cli",
                    "dev.llama.tiktoken",
                    "dev.llama.sentencepiece")),
        modules().keySet().toString());
  }

  @Test
  void onlyTheApiAndWhatPlanningToolsNeedAreExported() {
    Map<String, Set<String>> expected =
        Map.of(
            "dev.llama.api", Set.of("dev.llama", "dev.llama.spi"),
            "dev.llama.core",
                Set.of(
                    "dev.llama.core.catalogue", "dev.llama.core.plan", "dev.llama.core.quantize"),
            "dev.llama.train",
                Set.of("dev.llama.train", "dev.llama.train.data", "dev.llama.train.samples"));
    modules()
        .forEach(
            (name, module) -> {
              Set<String> exports =
                  module.descriptor().exports().stream()
                      .filter(export -> !export.isQualified())
                      .map(ModuleDescriptor.Exports::source)
                      .collect(Collectors.toSet());
              assertEquals(expected.getOrDefault(name, Set.of()), exports, name);
            });
  }

  /**
   * The command line puts the modules together, and needs what planning tools need. Training takes
   * files and configurations from the core.
   */
  @Test
  void modulesSeeNoModuleOfTheLibraryButTheApi() {
    Map<String, Set<String>> expected =
        Map.of(
            "dev.llama.cli", Set.of("dev.llama.core", "dev.llama.train"),
            "dev.llama.train", Set.of("dev.llama.core"));
    modules()
        .forEach(
            (name, module) -> {
              Set<String> seen =
                  module.descriptor().requires().stream()
                      .map(ModuleDescriptor.Requires::name)
                      .filter(required -> required.startsWith("dev.llama."))
                      .collect(Collectors.toCollection(TreeSet::new));
              seen.remove("dev.llama.api");
              assertEquals(expected.getOrDefault(name, Set.of()), seen, name);
            });
  }

  @Test
  void servicesAreTheSameOnTheClassPath() throws IOException {
    for (ModuleReference module : modules().values()) {
      for (ModuleDescriptor.Provides provides : module.descriptor().provides()) {
        try (ModuleReader files = module.open();
            InputStream listed =
                files
                    .open("META-INF/services/" + provides.service())
                    .orElseThrow(
                        () ->
                            new AssertionError(
                                module + " has no META-INF/services/" + provides.service()))) {
          Set<String> names =
              new String(listed.readAllBytes(), StandardCharsets.UTF_8)
                  .lines()
                  .map(line -> line.replaceFirst("#.*", "").trim())
                  .filter(line -> !line.isEmpty())
                  .collect(Collectors.toSet());
          assertEquals(Set.copyOf(provides.providers()), names, module.toString());
        }
      }
    }
  }
}
