package dev.llama.core.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.FormatException;
import dev.llama.InvalidInputException;
import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import dev.llama.core.config.ConfigFixtures;
import dev.llama.spi.TokenizerProvider;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which file is opened, with which tokens, and what is said when nobody understands it. */
class TokenizerFilesTest {
  private static final TokenizerOptions OPTIONS = TokenizerOptions.defaults();

  @TempDir Path folder;
  @TempDir Path services;
  private ClassLoader before;

  @BeforeEach
  void rememberClassLoader() {
    before = Thread.currentThread().getContextClassLoader();
    provide(FakeTokenizers.Broken.class, FakeTokenizers.class);
  }

  @AfterEach
  void restoreClassLoader() {
    Thread.currentThread().setContextClassLoader(before);
  }

  /** Makes these the providers that are found. */
  private void provide(Class<?>... providers) {
    StringBuilder names = new StringBuilder();
    for (Class<?> provider : providers) {
      names.append(provider.getName()).append('\n');
    }
    try {
      Path file = services.resolve("META-INF/services").resolve(TokenizerProvider.class.getName());
      Files.createDirectories(file.getParent());
      ConfigFixtures.write(file.getParent(), file.getFileName().toString(), names.toString());
      URL[] urls = {services.toUri().toURL()};
      Thread.currentThread().setContextClassLoader(new URLClassLoader(urls, before));
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private Path write(String name, String text) {
    return ConfigFixtures.write(folder, name, text);
  }

  private Tokenizer load() {
    return TokenizerFiles.load(folder, OPTIONS);
  }

  @Test
  void tokenizerModelComesFirst() throws IOException {
    write("tokenizer.json", "{\"fake\": 3}");
    assertEquals("tokenizer.json", load().piece(0));
    Files.createDirectory(folder.resolve("original"));
    write("original/tokenizer.model", "fake");
    assertEquals("tokenizer.model", load().piece(0));
    write("tokenizer.model", "neither");
    assertEquals("original", load().piece(1), "the next file where nobody understands the first");
    write("tokenizer.model", "fake");
    assertEquals(folder.getFileName().toString(), load().piece(1));
  }

  @Test
  void theContentsTellTheKindOfAFile() {
    assertEquals(
        "odd.name", TokenizerFiles.load(write("odd.name", " \n{\"fake\": 1}"), OPTIONS).piece(0));
    assertEquals("ranks.json", TokenizerFiles.load(write("ranks.json", "fake"), OPTIONS).piece(0));
    FormatException gguf =
        assertThrows(
            FormatException.class,
            () -> TokenizerFiles.load(write("tokenizer.model", "GGUF...."), OPTIONS));
    assertTrue(gguf.getMessage().startsWith(gguf.file() + ": "), gguf.getMessage());
  }

  @Test
  void aFolderWithoutTokenizerSaysWhatWasLookedFor() {
    assertFalse(TokenizerFiles.find(folder, OPTIONS).isPresent());
    FormatException e = assertThrows(FormatException.class, this::load);
    assertEquals(
        folder
            + ": has no tokenizer; looked for tokenizer.model, original/tokenizer.model,"
            + " tokenizer.json",
        e.getMessage());
    assertThrows(
        FormatException.class, () -> TokenizerFiles.load(folder.resolve("absent"), OPTIONS));
  }

  @Test
  void whenNobodyUnderstandsTheProvidersAndTheCureAreNamed() {
    write("tokenizer.model", "neither");
    FormatException e = assertThrows(FormatException.class, this::load);
    assertTrue(e.getMessage().contains("fake: of another kind"), e.getMessage());
    assertTrue(e.getMessage().contains("broken: java.lang.IllegalState"), e.getMessage());
    assertTrue(e.getMessage().contains("dev.llama:tokenizer-tiktoken"), e.getMessage());
    assertEquals(1, e.getSuppressed().length);
  }

  @Test
  void withoutProvidersTheCureIsNamed() {
    provide();
    write("tokenizer.model", "fake");
    FormatException e = assertThrows(FormatException.class, this::load);
    assertTrue(e.getMessage().contains("no provider of tokenizers is there"), e.getMessage());
  }

  @Test
  void faultsOfAFileArePassedOn() {
    write("tokenizer.model", "fake but broken");
    FormatException e = assertThrows(FormatException.class, this::load);
    assertTrue(e.getMessage().endsWith("is broken"), e.getMessage());
  }

  @Test
  void specialTokensBesideReplaceThoseOfTheFile() {
    write("tokenizer.model", "fake");
    assertEquals(Map.of("<s>", 1, "</s>", 2), load().specialTokens());
    write("special_tokens.json", "{\"<a>\": 10, \"<b>\": 11}");
    assertEquals(Map.of("<a>", 10, "<b>", 11), load().specialTokens());
    Map<String, Integer> own = Map.of("<own>", 10);
    assertEquals(own, TokenizerFiles.load(folder, OPTIONS.specialTokens(own)).specialTokens());
    write("special_tokens.json", "{\"<a>\": 99}");
    FormatException e = assertThrows(FormatException.class, this::load);
    assertEquals("special_tokens.json", e.file().getFileName().toString());
    assertThrows(
        InvalidInputException.class,
        () -> TokenizerFiles.load(folder, OPTIONS.specialTokens(Map.of("<c>", 99))));
    write("special_tokens.json", "{\"<a>\": -1}");
    assertThrows(FormatException.class, this::load);
  }

  @Test
  void addedTokensJoinThoseOfTheFile() {
    write("tokenizer.model", "fake");
    write("added_tokens.json", "{\"<pad>\": 10}");
    assertEquals(Map.of("<s>", 1, "</s>", 2, "<pad>", 10), load().specialTokens());
    write(
        "tokenizer_config.json",
        "{\"added_tokens_decoder\": {\"1\": {\"content\": \"<begin>\"}, \"10\": {\"content\":"
            + " \"<im_end>\", \"special\": true}}, \"eos_token\": {\"content\": \"<im_end>\"},"
            + " \"bos_token\": \"<begin>\", \"add_bos_token\": false}");
    Tokenizer tokenizer = load();
    assertEquals(Map.of("<begin>", 1, "</s>", 2, "<im_end>", 10), tokenizer.specialTokens());
    assertEquals(OptionalInt.of(1), tokenizer.bos());
    assertEquals(OptionalInt.of(10), tokenizer.eos());
    assertEquals(Set.of(2, 10), tokenizer.stopIds());
    assertFalse(tokenizer.addsBos());
    assertArrayEquals(new int[] {3, 4}, tokenizer.encode("ab"));
    assertEquals(OptionalInt.of(2), TokenizerFiles.load(folder, OPTIONS.eos(2)).eos());
  }

  @Test
  void settingsLieAboveMetasFolder() throws IOException {
    Files.createDirectory(folder.resolve("original"));
    write("original/tokenizer.model", "fake");
    write("tokenizer_config.json", "{\"add_bos_token\": false, \"bos_token\": \"<s>\"}");
    assertFalse(load().addsBos());
  }

  @Test
  void settingsThatChangeNothingWrapNothing() {
    write("tokenizer.model", "fake");
    write(
        "tokenizer_config.json",
        "{\"add_bos_token\": true, \"bos_token\": \"<s>\", \"eos_token\": null,"
            + " \"added_tokens_decoder\": {\"2\": {\"content\": \"</s>\"}}}");
    assertEquals(FakeTokenizers.Fake.class, load().getClass());
  }

  @Test
  void brokenSettingsAreRefused() {
    write("tokenizer.model", "fake");
    for (String json :
        List.of(
            "",
            "{\"bos_token\": 5}",
            "{\"add_bos_token\": \"yes\"}",
            "{\"added_tokens_decoder\": []}",
            "{\"added_tokens_decoder\": {\"x\": {\"content\": \"a\"}}}",
            "{\"added_tokens_decoder\": {\"-1\": {\"content\": \"a\"}}}",
            "{\"added_tokens_decoder\": {\"3\": {}}}",
            "{\"added_tokens_decoder\": {\"99\": {\"content\": \"too far\"}}}")) {
      write("tokenizer_config.json", json);
      FormatException e = assertThrows(FormatException.class, this::load, json);
      assertEquals("tokenizer_config.json", e.file().getFileName().toString());
    }
  }

  @Test
  void ggufMetadataAreFiltered() {
    Path file = folder.resolve("m.gguf");
    Map<String, Object> metadata =
        Map.of("general.name", "x", "tokenizer.ggml.model", "fake", "tokenizer.ggml.pre", "p");
    assertEquals("2 keys", TokenizerFiles.fromGguf(file, metadata, OPTIONS).piece(2));
    assertThrows(
        FormatException.class,
        () -> TokenizerFiles.fromGguf(file, Map.of("general.name", "x"), OPTIONS));
    assertThrows(
        FormatException.class,
        () -> TokenizerFiles.fromGguf(file, Map.of("tokenizer.ggml.model", "other"), OPTIONS));
  }

  @Test
  void aGgufFileIsAskedForItsVocabulary() {
    Path file = ConfigFixtures.path("gguf/llama-bpe-F16.gguf");
    FormatException e =
        assertThrows(FormatException.class, () -> TokenizerFiles.load(file, OPTIONS));
    assertTrue(e.getMessage().contains("fake: of another kind"), e.getMessage());
  }
}
