package dev.llama.tiktoken;

import dev.llama.FormatException;
import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import dev.llama.spi.TokenizerSource;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads byte-level BPE out of a {@code tokenizer.json}. */
final class HuggingFaceReader {
  private static final Logger LOG = LoggerFactory.getLogger(HuggingFaceReader.class);

  private final Path origin;
  private final JsonObject document;
  private final JsonObject model;
  private Definition definition;

  private HuggingFaceReader(Path origin, JsonObject document, JsonObject model) {
    this.origin = origin;
    this.document = document;
    this.model = model;
  }

  /** Reads a file unless it is of another family than byte-level BPE. */
  static Optional<Tokenizer> read(
      TokenizerSource.HuggingFaceJson source, TokenizerOptions options) {
    return reader(source)
        .map(reader -> reader.definition(options).build((bytes, table) -> reader.merges(table)));
  }

  /** Reads a file unless it is of another family, and writes it as GGUF metadata. */
  static Optional<Map<String, Object>> ggufMetadata(
      TokenizerSource.HuggingFaceJson source, TokenizerOptions options) {
    return reader(source)
        .map(
            reader -> {
              Definition definition = reader.definition(options);
              definition.build((bytes, table) -> reader.merges(table)); // checks them
              return GgufExport.of(definition, MergeList.texts(reader.model.list("merges")));
            });
  }

  private static Optional<HuggingFaceReader> reader(TokenizerSource.HuggingFaceJson source) {
    Path origin = source.origin();
    JsonObject document = new JsonObject(origin, "", source.document());
    JsonObject model = document.object("model");
    String type = model.string("type", "BPE"); // old files leave it out
    if (!type.equals("BPE") || model.flag("byte_fallback", false) || !isByteLevel(document)) {
      return Optional.empty();
    }
    return Optional.of(new HuggingFaceReader(origin, document, model));
  }

  private static boolean isByteLevel(JsonObject document) {
    return SplitReader.mentions(document.get("pre_tokenizer"), "ByteLevel")
        || SplitReader.mentions(document.get("decoder"), "ByteLevel");
  }

  private Definition definition(TokenizerOptions options) {
    refuseUnsupported();
    readVocabulary();
    readAddedTokens();
    if (options.pattern().isPresent()) {
      definition.pattern = options.pattern().get();
      definition.splitter = RanksReader.splitter(definition.pattern, true);
    } else {
      SplitReader split = new SplitReader(document.get("pre_tokenizer"), origin);
      definition.pattern = split.pattern();
      definition.splitter = split.splitter();
      definition.prefixesSpace = split.prefixesSpace();
    }
    definition.bos = templateStart(document.objectOrNull("post_processor"));
    definition.addsBos = definition.bos.isPresent();
    definition.wholePiecesFirst = model.flag("ignore_merges", false);
    definition.apply(options);
    return definition;
  }

  /** Refuses what would change the result and is not implemented. */
  private void refuseUnsupported() {
    JsonObject normalizer = document.objectOrNull("normalizer");
    if (normalizer != null && !isEmptySequence(normalizer, "normalizers")) {
      throw normalizer.unsupported("no normalizer");
    }
    JsonObject decoder = document.objectOrNull("decoder");
    if (decoder != null && !decoder.type().equals("ByteLevel")) {
      throw decoder.unsupported("the decoder ByteLevel");
    }
    Object dropout = model.get("dropout");
    if (dropout != null && !(dropout instanceof Number number && number.doubleValue() == 0)) {
      throw model.unsupported("dropout", "null");
    }
    for (String key : List.of("continuing_subword_prefix", "end_of_word_suffix")) {
      if (!model.string(key, "").isEmpty()) {
        throw model.unsupported(key, "null");
      }
    }
    for (String key : List.of("truncation", "padding")) {
      if (document.get(key) != null) {
        LOG.warn("{}: \"{}\" is ignored, texts are encoded whole", origin, key);
      }
    }
  }

  private static boolean isEmptySequence(JsonObject part, String key) {
    return part.type().equals("Sequence") && part.list(key).isEmpty();
  }

  private void readVocabulary() {
    JsonObject vocab = model.object("vocab");
    definition = new Definition(origin, vocab.names().size());
    for (String name : vocab.names()) {
      int id = vocab.id(name);
      byte[] bytes = ByteAlphabet.read(name);
      if (bytes == null) {
        definition.decodeOnly(id, name); // no text leads to it
      } else {
        definition.ordinary(id, bytes);
      }
    }
  }

  private void readAddedTokens() {
    if (document.get("added_tokens") == null) {
      return;
    }
    List<?> tokens = document.list("added_tokens");
    for (int i = 0; i < tokens.size(); i++) {
      JsonObject token = document.element("added_tokens", i);
      if (token.flag("single_word", false)) {
        throw token.unsupported("single_word", "false");
      }
      definition.added(
          new AddedToken(
              token.string("content", null),
              token.id("id"),
              token.flag("special", false),
              token.flag("lstrip", false),
              token.flag("rstrip", false),
              token.flag("normalized", false)));
    }
  }

  /** Returns the token that the post-processor puts before a text. */
  private static OptionalInt templateStart(JsonObject processor) {
    if (processor == null || processor.type().equals("ByteLevel")) {
      return OptionalInt.empty(); // concerns offsets only
    }
    if (processor.type().equals("Sequence")) {
      OptionalInt start = OptionalInt.empty();
      for (int i = 0; i < processor.list("processors").size(); i++) {
        OptionalInt found = templateStart(processor.element("processors", i));
        start = found.isPresent() ? found : start;
      }
      return start;
    }
    if (!processor.type().equals("TemplateProcessing")) {
      throw processor.unsupported("ByteLevel, TemplateProcessing or a Sequence of them");
    }
    int count = processor.list("single").size();
    OptionalInt start = OptionalInt.empty();
    for (int i = 0; i < count; i++) {
      JsonObject part = processor.element("single", i);
      JsonObject special = part.objectOrNull("SpecialToken");
      if (special != null && i == 0) {
        JsonObject token = processor.object("special_tokens").object(special.string("id", null));
        start = OptionalInt.of(token.firstId("ids"));
      } else if (special != null) {
        throw processor.unsupported("single", "one special token, before the text");
      }
    }
    return start;
  }

  private MergeTable merges(TokenTable tokens) {
    List<?> merges = model.list("merges");
    if (merges.size() >= MergeTable.MAX_MERGES) {
      throw new FormatException(
          origin,
          "model.merges has "
              + merges.size()
              + " entries; the limit is "
              + (MergeTable.MAX_MERGES - 1));
    }
    return new MergeList(definition, "model.merges").table(merges, tokens);
  }
}
