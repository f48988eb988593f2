package dev.llama.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.llama.OpListener;
import java.io.PrintStream;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** How long each operation took in all, and what share that is of the time that went by. */
final class OpTimes implements OpListener {
  private final Map<String, Time> times = new HashMap<>();
  private long wall;

  /** Calls of one operation. */
  private static final class Time {
    private long calls;
    private long nanos;
  }

  @Override
  public void ran(String op, long nanos) {
    Time time = times.computeIfAbsent(op, name -> new Time());
    time.calls++;
    time.nanos += nanos;
  }

  void addWall(long nanos) {
    wall += nanos;
  }

  void clear() {
    times.clear();
    wall = 0;
  }

  OpTimes copy() {
    OpTimes copy = new OpTimes();
    copy.wall = wall;
    times.forEach(
        (op, time) -> {
          Time same = new Time();
          same.calls = time.calls;
          same.nanos = time.nanos;
          copy.times.put(op, same);
        });
    return copy;
  }

  private List<Map.Entry<String, Time>> longestFirst() {
    Comparator<Map.Entry<String, Time>> order =
        Comparator.comparingLong(entry -> -entry.getValue().nanos);
    return times.entrySet().stream().sorted(order).toList();
  }

  private double share(long nanos) {
    return wall == 0 ? 0 : (double) nanos / wall;
  }

  /** Prints a table; nothing if nothing was timed. */
  void print(PrintStream out, String test) {
    if (times.isEmpty()) {
      return;
    }
    Table table = new Table("lrrrr").row(test, "calls", "us each", "ms", "% of wall");
    long sum = 0;
    for (Map.Entry<String, Time> entry : longestFirst()) {
      Time time = entry.getValue();
      sum += time.nanos;
      row(table, entry.getKey(), time.calls, time.nanos);
    }
    row(table, "other", 1, wall - sum);
    out.println();
    table.print(out);
  }

  private void row(Table table, String name, long calls, long nanos) {
    table.row(
        name,
        calls,
        Units.decimals(nanos / 1e3 / calls, 1),
        Units.decimals(nanos / 1e6, 1),
        Units.decimals(100 * share(nanos), 1));
  }

  JsonArray json() {
    JsonArray ops = new JsonArray();
    for (Map.Entry<String, Time> entry : longestFirst()) {
      JsonObject op = new JsonObject();
      op.addProperty("op", entry.getKey());
      op.addProperty("calls", entry.getValue().calls);
      op.addProperty("seconds", entry.getValue().nanos / 1e9);
      op.addProperty("share_of_wall", share(entry.getValue().nanos));
      ops.add(op);
    }
    return ops;
  }
}
