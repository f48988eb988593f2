package dev.llama.core.catalogue;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.FormatException;
import dev.llama.core.config.ConfigFixtures;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A folder of layer-specs can be edited while it is in use, and nobody looks outside it. */
class CatalogueTest {
  @TempDir Path folder;

  private Path put(String id, String name) {
    Map<String, Object> json = new LinkedHashMap<>(Specs.small());
    json.put("model_id", id);
    json.put("name", name);
    return Specs.write(folder, json);
  }

  /** As if the file had been written this long ago. */
  private static void age(Path file, long millis) throws IOException {
    Files.setLastModifiedTime(file, FileTime.fromMillis(System.currentTimeMillis() - millis));
  }

  @Test
  void newChangedAndRemovedFilesAreSeenAtOnce() throws IOException {
    Catalogue catalogue = Catalogue.open(folder);
    assertEquals(List.of(), catalogue.ids());
    Path b = put("b", "B");
    Path a = put("a", "A");
    assertEquals(List.of("a", "b"), catalogue.ids());
    put("a", "A, second edition");
    assertEquals("A, second edition", catalogue.find("a").get().name());
    // Same size, within the same tick of the clock:
    FileTime time = Files.getLastModifiedTime(a);
    put("a", "A, fourth edition");
    Files.setLastModifiedTime(a, time);
    assertEquals("A, fourth edition", catalogue.find("a").get().name());
    Files.delete(b);
    assertEquals(List.of("a"), catalogue.ids());
    assertFalse(catalogue.find("b").isPresent());
  }

  @Test
  void filesThatRestAreReadOnce() throws IOException {
    age(put("a", "A"), 3_600_000);
    Catalogue catalogue = Catalogue.open(folder);
    LayerSpec spec = catalogue.find("a").get();
    put("b", "B");
    assertSame(spec, catalogue.find("a").get());
    assertSame(spec, catalogue.specs().get(0));
    age(put("a", "Z"), 1_800_000);
    assertEquals("Z", catalogue.find("a").get().name());
  }

  @Test
  void brokenFilesHideNoOthersAndAreTold() throws IOException {
    put("good", "G");
    Path broken = Specs.write(folder, "broken.json", "{");
    Specs.write(folder, "wrong.json", "{\"model_id\": \"wrong\"}");
    Files.createDirectory(folder.resolve("folder.json"));
    Specs.write(folder, "README.md", "no layer-spec");
    Specs.write(folder, ".hidden.json", "{");
    Catalogue catalogue = Catalogue.open(folder);
    assertEquals(List.of("good"), catalogue.ids());
    assertEquals(Set.of("broken.json", "wrong.json", "folder.json"), catalogue.faults().keySet());
    assertTrue(catalogue.faults().get("wrong.json").getMessage().contains("faults: "));
    assertFalse(catalogue.find("broken").isPresent());
    Files.delete(broken);
    put("broken", "mended");
    assertEquals("mended", catalogue.find("broken").get().name());
    assertFalse(catalogue.faults().containsKey("broken.json"));
  }

  @Test
  void noIdLeavesTheFolder() throws IOException {
    Path inner = Files.createDirectory(folder.resolve("inner"));
    put("secret", "outside the catalogue");
    Map<String, Object> json = Specs.small();
    Specs.write(inner, json);
    Catalogue catalogue = Catalogue.open(inner);
    assertTrue(catalogue.find(Specs.ID).isPresent());
    for (String id :
        new String[] {
          "../secret",
          "..\\secret",
          "%2e%2e/secret",
          "%2e%2e%2fsecret",
          folder.resolve("secret").toString(),
          "./" + Specs.ID,
          "../inner/" + Specs.ID,
          Specs.ID + ".json",
          Specs.ID + "\u0000",
          Specs.ID.toUpperCase(Locale.ROOT),
          "",
          ".",
          "..",
          null
        }) {
      assertFalse(catalogue.find(id).isPresent(), id);
    }
  }

  @Test
  void folderThatIsNoneIsRefusedAndOneThatVanishesToo() throws IOException {
    Path none = folder.resolve("none");
    assertThrows(FormatException.class, () -> Catalogue.open(none));
    assertThrows(FormatException.class, () -> Catalogue.open(put("a", "A")));
    Files.createDirectory(none);
    Catalogue catalogue = Catalogue.open(none);
    Files.delete(none);
    assertThrows(FormatException.class, catalogue::ids);
    Files.createDirectory(none);
    assertEquals(List.of(), catalogue.ids());
  }

  @Test
  void folderOfTooManyFilesIsRefused() throws IOException {
    for (int i = 0; i <= 4096; i++) {
      Files.createFile(folder.resolve(i + ".json"));
    }
    String message = assertThrows(FormatException.class, () -> Catalogue.open(folder)).getMessage();
    assertTrue(message.contains("more than 4096 files"), message);
  }

  @Test
  void filesBeyondTheBoundOfAllAreLeftOutByName() {
    String padding = " ".repeat(LayerSpec.MAX_BYTES - 2000);
    for (int i = 0; i < 70; i++) {
      Specs.write(folder, String.format("%02d.json", i), "{}" + padding);
    }
    Map<String, FormatException> faults = Catalogue.open(folder).faults();
    assertEquals(70, faults.size());
    assertTrue(faults.get("00.json").getMessage().contains("model_id is missing"));
    assertTrue(faults.get("69.json").getMessage().contains("is left out"));
  }

  /** Writers replace files while readers look: nobody ever sees a part of a file. */
  @Test
  void readersNeverSeeHalfAFile() throws Exception {
    put("a", "A");
    LayerSpec spec = LayerSpec.read(folder.resolve("a.json"));
    Catalogue catalogue = Catalogue.open(folder);
    ExecutorService threads = Executors.newFixedThreadPool(4);
    try {
      List<Future<?>> work = new ArrayList<>();
      for (int t = 0; t < 2; t++) {
        work.add(threads.submit(() -> repeat(() -> spec.write(folder.resolve("a.json")))));
        work.add(threads.submit(() -> repeat(() -> assertEquals(spec, find(catalogue)))));
      }
      for (Future<?> future : work) {
        future.get();
      }
    } catch (ExecutionException e) {
      throw new AssertionError(e.getCause());
    } finally {
      threads.shutdownNow();
    }
    assertEquals(Map.of(), catalogue.faults());
  }

  private static LayerSpec find(Catalogue catalogue) {
    return catalogue.find("a").orElseThrow(AssertionError::new);
  }

  private static void repeat(Runnable work) {
    for (int i = 0; i < 100; i++) {
      work.run();
    }
  }

  @Test
  void referenceFolderListsTheValidFiles() {
    Catalogue catalogue = Catalogue.open(ConfigFixtures.path("configs/layer-specs"));
    assertEquals(
        List.of(
            "TinyLlama_TinyLlama-1.1B-Chat-v1.0",
            "example_vanilla-mha",
            "meta-llama_Llama-3.3-70B-Instruct"),
        catalogue.ids());
    assertTrue(catalogue.faults().size() >= 16);
  }
}
