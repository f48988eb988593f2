package dev.llama.core.json;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.FormatException;
import dev.llama.InvalidInputException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The parser takes RFC 8259 and nothing else, whatever the bytes. */
class JsonTest {
  private static final Path ORIGIN = Paths.get("some.json");

  @TempDir Path folder;

  private static Map<String, Object> parse(String text) {
    return Json.parseObject(ORIGIN, text.getBytes(StandardCharsets.UTF_8));
  }

  private static FormatException refuse(byte[] text) {
    FormatException e = assertThrows(FormatException.class, () -> Json.parseObject(ORIGIN, text));
    assertTrue(e.getMessage().startsWith("some.json: "), e.getMessage());
    assertTrue(e.getMessage().length() < 250, e.getMessage());
    return e;
  }

  @Test
  void valuesHaveTheirTypes() {
    Map<String, Object> object =
        parse(
            " {\"i\": 9223372036854775807, \"n\": -0, \"big\": 9223372036854775808, \"d\": 1e-05,"
                + " \"s\": \"a\\u00e9\\n\", \"t\": true, \"null\": null, \"e\": {},"
                + " \"a\": [1, [], \"x\"]}\n");
    assertEquals(Long.MAX_VALUE, object.get("i"));
    assertEquals(0L, object.get("n"));
    assertEquals(0x1p63, object.get("big"));
    assertEquals(1e-5, object.get("d"));
    assertEquals("a\u00e9\n", object.get("s"));
    assertEquals(true, object.get("t"));
    assertTrue(object.containsKey("null"));
    assertNull(object.get("null"));
    assertEquals(Map.of(), object.get("e"));
    assertEquals(Arrays.asList(1L, List.of(), "x"), object.get("a"));
    assertEquals("[i, n, big, d, s, t, null, e, a]", object.keySet().toString());
    assertThrows(UnsupportedOperationException.class, object::clear);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " ",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{\"a\":1} x",
        "{\"a\":1}{}",
        "{\"a\":1,\"a\":1}",
        "{'a':1}",
        "{a:1}",
        "{\"a\":NaN}",
        "{\"a\":-Infinity}",
        "{\"a\":1e999}",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":.5}",
        "{\"a\":1.}",
        "{\"a\":0x10}",
        "{\"a\":True}",
        "{\"a\":TRUE}",
        "{\"a\":\"\t\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12G4\"}",
        "{\"a\":\"open}",
        "{\"a\":[1,]}",
        "{\"a\":[,1]}",
        "{\"a\":[1;2]}",
        "{\"a\"=>1}",
        "{/* */\"a\":1}",
        "{\"a\":1} // x",
        "# {}",
        ")]}'\n{\"a\":1}",
        "[]",
        "null",
        "17",
        "\"text\""
      })
  void whatIsNotAnObjectInJsonIsRefused(String text) {
    refuse(text.getBytes(StandardCharsets.UTF_8));
  }

  @Test
  void otherEncodingsAreRefused() {
    refuse("{\"a\":1}".getBytes(StandardCharsets.UTF_16LE));
    refuse("{\"a\":1}".getBytes(StandardCharsets.UTF_16BE));
    refuse("\ufeff{\"a\":1}".getBytes(StandardCharsets.UTF_16LE));
    refuse("\ufeff{\"a\":1}".getBytes(StandardCharsets.UTF_8));
    FormatException e = refuse("{\"a\":\"\u00e9\"}".getBytes(StandardCharsets.ISO_8859_1));
    assertTrue(e.getMessage().contains("UTF-8"), e.getMessage());
    refuse(new byte[] {'{', '"', (byte) 0xC0, (byte) 0x80, '"', ':', '1', '}'});
    refuse(new byte[] {'{', '"', (byte) 0xED, (byte) 0xA0, (byte) 0x80, '"', ':', '1', '}'});
  }

  @Test
  void messagesSayWhere() {
    FormatException e = refuse("{\n \"a\": [1,\n  tru]}".getBytes(StandardCharsets.UTF_8));
    assertTrue(e.getMessage().contains("line 3"), e.getMessage());
    assertTrue(e.getMessage().contains("$.a[1]"), e.getMessage());
  }

