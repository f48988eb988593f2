package dev.llama.core.quantize;

import dev.llama.CancelledException;
import dev.llama.DType;
import dev.llama.FormatException;
import dev.llama.InvalidInputException;
import dev.llama.core.files.GgufFile;
import dev.llama.core.files.GgufWriter;
import dev.llama.core.quantize.QuantizationReport.TensorReport;
import dev.llama.spi.TensorData;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Stores a model as a GGUF file of version 3 that this library, llama.cpp and the Python package
 * gguf read. Rows are converted a few at a time on several threads, so that memory does not grow
 * with the model. The file appears when it is complete; nothing is left behind otherwise.
 *
 * <p>One instance quantises one model at a time; {@link #cancel()} may be called by any thread.
 */
public final class Quantizer {
  private static final Logger LOG = LoggerFactory.getLogger(Quantizer.class);

  /** Version of the formats of quantised types in ggml. */
  private static final int FORMAT_VERSION = 2;

  private final QuantizeOptions options;
  private final ProgressListener listener;
  private volatile boolean cancelled;

  /**
   * Prepares to quantise.
   *
   * @param options type and rules
   * @param listener is told how much is done
   */
  public Quantizer(QuantizeOptions options, ProgressListener listener) {
    this.options = options;
    this.listener = listener;
  }

  /** Is told how much is done. */
  @FunctionalInterface
  public interface ProgressListener {
    /**
     * Called by one thread at a time, not necessarily the same.
     *
     * @param done bytes of the source that are done
     * @param total bytes of the source
     */
    void progress(long done, long total);
  }

  /** Makes {@link #quantize} end soon with a {@link CancelledException}. Idempotent. */
  public void cancel() {
    cancelled = true;
  }

  /**
   * Quantises a model.
   *
   * @param input a folder with config.json and safetensors, or a .gguf file
   * @param output the file to write, in a folder that is there
   * @return what became of each tensor
   * @throws FormatException if the input is missing or broken, holds what a GGUF file cannot say,
   *     or is quantised already and {@link QuantizeOptions#requantize()} is false
   * @throws InvalidInputException if the output is there and {@link QuantizeOptions#overwrite()} is
   *     false, is the input itself, or cannot be written
   * @throws CancelledException after {@link #cancel()}, or if the calling thread is interrupted
   */
  public QuantizationReport quantize(Path input, Path output) {
    if (Thread.currentThread().isInterrupted()) {
      throw new CancelledException(output + ": interrupted before it was begun");
    }
    checkOutput(input, output);
    try (Source source =
        GgufFile.isGguf(input) ? GgufSource.open(input) : FolderSource.open(input)) {
      TensorTypes types = new TensorTypes(options.type(), options.pure(), source.config());
      GgufWriter writer = new GgufWriter();
      source.describe(writer);
      writer.put("general.file_type", options.type().fileType());
      writer.put("general.quantization_version", FORMAT_VERSION);
      List<DType> targets = new ArrayList<>();
      for (Source.Item item : source.items()) {
        TensorData data = item.data();
        DType target = types.of(item.name(), data.shape());
        targets.add(target);
        writer.tensor(item.name(), target, data.shape());
      }
      checkSource(source, targets);
      return write(source, targets, writer, output);
    }
  }

  private void checkOutput(Path input, Path output) {
    Path folder = output.toAbsolutePath().getParent();
    if (Files.isDirectory(output)) {
      throw new InvalidInputException(output + ": is a folder, expected the name of a file");
    }
    if (folder == null || !Files.isDirectory(folder)) {
      throw new InvalidInputException(output + ": there is no folder " + folder + "; create it");
    }
    if (!Files.exists(output)) {
      return;
    }
    try {
      if (Files.isSameFile(input, output)) {
        throw new InvalidInputException(
            output + ": is the source itself, expected another file; the source is kept");
      }
    } catch (IOException e) {
      LOG.debug("{} and {} cannot be compared", input, output, e); // one of them is not there
    }
    if (!options.overwrite()) {
      throw new InvalidInputException(
          output + ": is there already; choose another name, or allow to overwrite it (--force)");
    }
  }

  private void checkSource(Source source, List<DType> targets) {
    for (int i = 0; i < targets.size(); i++) {
      Source.Item item = source.items().get(i);
      DType type = item.data().type();
      if (Format.of(type) == null) {
        throw new FormatException(
            source.path(),
            item.name() + " is stored as " + type + ", expected floats or a quantised type");
      }
      if (type.isQuantized() && type != targets.get(i) && !options.requantize()) {
        throw new FormatException(
            source.path(),
            item.name()
                + " is "
                + type
                + " already, expected F32, F16 or BF16: quantising twice loses more; take the"
                + " original model, or allow it (--allow-requantize)");
      }
    }
  }

  private QuantizationReport write(
      Source source, List<DType> targets, GgufWriter writer, Path output) {
    byte[] header = writer.header();
    long size = writer.dataStart() + writer.dataSize();
    try (PartialFile file = PartialFile.create(output)) {
      checkSpace(output, size);
      file.write(ByteBuffer.wrap(header), 0);
      Conversion conversion =
          new Conversion(source, targets, writer, file, listener, () -> cancelled);
      double[] errors = conversion.run(threads());
      file.extend(size);
      if (cancelled) {
        throw new CancelledException(output + ": stopped; nothing is left of it");
      }
      file.complete(options.overwrite());
      return report(source, targets, errors, size);
    } catch (InterruptedException | ClosedByInterruptException e) {
      Thread.currentThread().interrupt();
      throw new CancelledException(output + ": interrupted; nothing is left of it");
    } catch (IOException e) {
      throw PartialFile.cannotWrite(output, e);
    }
  }

  private int threads() {
    return options.threads() == 0 ? Runtime.getRuntime().availableProcessors() : options.threads();
  }

  private static void checkSpace(Path output, long size) throws IOException {
    long free = Files.getFileStore(output.toAbsolutePath().getParent()).getUsableSpace();
    if (free < size) {
      throw new IOException("it takes " + size + " bytes, and the disk has " + free + " left");
    }
  }

  private static QuantizationReport report(
      Source source, List<DType> targets, double[] errors, long size) {
    List<TensorReport> tensors = new ArrayList<>();
    long before = 0;
    for (int i = 0; i < targets.size(); i++) {
      Source.Item item = source.items().get(i);
      before += item.data().byteSize();
      tensors.add(
          new TensorReport(
              item.name(),
              LongStream.of(item.data().shape()).boxed().collect(Collectors.toList()),
              item.data().type(),
              targets.get(i),
              errors[i]));
    }
    return new QuantizationReport(tensors, before, size);
  }
}
