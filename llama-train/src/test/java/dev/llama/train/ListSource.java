package dev.llama.train;

import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** Batches that are all there from the beginning; begins anew at the end, or stops there. */
final class ListSource implements BatchSource {
  private final List<TokenBatch> batches;
  private final boolean endless;
  private int next;

  ListSource(List<TokenBatch> batches, boolean endless) {
    this.batches = batches;
    this.endless = endless;
  }

  static ListSource endless(TokenBatch... batches) {
    return new ListSource(List.of(batches), true);
  }

  /** Rows of documents of various lengths, seeded; every row ends in some padding. */
  static TokenBatch random(int rows, int length, int vocabulary, long seed) {
    Random random = new Random(seed);
    TokenBatch batch = new TokenBatch(rows, length);
    for (int row = 0; row < rows; row++) {
      int at = row * length;
      int end = at + length - random.nextInt(2);
      for (int document = 0; at < end; document++) {
        int last = Math.min(end, at + 1 + random.nextInt(length));
        Arrays.fill(batch.documents(), at, last, document);
        for (int i = at; i < last; i++) {
          batch.tokens()[i] = random.nextInt(vocabulary);
        }
        for (int i = at; i + 1 < last; i++) {
          batch.targets()[i] = batch.tokens()[i + 1];
        }
        at = last;
      }
    }
    return batch;
  }

  @Override
  public boolean next(TokenBatch batch) {
    if (next == batches.size() && endless) {
      next = 0;
    }
    if (next == batches.size()) {
      return false;
    }
    copy(batches.get(next++), batch);
    return true;
  }

  private static void copy(TokenBatch from, TokenBatch to) {
    System.arraycopy(from.tokens(), 0, to.tokens(), 0, from.tokens().length);
    System.arraycopy(from.targets(), 0, to.targets(), 0, from.targets().length);
    System.arraycopy(from.documents(), 0, to.documents(), 0, from.documents().length);
  }

  @Override
  public String state() {
    return Integer.toString(next);
  }

  @Override
  public void restore(String state) {
    next = Integer.parseInt(state);
  }

  @Override
  public double epochs() {
    return (double) next / batches.size();
  }

  @Override
  public void close() {}
}
