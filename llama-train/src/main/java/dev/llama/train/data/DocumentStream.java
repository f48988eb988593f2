package dev.llama.train.data;

import java.util.ArrayList;
import java.util.List;

/**
 * The documents of one side of a corpus in random order, pass after pass. The blocks of the corpus
 * come in random order, and the documents of {@value #WINDOW} blocks, which are in memory at a
 * time, are mixed with one another. A document's place is three numbers, from which it is found
 * again.
 */
final class DocumentStream {
  /** Blocks whose documents are mixed. */
  private static final int WINDOW = 16;

  private final Corpus corpus;
  private final Corpus.Side side;
  private final long seed;
  private final boolean shuffle;
  private final List<Corpus.Block> blocks = new ArrayList<>();

  private final List<Corpus.Block> order = new ArrayList<>(); // of the pass `orderedPass`
  private long orderedPass = -1;
  private final List<String> window = new ArrayList<>();
  private Place windowPlace; // of the first document in `window`; null before the first one
  private Place place = new Place(0, 0, 0);

  /**
   * Where a document is.
   *
   * @param pass number of the pass through the data, from 0
   * @param window number of the group of blocks in this pass
   * @param document number within the group
   */
  record Place(long pass, int window, int document) {}

  DocumentStream(Corpus corpus, Corpus.Side side, long seed, boolean shuffle) {
    this.corpus = corpus;
    this.side = side;
    this.seed = seed;
    this.shuffle = shuffle;
    for (Corpus.Block block : corpus.blocks()) {
      if (block.count(side) > 0) {
        blocks.add(block);
      }
    }
  }

  /** Returns where the document is that {@link #next} returns next. */
  Place place() {
    return place;
  }

  /** Goes to a document. */
  void moveTo(Place newPlace) {
    place = newPlace;
  }

  /** Returns the next document; there has to be one on this side of the corpus. */
  String next() {
    load();
    String document = window.get(place.document());
    if (place.document() + 1 < window.size()) {
      place = new Place(place.pass(), place.window(), place.document() + 1);
    } else if ((place.window() + 1) * WINDOW < blocks.size()) {
      place = new Place(place.pass(), place.window() + 1, 0);
    } else {
      place = new Place(place.pass() + 1, 0, 0);
    }
    return document;
  }

  /** Returns the number of documents of this pass that are before the place. */
  long done() {
    orderBlocks();
    long done = place.document();
    for (int i = 0; i < place.window() * WINDOW; i++) {
      done += order.get(i).count(side);
    }
    return done;
  }

  /** Returns whether a place is one of this stream. */
  boolean has(Place other) {
    if (other.pass() < 0 || other.window() < 0 || other.document() < 0) {
      return false;
    }
    Place before = place;
    try {
      place = other;
      if ((long) place.window() * WINDOW >= blocks.size()) {
        return false;
      }
      load();
      return place.document() < window.size();
    } finally {
      place = before;
    }
  }

  /** Reads the documents of the place's window unless they are there. */
  private void load() {
    Place start = new Place(place.pass(), place.window(), 0);
    if (start.equals(windowPlace)) {
      return;
    }
    orderBlocks();
    windowPlace = null;
    window.clear();
    int first = place.window() * WINDOW;
    for (Corpus.Block block : order.subList(first, Math.min(first + WINDOW, order.size()))) {
      corpus.read(block, side, window);
    }
    if (shuffle) {
      Shuffle.of(seed, place.pass(), place.window()).apply(window);
    }
    windowPlace = start;
  }

  private void orderBlocks() {
    if (orderedPass != place.pass()) {
      order.clear();
      order.addAll(blocks);
      if (shuffle) {
        Shuffle.of(seed, place.pass()).apply(order);
      }
      orderedPass = place.pass();
    }
  }
}
