package dev.llama.tiktoken;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.llama.FormatException;
import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import dev.llama.spi.TokenizerSource;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Broken rank files, and what belongs to other providers. */
class MalformedTest {
  @Test
  void brokenFilesOfTheReferenceDataAreRejected() {
    int rejected = 0;
    for (JsonElement element :
        Fixtures.json("malformed/index.json").getAsJsonObject().getAsJsonArray("cases")) {
      JsonObject row = element.getAsJsonObject();
      if (!row.get("kind").getAsString().equals("tokenizer-tiktoken")) {
        continue;
      }
      String file = "malformed/" + row.get("path").getAsString();
      switch (row.get("expect").getAsString()) {
        case "reject" -> {
          FormatException e = assertThrows(FormatException.class, () -> Fixtures.ranks(file), file);
          assertTrue(e.getMessage().contains(Path.of(file).getFileName().toString()));
          rejected++;
        }
        case "accept" -> {
          Tokenizer tokenizer = Fixtures.ranks(file);
          assertEquals("naïve 🦄", tokenizer.decode(tokenizer.encode("naïve 🦄")));
        }
        default -> {
          try {
            Fixtures.ranks(file);
          } catch (FormatException expected) {
            // either is fine
          }
        }
      }
    }
    assertEquals(14, rejected);
  }

  @Test
  void sentencePieceModelsAreLeftToOthers() {
    for (String name : List.of("valid", "truncated", "no-pieces", "wire-type-7", "no-unk")) {
      String file = "malformed/tokenizer-sentencepiece/" + name + ".model";
      assertEquals(
          Optional.empty(),
          Fixtures.PROVIDER.open(
              new TokenizerSource.ModelFile(Path.of(file), Fixtures.bytes(file)),
              TokenizerOptions.defaults()),
          name);
    }
  }

  @Test
  void jsonOfSentencePieceIsLeftToOthers() {
    assertEquals(
        Optional.empty(),
        Fixtures.PROVIDER.open(
            Fixtures.huggingFaceSource("tokenizer-llama2/tokenizer.json"),
            TokenizerOptions.defaults()));
  }

  @Test
  void vocabulariesOfOtherFamiliesInGgufAreLeftToOthers() {
    Map<String, Object> metadata = new HashMap<>(Map.of("tokenizer.ggml.model", "llama"));
    assertEquals(
        Optional.empty(),
        Fixtures.PROVIDER.open(
            new TokenizerSource.GgufVocabulary(Path.of("a.gguf"), metadata),
            TokenizerOptions.defaults()));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "YQ== 0 ",
        "YQ==\t0\n",
        " 0\n",
        "YQ== \n",
        "YQ== +1\n",
        "YQ== 0x1\n",
        "YQ== 99999999999999999999\n",
        "Y 0\n",
        "YQ=== 0\n",
        "Y-_= 0\n",
        "{\"model\": {}}"
      })
  void brokenLinesAreNamed(String file) {
    FormatException e =
        assertThrows(
            FormatException.class, () -> ToyVocabulary.open(file, TokenizerOptions.defaults()));
    assertEquals(Path.of("toy.model"), e.file());
  }

  @Test
  void windowsLineEndsAndEmptyLinesAreRead() {
    String file = ToyVocabulary.file().replace("\n", "\r\n\r\n");
    Tokenizer tokenizer = ToyVocabulary.open(file, TokenizerOptions.defaults());
    assertEquals(662, tokenizer.vocabularySize());
  }

  @Test
  void theOrderOfLinesDoesNotMatter() {
    List<String> lines = new ArrayList<>(ToyVocabulary.file().lines().toList());
    Collections.reverse(lines);
    Tokenizer tokenizer = ToyVocabulary.open(String.join("\n", lines), TokenizerOptions.defaults());
    assertEquals(ToyVocabulary.tokenizer().piece(300), tokenizer.piece(300));
  }

  @Test
  void endlesslyLongTokensAreRefused() {
    String file = ToyVocabulary.file() + "YWFh".repeat(400) + " 406\n";
    FormatException e =
        assertThrows(
            FormatException.class, () -> ToyVocabulary.open(file, TokenizerOptions.defaults()));
    assertTrue(e.getMessage().contains("1024"), e.getMessage());
  }
}
