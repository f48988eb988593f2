package dev.llama.train.data;

import dev.llama.FormatException;
import dev.llama.TrainingException;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The documents of some files. They are read once when the corpus is opened, which finds every
 * fault in them, counts them, and remembers where a block of about {@value #BLOCK_BYTES} bytes
 * begins; later any block can be read by itself. Immutable once open; blocks may be read from any
 * thread.
 */
final class Corpus implements Closeable {
  /** Small enough to read several at once, large enough to be worth a jump on a disk. */
  static final int BLOCK_BYTES = 1 << 20;

  private final DataFiles files;
  private final double validationFraction;
  private final int blockBytes;
  private final List<Block> blocks = new ArrayList<>();
  private long training;
  private long validation;
  private long fingerprint;

  /** Which side of the split a document is on. */
  enum Side {
    TRAINING,
    VALIDATION
  }

  /**
   * Neighbouring documents of a file.
   *
   * @param start offset of the first
   * @param end offset behind the last
   * @param line of the first
   * @param training number of documents for training
   * @param validation number of the others
   */
  record Block(int file, long start, long end, long line, int training, int validation) {
    int count(Side side) {
      return side == Side.TRAINING ? training : validation;
    }
  }

  /**
   * Reads all files.
   *
   * @param paths files and folders
   * @param options format and rules
   * @param validationFraction share of the documents on the side of validation
   * @param blockBytes {@link #BLOCK_BYTES}, or less in tests
   * @throws FormatException if a file is missing, empty, without documents or broken
   */
  Corpus(List<Path> paths, DataOptions options, double validationFraction, int blockBytes) {
    this.files = new DataFiles(paths, options);
    this.validationFraction = validationFraction;
    this.blockBytes = blockBytes;
    try {
      for (int file = 0; file < files.count(); file++) {
        scan(file);
      }
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  private void scan(int file) {
    int before = blocks.size();
    try (DocumentReader reader = files.open(file, 0, 1)) {
      while (scanBlock(file, reader)) {
        // the next one
      }
    } catch (IOException e) {
      throw files.unreadable(file, e);
    }
    if (blocks.size() == before) {
      throw new FormatException(
          files.path(file), "holds no documents, only white space or headers; leave it out");
    }
  }

  private boolean scanBlock(int file, DocumentReader reader) throws IOException {
    long start = reader.offset();
    long line = reader.line();
    int[] counts = new int[2];
    String document = null;
    while (reader.offset() - start < blockBytes && (document = reader.next()) != null) {
      long hash = hash(document);
      counts[side(hash).ordinal()]++;
      fingerprint = Shuffle.mix(fingerprint + hash);
    }
    if (counts[0] + counts[1] > 0) {
      blocks.add(new Block(file, start, reader.offset(), line, counts[0], counts[1]));
      training += counts[0];
      validation += counts[1];
    }
    return document != null;
  }

  /** Returns the blocks in the order of the files. */
  List<Block> blocks() {
    return blocks;
  }

  long documents(Side side) {
    return side == Side.TRAINING ? training : validation;
  }

  /** Returns a number that depends on every document and on their order. */
  long fingerprint() {
    return fingerprint;
  }

  /**
   * Reads the documents of a block that are on one side.
   *
   * @param documents they are added to it, in the order of the file
   */
  void read(Block block, Side side, List<String> documents) {
    int before = documents.size();
    try (DocumentReader reader = files.open(block.file(), block.start(), block.line())) {
      while (reader.offset() < block.end()) {
        String document = reader.next();
        if (document == null) {
          break;
        }
        if (side(hash(document)) == side) {
          documents.add(document);
        }
      }
    } catch (IOException e) {
      throw files.unreadable(block.file(), e);
    }
    if (documents.size() - before != block.count(side)) {
      throw new TrainingException(
          files.path(block.file())
              + " has changed since it was opened: "
              + (documents.size() - before)
              + " documents where "
              + block.count(side)
              + " were; leave the data alone while they are trained on, and start again");
    }
  }

  private Side side(long hash) {
    // The upper 53 bits as a fraction of 1.
    return (hash >>> 11) * 0x1p-53 < validationFraction ? Side.VALIDATION : Side.TRAINING;
  }

  /** FNV-1a over the characters, and a finish that spreads it over all bits. */
  private static long hash(String document) {
    long hash = 0xCBF29CE484222325L;
    for (int i = 0; i < document.length(); i++) {
      hash = (hash ^ document.charAt(i)) * 0x100000001B3L;
    }
    return Shuffle.mix(hash);
  }

  @Override
  public void close() {
    files.close();
  }
}
