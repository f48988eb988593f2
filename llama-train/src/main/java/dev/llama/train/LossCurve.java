package dev.llama.train;

import dev.llama.train.MetricsFile.Point;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Draws the loss of a run as an SVG picture: axes with round numbers, and two labelled curves. */
final class LossCurve {
  private static final int WIDTH = 800;
  private static final int HEIGHT = 480;
  private static final int LEFT = 70;
  private static final int RIGHT = 20;
  private static final int TOP = 40;
  private static final int BOTTOM = 60;

  /** More points than this would hide one another. */
  private static final int MAX_POINTS = 500;

  private static final int TICKS = 6;
  private static final String TRAINING = "#4477aa";
  private static final String VALIDATION = "#cc3311";

  private final StringBuilder svg = new StringBuilder();
  private final long lastStep;
  private final double low;
  private final double high;
  private final double lossTick;

  private LossCurve(List<Point> training, List<Point> validation) {
    long last = 1;
    double min = Double.POSITIVE_INFINITY;
    double max = Double.NEGATIVE_INFINITY;
    for (List<Point> points : List.of(training, validation)) {
      for (Point point : points) {
        last = Math.max(last, point.step());
        min = Math.min(min, point.loss());
        max = Math.max(max, point.loss());
      }
    }
    if (min > max) { // no point at all
      min = 0;
      max = 1;
    }
    lastStep = last;
    lossTick = roundTick(Math.max(max - min, 1e-6));
    low = Math.floor(min / lossTick) * lossTick;
    high = Math.max(Math.ceil(max / lossTick) * lossTick, low + lossTick);
  }

  /**
   * Draws a picture.
   *
   * @param training losses of the steps; many are averaged to some hundred points
   * @param validation losses of the evaluations
   * @return the file's text
   */
  static String svg(List<Point> training, List<Point> validation) {
    List<Point> averaged = averaged(training);
    return new LossCurve(averaged, validation).draw(averaged, validation);
  }

  /** Averages neighbours, so that the curve shows the trend of the noise. */
  private static List<Point> averaged(List<Point> points) {
    int group = (points.size() + MAX_POINTS - 1) / MAX_POINTS;
    if (group <= 1) {
      return points;
    }
    List<Point> result = new ArrayList<>();
    for (int first = 0; first < points.size(); first += group) {
      List<Point> some = points.subList(first, Math.min(first + group, points.size()));
      double sum = some.stream().mapToDouble(Point::loss).sum();
      result.add(new Point(some.get(some.size() / 2).step(), sum / some.size()));
    }
    return result;
  }

  /** 1, 2 or 5 times a power of ten, so that about {@link #TICKS} of them cover the range. */
  private static double roundTick(double range) {
    double raw = range / TICKS;
    double power = Math.pow(10, Math.floor(Math.log10(raw)));
    double digit = raw / power;
    return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
  }

  private String draw(List<Point> training, List<Point> validation) {
    add(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\""
            + " height=\"%d\" font-family=\"sans-serif\" font-size=\"14\">%n",
        WIDTH, HEIGHT, WIDTH, HEIGHT);
    add("<rect width=\"%d\" height=\"%d\" fill=\"white\"/>%n", WIDTH, HEIGHT);
    drawLossAxis();
    drawStepAxis();
    drawLegend(0, "training loss", TRAINING);
    drawCurve(training, TRAINING, 1.5);
    if (!validation.isEmpty()) {
      drawLegend(1, "validation loss", VALIDATION);
      drawCurve(validation, VALIDATION, 2);
      for (Point point : validation) {
        add(
            "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>%n",
            x(point.step()), y(point.loss()), VALIDATION);
      }
    }
    return svg.append("</svg>\n").toString();
  }

  private void drawLossAxis() {
    long count = Math.round((high - low) / lossTick);
    int decimals = (int) Math.max(0, Math.min(6, Math.ceil(-Math.log10(lossTick) - 1e-9)));
    for (long i = 0; i <= count; i++) {
      double loss = low + i * lossTick;
      add(
          "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"#dddddd\"/>%n",
          LEFT, y(loss), WIDTH - RIGHT, y(loss));
      add(
          "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%." + decimals + "f</text>%n",
          LEFT - 8,
          y(loss) + 5,
          loss);
    }
    add(
        "<text transform=\"translate(18 %d) rotate(-90)\" text-anchor=\"middle\">loss (nats per"
            + " token)</text>%n",
        (TOP + HEIGHT - BOTTOM) / 2);
  }

  private void drawStepAxis() {
    long tick = (long) Math.max(1, roundTick(lastStep));
    for (long step = 0; step <= lastStep; step += tick) {
      add(
          "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"black\"/>%n",
          x(step), HEIGHT - BOTTOM, x(step), HEIGHT - BOTTOM + 5);
      add(
          "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%d</text>%n",
          x(step), HEIGHT - BOTTOM + 22, step);
    }
    add(
        "<path d=\"M%d %d V%d H%d\" fill=\"none\" stroke=\"black\"/>%n",
        LEFT, TOP, HEIGHT - BOTTOM, WIDTH - RIGHT);
    add(
        "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">step</text>%n",
        (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14);
  }

  private void drawLegend(int index, String name, String colour) {
    int left = LEFT + 20 + 180 * index;
    add(
        "<line x1=\"%d\" y1=\"20\" x2=\"%d\" y2=\"20\" stroke=\"%s\" stroke-width=\"3\"/>%n",
        left, left + 30, colour);
    add("<text x=\"%d\" y=\"25\">%s</text>%n", left + 38, name);
  }

  private void drawCurve(List<Point> points, String colour, double width) {
    if (points.isEmpty()) {
      return;
    }
    svg.append("<polyline fill=\"none\" stroke=\"").append(colour);
    add("\" stroke-width=\"%.1f\" points=\"", width);
    for (Point point : points) {
      add("%.1f,%.1f ", x(point.step()), y(point.loss()));
    }
    svg.append("\"/>\n");
  }

  private double x(long step) {
    return LEFT + (double) (WIDTH - LEFT - RIGHT) * step / lastStep;
  }

  private double y(double loss) {
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (loss - low) / (high - low);
  }

  private void add(String format, Object... values) {
    svg.append(String.format(Locale.ROOT, format.replace("%n", "\n"), values));
  }
}
