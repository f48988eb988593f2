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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;

/** Reads a SentencePiece {@code tokenizer.model}: the protobuf message {@code ModelProto}. */
final class ModelReader {
  private static final String[] MODEL_TYPES = {"", "UNIGRAM", "BPE", "WORD", "CHAR"};
  private static final int BPE = 2;

  private final Path origin;
  private final List<Piece> pieces = new ArrayList<>();

  // trainer_spec, with the defaults of sentencepiece_model.proto
  private long modelType = 1;
  private boolean byteFallback;
  private boolean spaceAsSuffix;
  private String unknownSurface = " \u2047 ";
  private String bosPiece = "<s>";
  private String eosPiece = "</s>";

  // normalizer_spec
  private boolean addDummyPrefix = true;
  private boolean removeExtraSpaces = true;
  private boolean escapeSpaces = true;

  private ModelReader(Path origin) {
    this.origin = origin;
  }

  /**
   * Reads a model.
   *
   * @param origin the file, for messages
   * @param bytes all of it
   * @throws FormatException if it is broken or asks for what is not implemented
   */
  static Definition read(Path origin, byte[] bytes) {
    ModelReader reader = new ModelReader(origin);
    reader.model(new ProtobufReader(origin, bytes));
    return reader.definition();
  }

  private void model(ProtobufReader in) {
    while (in.next()) {
      switch (in.field()) {
        case 1 -> piece(in, in.message());
        case 2 -> trainer(in.message());
        case 3 -> normalizer(in.message(), "normalizer_spec");
        case 5 -> denormalizer(in.message());
        default -> in.skip();
      }
    }
  }

  private void piece(ProtobufReader outer, ProtobufReader in) {
    String text = "";
    float score = 0;
    Type type = Type.NORMAL;
    while (in.next()) {
      switch (in.field()) {
        case 1 -> text = in.string();
        case 2 -> score = in.float32();
        case 3 -> {
          long number = in.integer();
          type = Type.of(number);
          if (type == null || type == Type.UNDEFINED) {
            throw outer.broken(
                "piece " + pieces.size() + " has type " + number + ", expected 1 to 6");
          }
        }
        default -> in.skip();
      }
    }
    if (text.isEmpty() || Float.isNaN(score)) {
      throw outer.broken(
          "piece "
              + pieces.size()
              + " is \""
              + text
              + "\" with score "
              + score
              + ", expected a text and a number");
    }
    pieces.add(new Piece(text, score, type));
  }

  private void trainer(ProtobufReader in) {
    while (in.next()) {
      switch (in.field()) {
        case 3 -> modelType = in.integer();
        case 24 -> spaceAsSuffix = in.bool();
        case 35 -> byteFallback = in.bool();
        case 44 -> unknownSurface = in.string();
        case 46 -> bosPiece = in.string();
        case 47 -> eosPiece = in.string();
        default -> in.skip();
      }
    }
  }

  private void normalizer(ProtobufReader in, String name) {
    String rules = "";
    int charsmap = 0;
    while (in.next()) {
      switch (in.field()) {
        case 1 -> rules = in.string();
        case 2 -> charsmap = in.skippedLength();
        case 3 -> addDummyPrefix = in.bool();
        case 4 -> removeExtraSpaces = in.bool();
        case 5 -> escapeSpaces = in.bool();
        default -> in.skip();
      }
    }
    refuseCharsmap(origin, name + ".precompiled_charsmap (\"" + rules + "\")", charsmap);
  }

  private void denormalizer(ProtobufReader in) {
    int charsmap = 0;
    while (in.next()) {
      if (in.field() == 2) {
        charsmap = in.skippedLength();
      } else {
        in.skip();
      }
    }
    refuseCharsmap(origin, "denormalizer_spec.precompiled_charsmap", charsmap);
  }

  static void refuseCharsmap(Path origin, String name, int length) {
    if (length > 0) {
      throw new FormatException(
          origin,
          name
              + " has "
              + length
              + " bytes of character rules; expected none, as in the vocabularies"
              + " of Llama and Mistral: rules other than identity are not implemented");
    }
  }

  private Definition definition() {
    checkSupported();
    int unknown = -1;
    Map<String, Integer> inText = new LinkedHashMap<>();
    List<AddedToken> special = new ArrayList<>();
    Map<String, Integer> control = new LinkedHashMap<>();
    for (int id = 0; id < pieces.size(); id++) {
      Piece piece = pieces.get(id);
      switch (piece.type()) {
        case UNKNOWN -> {
          if (unknown >= 0) {
            throw new FormatException(
                origin, "pieces " + unknown + " and " + id + " are of type UNKNOWN, expected one");
          }
          unknown = id;
          special.add(new AddedToken(piece.text(), id, true, false, false));
        }
        case CONTROL -> {
          control.putIfAbsent(piece.text(), id);
          special.add(new AddedToken(piece.text(), id, true, false, false));
        }
        case USER_DEFINED -> inText.putIfAbsent(piece.text(), id);
        case BYTE -> {
          if (!byteFallback) {
            throw new FormatException(
                origin,
                "piece " + id + " is of type BYTE, but trainer_spec.byte_fallback is false");
          }
        }
        default -> {}
      }
    }
    if (unknown < 0) {
      throw new FormatException(origin, "no piece is of type UNKNOWN, expected one");
    }
    OptionalInt bos = id(control, bosPiece);
    OptionalInt eos = id(control, eosPiece);
    Set<Integer> stops = eos.isPresent() ? Set.of(eos.getAsInt()) : Set.of();
    return new Definition(
        origin,
        pieces,
        new int[0],
        inText,
        special,
        new Normalization(addDummyPrefix ? Prefix.ALWAYS : Prefix.NONE, removeExtraSpaces, false),
        new Unknown(unknown, byteFallback, true),
        new Surface(unknownSurface, addDummyPrefix || removeExtraSpaces, removeExtraSpaces),
        new Ends(bos, eos, stops, bos.isPresent()));
  }

  private void checkSupported() {
    if (pieces.isEmpty()) {
      throw new FormatException(origin, "the model has no pieces; fetch the file again");
    }
    if (modelType != BPE) {
      String name =
          modelType > 0 && modelType < MODEL_TYPES.length ? MODEL_TYPES[(int) modelType] : "?";
      throw new FormatException(
          origin,
          "trainer_spec.model_type is "
              + modelType
              + " ("
              + name
              + "), expected 2 (BPE), the type of"
              + " the Llama and Mistral vocabularies; others are not implemented");
    }
    if (spaceAsSuffix) {
      throw new FormatException(
          origin, "trainer_spec.treat_whitespace_as_suffix is true, which is not implemented");
    }
    if (!escapeSpaces) {
      throw new FormatException(
          origin, "normalizer_spec.escape_whitespaces is false, which is not implemented");
    }
  }

  private static OptionalInt id(Map<String, Integer> control, String text) {
    Integer id = control.get(text);
    return id == null ? OptionalInt.empty() : OptionalInt.of(id);
  }
}
