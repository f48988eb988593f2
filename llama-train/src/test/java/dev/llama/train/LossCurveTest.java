package dev.llama.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.train.MetricsFile.Point;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/**
 * The picture is well-formed, its axes have round numbers, and its curves are where they belong.
 */
class LossCurveTest {
  private static List<Point> falling(int count) {
    return LongStream.rangeClosed(1, count)
        .mapToObj(step -> new Point(step, 1 + 4.0 / step))
        .collect(Collectors.toList());
  }

  private static Document parse(String svg) throws Exception {
    return DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(new ByteArrayInputStream(svg.getBytes(StandardCharsets.UTF_8)));
  }

  private static List<Element> elements(Document document, String name) {
    NodeList nodes = document.getElementsByTagName(name);
    return IntStream.range(0, nodes.getLength())
        .mapToObj(i -> (Element) nodes.item(i))
        .collect(Collectors.toList());
  }

  private static List<String> texts(Document document) {
    return elements(document, "text").stream()
        .map(Element::getTextContent)
        .collect(Collectors.toList());
  }

  private static double[] points(Element polyline) {
    return Arrays.stream(polyline.getAttribute("points").trim().split("[ ,]"))
        .mapToDouble(Double::parseDouble)
        .toArray();
  }

  @Test
  void axesAndCurvesAreLabelledAndInPlace() throws Exception {
    Document document =
        parse(LossCurve.svg(falling(100), List.of(new Point(50, 2), new Point(100, 3))));
    List<String> texts = texts(document);
    assertTrue(
        texts.containsAll(
            List.of("training loss", "validation loss", "step", "loss (nats per token)")));
    assertTrue(texts.containsAll(List.of("0", "20", "100")), "steps");
    assertTrue(texts.containsAll(List.of("1", "2", "5")), "losses");
    assertEquals(2, elements(document, "circle").size());
    double[] training = points(elements(document, "polyline").get(0));
    assertEquals(780, training[training.length - 2], "the last step is at the right end");
    assertEquals(40, training[1], "the largest loss is at the top");
    double[] validation = points(elements(document, "polyline").get(1));
    assertEquals(425, validation[0], "the middle");
    assertTrue(validation[3] < validation[1], "more loss is higher");
  }

  @Test
  void aLongRunIsAveraged() throws Exception {
    List<Point> noise = new ArrayList<>();
    for (int step = 1; step <= 100_000; step++) {
      noise.add(new Point(step, step % 2 == 0 ? 1 : 3));
    }
    String svg = LossCurve.svg(noise, List.of());
    assertTrue(svg.length() < 20_000, svg.length() + " characters");
    double[] curve = points(elements(parse(svg), "polyline").get(0));
    assertEquals(curve[1], curve[curve.length - 1], 0.1, "the mean is always 2");
    assertEquals(1, elements(parse(svg), "polyline").size(), "no validation");
  }

  @Test
  void fewOrEqualPointsMakeAPictureToo() throws Exception {
    parse(LossCurve.svg(List.of(), List.of()));
    parse(LossCurve.svg(List.of(new Point(1, 2)), List.of()));
    parse(LossCurve.svg(List.of(new Point(1, 2), new Point(2, 2)), List.of(new Point(2, 2))));
  }

  @Test
  void metricsGoOnBehindAStep(@TempDir Path folder) throws IOException {
    Path file = folder.resolve("metrics.jsonl");
    try (MetricsFile metrics = MetricsFile.open(file, 0)) {
      for (long step = 1; step <= 5; step++) {
        metrics.step(new StepReport(step, 2.5 / step, 1, 1e-3, 10, 12, 0.5, 0.1));
        metrics.evaluation(step, new Evaluation(3, 10, 1, 0.1));
      }
    }
    MetricsFile.open(file, 3).close();
    assertEquals(3, MetricsFile.read(file, "loss").size());
    assertEquals(new Point(3, 3), MetricsFile.read(file, "validation_loss").get(2));
    assertEquals(
        "{\"step\": 1, \"loss\": 2.5, \"gradient_norm\": 1.0, \"learning_rate\": 0.001,"
            + " \"targets\": 10, \"tokens\": 12, \"seconds\": 0.5, \"tokens_per_second\": 24.0,"
            + " \"epochs\": 0.1}",
        Files.readAllLines(file).get(0));
    MetricsFile.open(file, 0).close();
    assertEquals(0, Files.size(file), "a new run begins anew");
  }
}
