package dev.llama.benchmarks;

import dev.llama.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Text to ids and back, on one thread. The counter {@code bytes} is bytes of UTF-8 per second.
 *
 * <pre>
 * mvn -Pbenchmarks -pl benchmarks -am package -DskipTests
 * java -jar benchmarks/target/benchmarks.jar TokenizerBenchmark \
 *     -p tokenizer=/models/llama/tokenizer.model -p text=/texts/mixed.txt
 * </pre>
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 5, time = 2)
@Measurement(iterations = 10, time = 1)
@Fork(1)
public class TokenizerBenchmark {
  private static final int GENERATED_WORDS = 400_000;

  /** A tokenizer file, or a folder that holds one. */
  @Param("tokenizer.model")
  public String tokenizer;

  /** A text file in UTF-8; if empty, a text of random words and code is made. */
  @Param("")
  public String text;

  private Tokenizer loaded;
  private String decoded;
  private int[] ids;
  private int utf8Length;

  /** Reads tokenizer and text. */
  @Setup
  public void load() throws IOException {
    loaded = Tokenizer.load(Path.of(tokenizer));
    decoded = text.isEmpty() ? generate() : Files.readString(Path.of(text));
    utf8Length = decoded.getBytes(StandardCharsets.UTF_8).length;
    ids = loaded.encode(decoded);
    if (!decoded.equals(loaded.decode(ids))) {
      throw new IllegalStateException("decoding does not give the text back");
    }
  }

  /** Bytes per second. */
  @State(Scope.Thread)
  @AuxCounters(AuxCounters.Type.OPERATIONS)
  public static class Counters {
    /** Bytes of UTF-8. */
    public long bytes;
  }

  /** Text to ids. */
  @Benchmark
  public int[] encode(Counters counters) {
    counters.bytes += utf8Length;
    return loaded.encode(decoded);
  }

  /** Ids to text. */
  @Benchmark
  public String decode(Counters counters) {
    counters.bytes += utf8Length;
    return loaded.decode(ids);
  }

  /** Ids to text, one at a time. */
  @Benchmark
  public int stream(Counters counters) {
    counters.bytes += utf8Length;
    Tokenizer.Decoder decoder = loaded.newDecoder();
    int length = 0;
    for (int id : ids) {
      length += decoder.append(id).length();
    }
    return length + decoder.flush().length();
  }

  /** Words by a power law, as in text, and a line of code now and then. */
  private static String generate() {
    String syllables = "the an re con tion ing er is ma ver le sta pro ent ous al be";
    String[] parts = syllables.split(" ");
    Random random = new Random(1);
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < GENERATED_WORDS; i++) {
      int rank = (int) Math.pow(20_000, random.nextDouble());
      Random word = new Random(rank);
      for (int syllable = 0; syllable <= word.nextInt(4); syllable++) {
        text.append(parts[word.nextInt(parts.length)]);
      }
      text.append(i % 17 == 0 ? ".\n" : i % 7 == 0 ? ", " : " ");
      if (i % 60 == 0) {
        text.append("    for (int i = ").append(rank).append("; i < n; i++) { sum += a[i]; }\n");
      }
    }
    return text.toString();
  }
}
