package dev.llama.sentencepiece;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.FormatException;
import dev.llama.Specials;
import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import dev.llama.spi.TokenizerSource;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

/**
 * The components of a tokenizer.json. Expected ids were computed with Hugging Face tokenizers
 * 0.23.2 from the same documents.
 */
class HuggingFaceReaderTest {
  private static final String META = "{'type':'Metaspace','replacement':'\u2581'";
  private static final String ADDED =
      "{'id':0,'content':'<unk>','special':true},{'id':1,'content':'<s>','special':true}";

  /** A document with Llama 2's components; ids: ▁ 2, a 3, b 4, ab 5, ▁a 6, ▁ab 7, ▁▁ 8. */
  private static final String BASE =
      ("{'truncation':null,'added_tokens':["
              + ADDED
              + "],"
              + "'normalizer':{'type':'Sequence','normalizers':[{'type':'Prepend','prepend':'▁'},"
              + "{'type':'Replace','pattern':{'String':' '},'content':'▁'}]},"
              + "'pre_tokenizer':null,'post_processor':null,"
              + "'decoder':{'type':'Sequence','decoders':["
              + "{'type':'Replace','pattern':{'String':'▁'},'content':' '},"
              + "{'type':'ByteFallback'},{'type':'Fuse'},"
              + "{'type':'Strip','content':' ','start':1,'stop':0}]},"
              + "'model':{'type':'BPE','dropout':null,'unk_token':'<unk>','fuse_unk':true,"
              + "'byte_fallback':false,'vocab':{'<unk>':0,'<s>':1,'▁':2,'a':3,'b':4,'ab':5,'▁a':6,"
              + "'▁ab':7,'▁▁':8},'merges':[['▁','a'],['a','b'],['▁','ab'],['▁','▁']]}}")
          .replace('▁', '\u2581');

  private static Tokenizer open(String document) {
    return Fixtures.open(
        new TokenizerSource.HuggingFaceJson(
            ModelBuilder.ORIGIN, Json.object(document.replace('\'', '"'))));
  }

  /** BASE with one passage replaced; the passage has to be there. */
  private static String with(String passage, String replacement) {
    assertTrue(BASE.contains(passage), passage);
    return BASE.replace(passage, replacement);
  }

  private static String normalizer() {
    return BASE.substring(BASE.indexOf("'normalizer'"), BASE.indexOf("'pre_tokenizer'"));
  }

  private static String metaspace(String scheme, boolean split) {
    return with(normalizer(), "")
        .replace(
            "'pre_tokenizer':null",
            "'pre_tokenizer':"
                + META
                + ",'prepend_scheme':'"
                + scheme
                + "','split':"
                + split
                + "}");
  }

  /** Rules apply in the order of the file: "▁ab" comes out as ▁a and b. */
  @Test
  void mergesByRuleNotByPiece() {
    Tokenizer tokenizer = open(BASE);
    assertArrayEquals(new int[] {6, 4}, tokenizer.encode("ab"));
    assertArrayEquals(new int[] {6, 5}, tokenizer.encode("aab"));
    assertArrayEquals(new int[] {2, 6}, tokenizer.encode(" a"));
    assertEquals("aab", tokenizer.decode(6, 5));
    String old =
        with("['\u2581','a'],['a','b'],['\u2581','ab'],['\u2581','\u2581']", "'a b','\u2581 ab'");
    assertArrayEquals(new int[] {7}, open(old).encode("ab"));
  }

  @Test
  void unknownCharactersFuseIfTheFileSaysSo() {
    assertArrayEquals(new int[] {2, 0, 3}, open(BASE).encode("xya"));
    assertArrayEquals(
        new int[] {2, 0, 0, 3}, open(with("'fuse_unk':true", "'fuse_unk':false")).encode("xya"));
  }

  @Test
  void prependSchemes() {
    Tokenizer always = open(metaspace("always", false));
    assertArrayEquals(new int[] {6, 1, 6}, always.encode("a<s>a", Specials.ALL));
    assertArrayEquals(new int[] {6}, always.encode(" a"));
    Tokenizer first = open(metaspace("first", false));
    assertArrayEquals(new int[] {6, 1, 3}, first.encode("a<s>a", Specials.ALL));
    assertArrayEquals(new int[] {1, 3}, first.encode("<s>a", Specials.ALL));
    Tokenizer never = open(metaspace("never", false));
    assertArrayEquals(new int[] {3, 1, 3}, never.encode("a<s>a", Specials.ALL));
    Tokenizer prepend = open(BASE);
    assertArrayEquals(new int[] {6, 1, 6}, prepend.encode("a<s>a", Specials.ALL));
    String legacy =
        metaspace("x", false)
            .replace(
                "'prepend_scheme':'x','split':false", "'add_prefix_space':false,'split':false");
    assertArrayEquals(new int[] {3}, open(legacy).encode("a"));
  }

  /** Metaspace splits before every space, so that no piece can hold two. */
  @Test
  void metaspaceSplits() {
    assertArrayEquals(new int[] {2, 6}, open(metaspace("never", true)).encode("  a"));
    assertArrayEquals(new int[] {2, 6}, open(metaspace("never", false)).encode("  a"));
    assertArrayEquals(new int[] {2, 2}, open(metaspace("never", true)).encode("  "));
    assertArrayEquals(new int[] {8}, open(metaspace("never", false)).encode("  "));
  }

