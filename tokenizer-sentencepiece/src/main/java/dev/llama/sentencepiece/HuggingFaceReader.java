package dev.llama.sentencepiece;

import dev.llama.FormatException;
import dev.llama.sentencepiece.Definition.AddedToken;
import dev.llama.sentencepiece.Definition.Ends;
import dev.llama.sentencepiece.Definition.Normalization;
import dev.llama.sentencepiece.Definition.Piece;
import dev.llama.sentencepiece.Definition.Prefix;
import dev.llama.sentencepiece.Definition.Surface;
import dev.llama.sentencepiece.Definition.Type;
import dev.llama.sentencepiece.Definition.Unknown;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads a Hugging Face {@code tokenizer.json} of the SentencePiece kind: a BPE model over
 * characters in which U+2581 stands for a space. Every component is honoured or refused by name.
 *
 * <p>The file does not say which tokens begin and end a text. They are the first special token of
 * the post-processor, or else {@code <s>}, and {@code </s>}. Without a post-processor the tokenizer
 * adds the first one, as transformers does with these vocabularies.
 */
final class HuggingFaceReader {
  private static final Logger LOG = LoggerFactory.getLogger(HuggingFaceReader.class);
  private static final String META = String.valueOf(Definition.META_SPACE);

  private final Path origin;
  private final JsonObject document;
  private final JsonObject model;
  private final Map<String, Integer> vocabulary = new HashMap<>();
  private final List<AddedToken> added = new ArrayList<>();
  private final Map<String, Integer> inText = new LinkedHashMap<>();
  private String[] texts;
  private Type[] types;

  private boolean replacesSpaces;
  private boolean normalizerPrepends;
  private boolean metaspacePrepends;
  private Prefix prefix = Prefix.NONE;
  private boolean splitAtSpaces;

  private HuggingFaceReader(Path origin, Map<String, Object> values) {
    this.origin = origin;
    document = new JsonObject(origin, "", values);
    model = document.object("model");
    if (model == null) {
      throw document.wrong("model", "a BPE model; this is no tokenizer.json");
    }
  }

  /**
   * Returns whether the file is not of the byte-level kind, which other tokenizers read.
   *
   * @param values the document
   */
  static boolean recognises(Map<String, Object> values) {
    return !holdsByteLevel(values.get("pre_tokenizer"), "pretokenizers")
        && !holdsByteLevel(values.get("normalizer"), "normalizers")
        && !holdsByteLevel(values.get("decoder"), "decoders");
  }

  private static boolean holdsByteLevel(Object component, String steps) {
    if (!(component instanceof Map<?, ?> map)) {
      return false;
    }
    if ("ByteLevel".equals(map.get("type"))) {
      return true;
    }
    if (map.get(steps) instanceof List<?> list) {
      for (Object step : list) {
        if (step instanceof Map<?, ?> inner && "ByteLevel".equals(inner.get("type"))) {
          return true;
        }
      }
    }
    return false;
  }

  /**
   * Reads a document.
   *
   * @throws FormatException if it is broken or asks for what is not implemented
   */
  static Definition read(Path origin, Map<String, Object> values) {
    return new HuggingFaceReader(origin, values).definition();
  }

  private Definition definition() {
    checkModel();
    normalizer();
    preTokenizer();
    if (!replacesSpaces) {
      throw new FormatException(
          origin,
          "neither normalizer nor pre_tokenizer replaces spaces by U+2581, expected a Replace step"
              + " or Metaspace");
    }
    vocabulary();
    boolean byteFallback = model.flag("byte_fallback", false);
    int unknown = unknown();
    addedTokens();
    if (byteFallback) {
      for (int id = 0; id < texts.length; id++) {
        if (types[id] == Type.NORMAL && Piece.byteValue(texts[id]) >= 0) {
          types[id] = Type.BYTE;
        }
      }
    }
    List<Piece> pieces = new ArrayList<>(texts.length);
    for (int id = 0; id < texts.length; id++) {
      pieces.add(new Piece(texts[id], 0, types[id]));
    }
    boolean dropLeadingSpace = decoder();
    for (String key : new String[] {"truncation", "padding"}) {
      if (document.get(key) != null) {
        LOG.warn("{}: {} is set; encode neither truncates nor pads", origin, key);
      }
    }
    return new Definition(
        origin,
        pieces,
        merges(),
        inText,
        added,
        new Normalization(prefix, false, splitAtSpaces),
        new Unknown(unknown, byteFallback, model.flag("fuse_unk", false)),
        new Surface(" \u2047 ", dropLeadingSpace, false),
        ends());
  }

  private void checkModel() {
    String type = model.text("type", "BPE");
    if (!type.equals("BPE")) {
      throw model.unsupported("BPE, the type of the Llama and Mistral vocabularies");
    }
    for (String key : new String[] {"continuing_subword_prefix", "end_of_word_suffix"}) {
      if (!model.text(key, "").isEmpty()) {
        throw model.wrong(key, "null: such marks are not implemented");
      }
    }
    Object dropout = model.get("dropout");
    if (dropout != null && !dropout.equals(0.0) && !dropout.equals(0L)) {
      throw model.wrong("dropout", "null: random merges are not implemented");
    }
    if (model.flag("ignore_merges", false)) {
      throw model.wrong("ignore_merges", "false");
    }
  }

