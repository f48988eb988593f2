package dev.llama.spi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Texts are the list that they were made of. */
class TextsTest {
  @Test
  void equalTheListThatTheyWereMadeOf() {
    List<String> list =
        new ArrayList<>(List.of("", "a", "naïve", "東京", "🙂", "x".repeat(1000), ""));
    Texts texts = Texts.of(list);
    assertEquals(list, texts);
    assertSame(texts, Texts.of(texts));
    assertEquals(Collections.emptyList(), Texts.of(List.of()));
    assertThrows(UnsupportedOperationException.class, () -> texts.set(0, "b"));
    assertThrows(IndexOutOfBoundsException.class, () -> texts.get(7));
    assertThrows(IndexOutOfBoundsException.class, () -> texts.get(-1));
  }

  @Test
  void whatLiesBetweenTextsDoesNotCount() {
    byte[] bytes = "--ab--c--".getBytes(StandardCharsets.UTF_8);
    Texts texts = new Texts(bytes, new int[] {2, 6, 9}, 2);
    assertEquals(List.of("ab", "c"), texts);
    assertEquals(2, texts.start(0));
    assertEquals(4, texts.end(0));
  }
}