  @Test
  void addedTokens() {
    String more =
        ADDED
            + ",{'id':9,'content':'[I]','special':true,'rstrip':true},"
            + "{'id':10,'content':'|x|','special':false,'normalized':false,'lstrip':true},"
            + "{'id':11,'content':'x y','special':false,'normalized':true}";
    Tokenizer tokenizer = open(with(ADDED, more));
    assertEquals(12, tokenizer.vocabularySize());
    assertEquals(Map.of("<unk>", 0, "<s>", 1, "[I]", 9), tokenizer.specialTokens());
    assertArrayEquals(new int[] {9, 6}, tokenizer.encode("[I] \n a", Specials.ALL));
    assertArrayEquals(new int[] {6, 10, 6}, tokenizer.encode("a  |x|a"));
    // In the text's normalized form it has its space before it, in the middle as at the start.
    assertArrayEquals(new int[] {11, 3, 11}, tokenizer.encode("x ya x y"));
    assertEquals("a|x|x y", tokenizer.decode(9, 6, 10, 11));
  }

  @Test
  void thePostProcessorSaysWhetherATextHasABeginning() {
    assertEquals(OptionalInt.of(1), open(BASE).bos());
    assertTrue(open(BASE).addsBos());
    assertEquals(OptionalInt.empty(), open(BASE).eos());
    String text = "{'Sequence':{'id':'A','type_id':0}}";
    String bos = "{'SpecialToken':{'id':'<s>','type_id':0}}";
    Tokenizer none = open(template(text));
    assertFalse(none.addsBos());
    assertEquals(OptionalInt.of(1), none.bos());
    assertTrue(open(template(bos + "," + text)).addsBos());
    refused(template(bos + "," + text + "," + bos), "TemplateProcessing");
    refused(template(text + "," + bos), "TemplateProcessing");
    refused(template(""), "TemplateProcessing");
    refused(template(bos.replace("<s>", "<x>") + "," + text), "special added_tokens");
  }

  private static String template(String single) {
    return with(
        "'post_processor':null",
        "'post_processor':{'type':'TemplateProcessing','single':[" + single + "]}");
  }

  @Test
  void leavesByteLevelFilesToOthers() {
    for (String component : List.of("'pre_tokenizer':null", "'normalizer':null")) {
      String key = component.substring(0, component.indexOf(':'));
      String document =
          "{'model':{},"
              + key
              + ":{'type':'Sequence','"
              + key.replace("'", "").replace("_", "")
              + "s':[{'type':'ByteLevel'}]}}";
      assertFalse(provide(document), document);
    }
    assertFalse(provide("{'model':{},'decoder':{'type':'ByteLevel'}}"));
  }

  private static boolean provide(String document) {
    return new SentencePieceProvider()
        .open(
            new TokenizerSource.HuggingFaceJson(
                ModelBuilder.ORIGIN, Json.object(document.replace('\'', '"'))),
            TokenizerOptions.defaults())
        .isPresent();
  }

  @Test
  void refusesByNameWhatIsNotImplemented() {
    refused(with("'type':'BPE'", "'type':'Unigram'"), "Unigram");
    refused(with("'dropout':null", "'dropout':0.1"), "dropout is 0.1");
    refused(with("'dropout':null", "'ignore_merges':true"), "ignore_merges");
    refused(with("'dropout':null", "'end_of_word_suffix':'</w>'"), "end_of_word_suffix");
    refused(with("'dropout':null", "'continuing_subword_prefix':'##'"), "continuing_subword");
    refused(with("'type':'Prepend'", "'type':'NFKC'"), "NFKC");
    refused(with("'prepend':'\u2581'", "'prepend':'_'"), "prepend is \"_\"");
    refused(with("'pattern':{'String':' '}", "'pattern':{'Regex':' '}"), "Replace");
    refused(with("'pre_tokenizer':null", "'pre_tokenizer':{'type':'Digits'}"), "Digits");
    refused(metaspace("often", true), "often");
    refused(metaspace("first", true).replace("'replacement':'\u2581'", "'replacement':'_'"), "_");
    refused(with("'type':'Fuse'", "'type':'WordPiece'"), "WordPiece");
    refused(with("'start':1", "'start':2"), "Strip");
    refused(with("'post_processor':null", "'post_processor':{'type':'BertProcessing'}"), "Bert");
    refused(with("'special':true", "'special':true,'single_word':true"), "single_word");
    refused(with(normalizer(), ""), "neither normalizer nor pre_tokenizer");
    refused(with("'decoder':{", "'decoder':null,'x':{"), "decoder is missing or null");
  }

  @Test
  void refusesDocumentsThatMakeNoSense() {
    refused("{}", "model is missing");
    refused(with("'merges':[", "'merges':[['a','x'],"), "a x");
    refused(with("'merges':[", "'merges':[['a'],"), "merges[0]");
    refused(with("'merges':[", "'merges':['a  b',"), "merges[0]");
    refused(with("'merges':[", "'merges':'x','x':["), "a list");
    refused(with("'b':4", "'b':3"), "every id from 0 to 8 once");
    refused(with("'b':4", "'b':2000000000"), "2000000000");
    refused(with("'b':4", "'b':-1"), "-1");
    refused(with("'b':4", "'b':'x'"), "an integer");
    refused(with("'unk_token':'<unk>'", "'unk_token':'<x>'"), "unk_token");
    refused(with("'unk_token':'<unk>'", "'unk_token':null"), "unk_token");
    refused(with("'byte_fallback':false", "'byte_fallback':true"), "0 of 256");
    refused(with("'byte_fallback':false", "'byte_fallback':1"), "true or false");
    refused(with("'id':1,", "'id':5,"), "added_tokens[1].id");
    refused(with("'content':'<s>'", "'content':''"), "added_tokens[1]");
    refused(with("'added_tokens':[", "'added_tokens':[7,"), "added_tokens[0]");
  }

  private static void refused(String document, String reason) {
    String message = assertThrows(FormatException.class, () -> open(document)).getMessage();
    assertTrue(message.contains(reason) && message.contains("tokenizer.model"), message);
  }
}