  private void normalizer() {
    for (JsonObject step : document.steps("normalizer", "normalizers")) {
      switch (step.type()) {
        case "Prepend" -> {
          if (!step.text("prepend", null).equals(META)) {
            throw step.wrong("prepend", "\"" + META + "\"");
          }
          normalizerPrepends = true;
          prefix = Prefix.ALWAYS;
        }
        case "Replace" -> {
          checkReplace(step, " ", META);
          replacesSpaces = true;
        }
        default -> throw step.unsupported("Prepend or Replace");
      }
    }
  }

  private void preTokenizer() {
    for (JsonObject step : document.steps("pre_tokenizer", "pretokenizers")) {
      if (!step.type().equals("Metaspace")) {
        throw step.unsupported("Metaspace or null");
      }
      checkReplacement(step);
      replacesSpaces = true;
      splitAtSpaces |= step.flag("split", true);
      Prefix own =
          switch (scheme(step)) {
            case "always" -> Prefix.UNLESS_SPACE;
            case "first" -> Prefix.FIRST_UNLESS_SPACE;
            case "never" -> Prefix.NONE;
            default -> throw step.wrong("prepend_scheme", "always, first or never");
          };
      metaspacePrepends |= own == Prefix.UNLESS_SPACE;
      if (prefix == Prefix.NONE) {
        prefix = own; // with a Prepend step, every text has its space already
      }
    }
  }

  /** The scheme by its name, or as older files say it. */
  private static String scheme(JsonObject metaspace) {
    boolean prepends = metaspace.flag("add_prefix_space", true);
    return metaspace.text("prepend_scheme", prepends ? "always" : "never");
  }

  private static void checkReplacement(JsonObject metaspace) {
    if (!metaspace.text("replacement", META).equals(META)) {
      throw metaspace.wrong("replacement", "\"" + META + "\"");
    }
  }

  private static void checkReplace(JsonObject step, String from, String to) {
    JsonObject pattern = step.object("pattern");
    if (pattern == null || !from.equals(pattern.get("String")) || !to.equals(step.get("content"))) {
      throw step.unsupported("a Replace step from \"" + from + "\" to \"" + to + "\"");
    }
  }

  /** Numbers all tokens, those of the model and those added to it. */
  private void vocabulary() {
    JsonObject vocab = model.object("vocab");
    if (vocab == null || vocab.values().isEmpty()) {
      throw model.wrong("vocab", "an object of tokens and ids");
    }
    Map<String, Integer> all = new LinkedHashMap<>();
    for (Object key : vocab.values().keySet()) {
      String text = String.valueOf(key);
      all.put(text, vocab.integer(text));
    }
    vocabulary.putAll(all);
    for (JsonObject token : document.objects("added_tokens")) {
      String text = token.text("content", null);
      int id = token.integer("id");
      Integer before = all.putIfAbsent(text, id);
      if (text.isEmpty() || before != null && before != id) {
        throw token.wrong("id", before + ", the id of \"" + text + "\" in the vocabulary");
      }
    }
    texts = new String[all.size()];
    types = new Type[all.size()];
    for (Map.Entry<String, Integer> entry : all.entrySet()) {
      int id = entry.getValue();
      if (id >= texts.length || texts[id] != null) {
        throw new FormatException(
            origin,
            "token \""
                + entry.getKey()
                + "\" has id "
                + id
                + ", expected every id from 0 to "
                + (texts.length - 1)
                + " once: there are "
                + texts.length
                + " tokens");
      }
      texts[id] = entry.getKey();
      types[id] = vocabulary.containsKey(entry.getKey()) ? Type.NORMAL : Type.USER_DEFINED;
    }
  }

  private int unknown() {
    String text = model.text("unk_token", "");
    if (text.isEmpty()) {
      if (!model.flag("byte_fallback", false)) {
        throw model.wrong(
            "unk_token", "a token, or byte_fallback true: other characters would be lost");
      }
      return -1;
    }
    Integer id = vocabulary.get(text);
    if (id == null) {
      throw model.wrong("unk_token", "a token of the vocabulary");
    }
    types[id] = Type.UNKNOWN;
    return id;
  }

