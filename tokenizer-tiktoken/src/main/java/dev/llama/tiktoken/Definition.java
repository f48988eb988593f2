package dev.llama.tiktoken;

import dev.llama.FormatException;
import dev.llama.InvalidInputException;
import dev.llama.TokenizerOptions;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;

/** A tokenizer while it is read from a file: tokens first, then what refers to them. */
final class Definition {
  /** Longer ordinary tokens do not occur, and would make loading slow. */
  static final int MAX_TOKEN_BYTES = 1024;

  private static final List<String> END_NAMES =
      List.of(Llama3.END_OF_TEXT, "<|endoftext|>", "</s>");

  private final Path origin;
  private byte[] pool; // the bytes of all tokens
  private int used;
  private int[] starts; // by id, in the pool
  private int[] ends; // by id; 0 if there is no such token
  private int size;
  private final BitSet ordinary = new BitSet();
  private final List<AddedToken> added = new ArrayList<>();
  private final Set<String> addedTexts = new HashSet<>();
  private final Set<Integer> stopIds = new LinkedHashSet<>();

  OptionalInt bos = OptionalInt.empty();
  OptionalInt eos = OptionalInt.empty();
  boolean addsBos;
  Splitter splitter;

  /** The pattern that the splitter stands for. */
  String pattern;

  /** Whether a space goes before text that does not begin with one. */
  boolean prefixesSpace;

  /** Whether a piece that is a token is that token even if no merges lead to it. */
  boolean wholePiecesFirst;

  /**
   * Starts a definition.
   *
   * @param expected about how many tokens there are
   */
  Definition(Path origin, int expected) {
    this.origin = origin;
    int ids = Math.min(expected, MergeTable.MAX_IDS) + 1;
    this.starts = new int[ids];
    this.ends = new int[ids];
    this.pool = new byte[8 * ids];
  }

  /** Adds a token that text is made of. */
  void ordinary(int id, byte[] bytes) {
    ordinary(id, bytes, bytes.length);
  }

  /** Adds a token that text is made of: the first {@code length} of some bytes. */
  void ordinary(int id, byte[] bytes, int length) {
    if (length > MAX_TOKEN_BYTES) {
      throw broken("token " + id + " has " + length + " bytes; the limit is " + MAX_TOKEN_BYTES);
    }
    put(id, bytes, length);
    ordinary.set(id);
  }

  /** Adds a token that has a text but does not come from encoding. */
  void decodeOnly(int id, String text) {
    put(id, text.getBytes(StandardCharsets.UTF_8));
  }

  private void put(int id, byte[] bytes) {
    put(id, bytes, bytes.length);
  }

  /** Adds a token that is recognised in text; its id may be that of a token added before. */
  void added(AddedToken token) {
    byte[] bytes = token.text().getBytes(StandardCharsets.UTF_8);
    int id = token.id();
    if (has(id)) {
      if (!Arrays.equals(token(id), bytes)) {
        throw broken(
            "the added token \""
                + token.text()
                + "\" has id "
                + id
                + ", which is \""
                + new String(token(id), StandardCharsets.UTF_8)
                + "\" in the vocabulary; ids must differ");
      }
      if (token.special()) {
        ordinary.clear(id);
      }
    } else {
      put(id, bytes);
    }
    if (!addedTexts.add(token.text())) {
      throw broken("the added token \"" + token.text() + "\" is there twice");
    }
    added.add(token);
  }

  private void put(int id, byte[] bytes, int length) {
    if (id < 0 || id >= MergeTable.MAX_IDS) {
      throw broken("token id " + id + " is not between 0 and " + (MergeTable.MAX_IDS - 1));
    }
    if (length == 0) {
      throw broken("token " + id + " is empty");
    }
    if (has(id)) {
      throw broken("two tokens have the id " + id);
    }
    if (id >= ends.length) {
      int grown = Math.min(id + 1 + (id >> 1), MergeTable.MAX_IDS);
      starts = Arrays.copyOf(starts, grown);
      ends = Arrays.copyOf(ends, grown);
    }
    if (length > pool.length - used) {
      pool = Arrays.copyOf(pool, Math.addExact(used + length, pool.length >> 1));
    }
    System.arraycopy(bytes, 0, pool, used, length);
    starts[id] = used;
    used += length;
    ends[id] = used;
    size = Math.max(size, id + 1);
  }

  private boolean has(int id) {
    return id >= 0 && id < size && ends[id] != 0;
  }

  /** Adds a token at which a model stops, if there is one. */
  void stop(OptionalInt id) {
    if (id.isPresent()) {
      stopIds.add(id.getAsInt());
    }
  }

  /** Returns the number of ids. */
  int size() {
    return size;
  }

  /** Returns the bytes of a token, or {@code null} where an id has none. */
  byte[] token(int id) {
    return has(id) ? Arrays.copyOfRange(pool, starts[id], ends[id]) : null;
  }

  /** Returns the tokens that are recognised in text. */
  List<AddedToken> added() {
    return added;
  }

  /** Returns the file. */
  Path origin() {
    return origin;
  }

  /** Returns whether an id is a token that text is made of. */
  boolean isOrdinary(int id) {
    return ordinary.get(id);
  }

  /** Returns an error that names the file. */
  FormatException broken(String problem) {
    return new FormatException(origin, problem);
  }