  @Test
  void depthAndLengthAreBounded() {
    for (String open : List.of("[", "{\"a\":")) {
      StringBuilder text = new StringBuilder("{\"x\":");
      for (int i = 0; i < 300_000; i++) {
        text.append(open);
      }
      refuse(text.toString().getBytes(StandardCharsets.UTF_8));
    }
    char[] digits = new char[200_000];
    Arrays.fill(digits, '9');
    refuse(("{\"a\":" + new String(digits) + "}").getBytes(StandardCharsets.UTF_8));
    refuse(("{\"" + new String(digits) + "\":x}").getBytes(StandardCharsets.UTF_8));
  }

  @Test
  void nestingOfAHundredIsRead() {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < 100; i++) {
      text.append("{\"a\":");
    }
    text.append('1');
    for (int i = 0; i < 100; i++) {
      text.append('}');
    }
    assertEquals(1, parse(text.toString()).size());
  }

  @Test
  void filesAreBoundedAndRegular() throws IOException {
    Path file = Files.write(folder.resolve("a.json"), new byte[100]);
    FormatException size = assertThrows(FormatException.class, () -> Json.read(file, 99));
    assertTrue(size.getMessage().contains("100 bytes"), size.getMessage());
    FormatException missing =
        assertThrows(FormatException.class, () -> Json.read(folder.resolve("b.json"), 99));
    assertTrue(missing.getMessage().contains("no such file"), missing.getMessage());
    FormatException directory = assertThrows(FormatException.class, () -> Json.read(folder, 99));
    assertTrue(directory.getMessage().contains("folder"), directory.getMessage());
  }

  @Test
  void randomValuesSurviveWritingAndReading() {
    Random random = new Random(7);
    for (int i = 0; i < 300; i++) {
      Map<String, Object> object = new LinkedHashMap<>();
      object.put("value", randomValue(random, 0));
      assertEquals(object, parse(Json.write(object)));
    }
  }

  @Test
  void randomBytesNeverGiveAnotherException() {
    Random random = new Random(11);
    String valid = "{\"a\": [1, 2.5e3, \"x\\n\", {\"b\": null}], \"c\": true}";
    for (int i = 0; i < 5000; i++) {
      byte[] bytes = valid.getBytes(StandardCharsets.UTF_8);
      for (int j = random.nextInt(4); j >= 0; j--) {
        bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
      }
      try {
        Json.parseObject(ORIGIN, Arrays.copyOf(bytes, random.nextInt(bytes.length + 1)));
      } catch (FormatException expected) {
        // any other exception fails the test
      }
    }
  }

  private static Object randomValue(Random random, int depth) {
    switch (random.nextInt(depth > 4 ? 5 : 7)) {
      case 0:
        return random.nextLong();
      case 1:
        return random.nextGaussian() * Math.pow(10, random.nextInt(600) - 300);
      case 2:
        return random.nextBoolean();
      case 3:
        return null;
      case 4:
        return randomText(random);
      case 5:
        List<Object> list = new ArrayList<>();
        for (int i = random.nextInt(4); i > 0; i--) {
          list.add(randomValue(random, depth + 1));
        }
        return list;
      default:
        Map<String, Object> map = new LinkedHashMap<>();
        for (int i = random.nextInt(4); i > 0; i--) {
          map.put(randomText(random), randomValue(random, depth + 1));
        }
        return map;
    }
  }

  private static String randomText(Random random) {
    StringBuilder text = new StringBuilder();
    for (int i = random.nextInt(6); i > 0; i--) {
      int[] ranges = {0, 0x80, 0x800, 0xE000, 0x10000, 0x20000};
      text.appendCodePoint(ranges[random.nextInt(ranges.length)] + random.nextInt(0x80));
    }
    return text.toString();
  }

  @Test
  void arraysAreWrittenAndOtherThingsRefused() {
    assertEquals("[1.5,2.5]", Json.write(new float[] {1.5f, 2.5f}).replaceAll("\\s", ""));
    assertThrows(InvalidInputException.class, () -> Json.write(List.of(Double.NaN)));
    assertThrows(InvalidInputException.class, () -> Json.write(List.of(new Object())));
  }
}