  private void addedTokens() {
    for (JsonObject token : document.objects("added_tokens")) {
      String text = token.text("content", null);
      int id = token.integer("id");
      boolean special = token.flag("special", false);
      boolean left = token.flag("lstrip", false);
      boolean right = token.flag("rstrip", false);
      if (token.flag("single_word", false)) {
        throw token.wrong("single_word", "false: looking for word boundaries is not implemented");
      }
      if (special && types[id] != Type.UNKNOWN) {
        types[id] = Type.CONTROL;
      }
      boolean normalized = token.flag("normalized", !special) && !special;
      if (normalized && normalizerPrepends) {
        // Such a token is looked for in the normalized text, in its own normalized form.
        if (left || right || metaspacePrepends) {
          throw token.unsupported(
              "normalized false, or lstrip and rstrip false and one step that prepends a space");
        }
        inText.putIfAbsent(META + text.replace(' ', Definition.META_SPACE), id);
      } else {
        added.add(new AddedToken(text, id, special, left, right));
      }
    }
  }

  private int[] merges() {
    List<?> rules = model.list("merges");
    int[] merges = new int[3 * rules.size()];
    for (int i = 0; i < rules.size(); i++) {
      String[] pair = pair(rules.get(i), i);
      Integer left = vocabulary.get(pair[0]);
      Integer right = vocabulary.get(pair[1]);
      Integer result = vocabulary.get(pair[0] + pair[1]);
      if (left == null || right == null || result == null) {
        throw model.wrong(
            "merges[" + i + "]",
            pair[0] + " " + pair[1],
            "two tokens of the vocabulary whose text together is one");
      }
      if (types[left] != Type.NORMAL || types[right] != Type.NORMAL) {
        throw model.wrong(
            "merges[" + i + "]",
            pair[0] + " " + pair[1],
            "ordinary tokens, no special or byte token");
      }
      merges[3 * i] = left;
      merges[3 * i + 1] = right;
      merges[3 * i + 2] = result;
    }
    return merges;
  }

  /** A rule is written as a list of two, or, in older files, with a space in between. */
  private String[] pair(Object rule, int index) {
    String[] pair = null;
    if (rule instanceof String text) {
      pair = text.split(" ", -1);
    } else if (rule instanceof List<?> list
        && list.size() == 2
        && list.get(0) instanceof String left
        && list.get(1) instanceof String right) {
      pair = new String[] {left, right};
    }
    if (pair == null || pair.length != 2 || pair[0].isEmpty() || pair[1].isEmpty()) {
      throw model.wrong("merges[" + index + "]", rule, "two tokens");
    }
    return pair;
  }

  /** Checks the decoder; returns whether it drops the leading space. */
  private boolean decoder() {
    List<JsonObject> steps = document.steps("decoder", "decoders");
    boolean spaces = false;
    boolean strips = false;
    for (JsonObject step : steps) {
      switch (step.type()) {
        case "Replace" -> {
          checkReplace(step, META, " ");
          spaces = true;
        }
        case "Metaspace" -> {
          checkReplacement(step);
          spaces = true;
          strips = !scheme(step).equals("never");
        }
        case "ByteFallback", "Fuse" -> {}
        case "Strip" -> {
          int start = step.integer("start");
          if (!" ".equals(step.get("content")) || start > 1 || step.integer("stop") != 0) {
            throw step.unsupported("a Strip step of at most one leading space");
          }
          strips |= start == 1;
        }
        default -> throw step.unsupported("Replace, Metaspace, ByteFallback, Fuse or Strip");
      }
    }
    if (!spaces) {
      throw document.wrong("decoder", "a Replace step from U+2581 to a space, or Metaspace");
    }
    return strips;
  }

  private Ends ends() {
    OptionalInt bos = special("<s>");
    boolean addsBos = bos.isPresent();
    if (document.get("post_processor") != null) {
      bos = OptionalInt.empty();
      for (JsonObject step : document.steps("post_processor", "processors")) {
        if (!step.type().equals("TemplateProcessing")) {
          throw step.unsupported("TemplateProcessing or null");
        }
        OptionalInt first = templateStart(step);
        bos = first.isPresent() ? first : bos;
      }
      addsBos = bos.isPresent();
      bos = addsBos ? bos : special("<s>");
    }
    OptionalInt eos = special("</s>");
    return new Ends(bos, eos, eos.isPresent() ? Set.of(eos.getAsInt()) : Set.of(), addsBos);
  }

  private OptionalInt special(String text) {
    for (AddedToken token : added) {
      if (token.special() && token.text().equals(text)) {
        return OptionalInt.of(token.id());
      }
    }
    return OptionalInt.empty();
  }

  /**
   * The token that a template puts before a text; a template that does anything else is refused.
   */
  private OptionalInt templateStart(JsonObject template) {
    List<JsonObject> single = template.objects("single");
    int last = single.size() - 1;
    if (last < 0 || last > 1 || single.get(last).object("Sequence") == null) {
      throw template.unsupported("a template of at most one special token and then the text");
    }
    if (last == 0) {
      return OptionalInt.empty();
    }
    JsonObject token = single.get(0).object("SpecialToken");
    if (token == null) {
      throw template.unsupported("a template of at most one special token and then the text");
    }
    OptionalInt id = special(token.text("id", null));
    if (!id.isPresent()) {
      throw token.wrong("id", "one of the special added_tokens");
    }
    return id;
  }
}