  /** Replaces the special tokens, and bos and eos, by those of the options if they are given. */
  void apply(TokenizerOptions options) {
    if (!options.specialTokens().isEmpty()) {
      added.removeIf(AddedToken::special);
      options.specialTokens().entrySet().stream()
          .sorted(Map.Entry.comparingByValue(Comparator.<Integer>naturalOrder()))
          .forEach(e -> special(e.getKey(), e.getValue()));
    }
    if (!bos.isPresent()) {
      bos = idOf(Llama3.BEGIN_OF_TEXT);
    }
    for (int i = 0; !eos.isPresent() && i < END_NAMES.size(); i++) {
      eos = idOf(END_NAMES.get(i));
    }
    if (options.bos().isPresent()) {
      bos = known("bos", options.bos());
    }
    if (options.eos().isPresent()) {
      eos = known("eos", options.eos());
    }
  }

  private void special(String text, int id) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    String fault = null;
    if (bytes.length == 0) {
      fault = "the text is empty";
    } else if (id < 0 || id >= MergeTable.MAX_IDS) {
      fault = "ids run from 0 to " + (MergeTable.MAX_IDS - 1);
    } else if (id < size && ordinary.get(id)) {
      fault = "that is an ordinary token; those of the file end at " + (ordinary.length() - 1);
    } else if (has(id) && !Arrays.equals(token(id), bytes)) {
      fault = "that is \"" + new String(token(id), StandardCharsets.UTF_8) + "\" already";
    } else if (added.stream().anyMatch(token -> token.text().equals(text))) {
      fault = "the file has an added token of this text";
    }
    if (fault != null) {
      throw new InvalidInputException(
          "TokenizerOptions.specialTokens gives \"" + text + "\" the id " + id + ": " + fault);
    }
    if (!has(id)) {
      put(id, bytes);
    }
    added.add(AddedToken.special(text, id));
  }

  private OptionalInt known(String name, OptionalInt id) {
    int value = id.getAsInt();
    if (!has(value)) {
      throw new InvalidInputException(
          "TokenizerOptions."
              + name
              + " is "
              + value
              + ", which is not in the vocabulary of "
              + size
              + " tokens");
    }
    return id;
  }

  private OptionalInt idOf(String special) {
    for (AddedToken token : added) {
      if (token.special() && token.text().equals(special)) {
        return OptionalInt.of(token.id());
      }
    }
    return OptionalInt.empty();
  }

  /** Checks the tokens and lets {@code merges} look them up. */
  ByteLevelTokenizer build(Merges merges) {
    TokenBytes bytes =
        new TokenBytes(
            Arrays.copyOf(pool, used + Utf8.PADDING),
            Arrays.copyOf(starts, size),
            Arrays.copyOf(ends, size));
    TokenTable all = new TokenTable(bytes, ordinary);
    if (all.duplicate() >= 0) {
      int id = all.duplicate();
      throw broken(
          "token "
              + id
              + ", \""
              + ByteAlphabet.write(token(id))
              + "\", is there twice, also as token "
              + all.find(bytes.words(), bytes.start(id), bytes.length(id)));
    }
    int[] byteIds = byteIds();
    MergeTable table = merges.table(bytes, all);
    BytePairs pairs = new BytePairs(byteIds, table, all);
    if (!wholePiecesFirst) {
      pairs = new BytePairs(byteIds, table, reachable(bytes, byteIds, table));
    }
    stop(eos);
    stop(idOf(Llama3.END_OF_TURN));
    stop(idOf(Llama3.END_OF_MESSAGE));
    return new ByteLevelTokenizer(this, bytes, pairs, new AddedTokens(added), stopIds);
  }

  /** Makes the merges once the tokens are known. */
  interface Merges {
    /** Returns the merges of tokens; {@code table} finds those that text is made of. */
    MergeTable table(TokenBytes tokens, TokenTable table);
  }

  private int[] byteIds() {
    int[] ids = new int[256];
    Arrays.fill(ids, -1);
    for (int id = ordinary.nextSetBit(0); id >= 0; id = ordinary.nextSetBit(id + 1)) {
      if (ends[id] == starts[id] + 1) {
        ids[pool[starts[id]] & 0xFF] = id;
      }
    }
    for (int b = 0; b < 256; b++) {
      if (ids[b] < 0) {
        throw broken(
            "no token stands for the single byte "
                + b
                + "; all 256 must be there, or some text could not be encoded");
      }
    }
    return ids;
  }

  /** Finds the tokens that the merges make out of their own bytes. */
  private TokenTable reachable(TokenBytes bytes, int[] byteIds, MergeTable merges) {
    BitSet reached = new BitSet();
    BytePairs pairs = new BytePairs(byteIds, merges, new TokenTable(bytes, reached));
    PieceEncoder encoder = new PieceEncoder(pairs, bytes.pool());
    for (int id = ordinary.nextSetBit(0); id >= 0; id = ordinary.nextSetBit(id + 1)) {
      int before = encoder.size();
      encoder.encode(bytes.start(id), bytes.start(id) + bytes.length(id));
      reached.set(id, encoder.size() == before + 1 && encoder.id(before) == id);
    }
    return new TokenTable(bytes, reached);
  }
}
