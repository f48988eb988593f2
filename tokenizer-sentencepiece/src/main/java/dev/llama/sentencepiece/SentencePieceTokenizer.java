package dev.llama.sentencepiece;

import dev.llama.InvalidInputException;
import dev.llama.Specials;
import dev.llama.Tokenizer;
import dev.llama.sentencepiece.Definition.AddedToken;
import dev.llama.sentencepiece.Definition.Ends;
import java.nio.CharBuffer;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.IntPredicate;

/**
 * Text to token ids and back, as the SentencePiece library does it. Immutable.
 *
 * <p>Where SentencePiece and the general contract differ, SentencePiece wins: control tokens such
 * as {@code <s>} decode to nothing, the unknown token to {@code " ⁇ "}, every byte of a broken
 * UTF-8 sequence to one U+FFFD. Decoding takes its tokens for a whole text and leaves out the one
 * leading space that encoding put there.
 *
 * <p>Each stretch of text between special tokens is encoded as a text of its own, with the leading
 * space that the file asks for. User-defined pieces are tokens wherever their text occurs.
 */
final class SentencePieceTokenizer implements Tokenizer {
  private final List<Definition.Piece> pieces;
  private final Definition.Normalization normalization;
  private final Ends ends;
  private final Map<String, Integer> specialTokens;
  private final BytePairEncoder encoder;
  private final SurfaceTable surface;

  /** Finds indexes into {@link #added} in the raw text. */
  private final TokenMatcher rawMatcher = new TokenMatcher();

  private final List<AddedToken> added;
  private final boolean alwaysMatchesRaw;

  /** Finds ids in normalized text. */
  private final TokenMatcher normalizedMatcher = new TokenMatcher();

  SentencePieceTokenizer(Definition definition) {
    pieces = List.copyOf(definition.pieces());
    normalization = definition.normalization();
    ends = definition.ends();
    specialTokens = definition.specialTokens();
    encoder = new BytePairEncoder(definition);
    surface = new SurfaceTable(definition);
    added = List.copyOf(definition.added());
    boolean always = false;
    for (int i = 0; i < added.size(); i++) {
      rawMatcher.add(added.get(i).text(), i);
      always |= !added.get(i).special();
    }
    alwaysMatchesRaw = always;
    for (Map.Entry<String, Integer> token : definition.inText().entrySet()) {
      // A real space cannot come out of normalization.
      if (token.getKey().indexOf(' ') < 0) {
        normalizedMatcher.add(BytePairEncoder.plain(token.getKey()), token.getValue());
      }
    }
  }

  @Override
  public int[] encode(CharSequence text, Specials specials) {
    for (String name : specials.names()) {
      if (!specialTokens.containsKey(name)) {
        throw new InvalidInputException(
            "Specials names \""
                + name
                + "\", the vocabulary has the special tokens "
                + specialTokens.keySet());
      }
    }
    String raw = text.toString();
    Run run = new Run(raw);
    if (rawMatcher.isEmpty() || specials.isNone() && !alwaysMatchesRaw) {
      run.encode(0, raw.length());
    } else {
      IntPredicate allowed = i -> !added.get(i).special() || specials.contains(added.get(i).text());
      encodeAround(raw, allowed, run);
    }
    return run.ids.toArray();
  }

  /** Cuts the text at the tokens of the raw text. */
  private void encodeAround(String raw, IntPredicate allowed, Run run) {
    int start = 0;
    int at = 0;
    while (at < raw.length()) {
      long match = rawMatcher.mayStart(raw.charAt(at)) ? rawMatcher.longest(raw, at, allowed) : -1;
      if (match < 0) {
        at++;
        continue;
      }
      AddedToken token = added.get((int) match);
      int end = at;
      while (token.stripLeft() && end > start && isWhiteSpace(raw.charAt(end - 1))) {
        end--;
      }
      run.encode(start, end);
      run.ids.add(token.id());
      at = (int) (match >> 32);
      while (token.stripRight() && at < raw.length() && isWhiteSpace(raw.charAt(at))) {
        at++;
      }
      start = at;
    }
    run.encode(start, raw.length());
  }

  /** The White_Space property of Unicode. */
  private static boolean isWhiteSpace(char c) {
    return c >= '\t' && c <= '\r' || c == '\u0085' || Character.isSpaceChar(c);
  }

  /** One call's working memory. */
  private final class Run {
    final Ids ids;
    private final String raw;
    private final Normalizer normalizer = new Normalizer(normalization);
    private final Merger merger = encoder.newMerger();

    Run(String raw) {
      this.raw = raw;
      this.ids = new Ids(raw.length() / 3);
    }

    void encode(int from, int to) {
      if (from == to) {
        return;
      }
      normalizer.normalize(raw, from, to);
      char[] chars = normalizer.chars;
      int start = normalizer.from;
      int end = normalizer.to;
      if (!normalizedMatcher.isEmpty()) {
        CharSequence view = CharBuffer.wrap(chars, 0, end);
        int at = start;
        while (at < end) {
          long match =
              normalizedMatcher.mayStart(chars[at])
                  ? normalizedMatcher.longest(view, at, id -> true)
                  : -1;
          if (match < 0) {
            at++;
            continue;
          }
          encoder.encode(chars, start, at, merger, ids);
          ids.add((int) match);
          at = (int) (match >> 32);
          start = at;
        }
      }
      encoder.encode(chars, start, end, merger, ids);
    }
  }

  @Override
  public String decode(int... ids) {
    return surface.decode(ids);
  }

  @Override
  public byte[] decodeBytes(int... ids) {
    return surface.decodeBytes(ids);
  }

  @Override
  public Decoder newDecoder() {
    return new StreamDecoder(surface);
  }

  @Override
  public String piece(int id) {
    surface.check(id);
    return pieces.get(id).text();
  }

  @Override
  public int vocabularySize() {
    return pieces.size();
  }

  @Override
  public OptionalInt bos() {
    return ends.bos();
  }

  @Override
  public OptionalInt eos() {
    return ends.eos();
  }

  @Override
  public Set<Integer> stopIds() {
    return ends.stopIds();
  }

  @Override
  public boolean addsBos() {
    return ends.addsBos();
  }

  @Override
  public Map<String, Integer> specialTokens() {
    return specialTokens;
  }
}
