package dev.llama.core.files;

import java.util.HashMap;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The names that GGUF gives to a Llama's tensors and those of the layer definitions. */
public final class GgufNames {
  private static final String BLOCK = "blk.";
  private static final int MOST_DIGITS = 9; // of the number of a block

  private static final Map<String, String> OUTSIDE_BLOCKS =
      Map.of(
          "token_embd.weight", "model.embed_tokens.weight",
          "output_norm.weight", "model.norm.weight",
          "output.weight", "lm_head.weight");

  private static final Map<String, String> NORMS =
      Map.of("attn_norm", "input_layernorm", "ffn_norm", "post_attention_layernorm");

  private static final Map<String, String> PROJECTIONS =
      Map.of(
          "attn_q", "self_attn.q_proj",
          "attn_k", "self_attn.k_proj",
          "attn_v", "self_attn.v_proj",
          "attn_output", "self_attn.o_proj",
          "ffn_gate", "mlp.gate_proj",
          "ffn_up", "mlp.up_proj",
          "ffn_down", "mlp.down_proj");

  private GgufNames() {}

  /**
   * Translates a name.
   *
   * @param name in the GGUF file
   * @return name in the layer definitions, or empty for a tensor that a Llama does not have
   */
  static Optional<String> toLayerName(String name) {
    if (OUTSIDE_BLOCKS.containsKey(name)) {
      return Optional.of(OUTSIDE_BLOCKS.get(name));
    }
    int afterNumber = name.indexOf('.', BLOCK.length());
    int afterPart = name.lastIndexOf('.');
    if (!name.startsWith(BLOCK) || afterNumber < 0 || afterPart == afterNumber) {
      return Optional.empty();
    }
    String number = name.substring(BLOCK.length(), afterNumber);
    String kind = name.substring(afterPart + 1);
    if (!isNumber(number) || !kind.equals("weight") && !kind.equals("bias")) {
      return Optional.empty();
    }
    String key = name.substring(afterNumber + 1, afterPart);
    String part = PROJECTIONS.get(key);
    if (part == null && kind.equals("weight")) {
      part = NORMS.get(key);
    }
    return part == null
        ? Optional.empty()
        : Optional.of("model.layers." + number + "." + part + "." + kind);
  }

  /** Whether a text is a number of a block: digits, the first of several not 0. */
  private static boolean isNumber(String text) {
    boolean number = !text.isEmpty() && text.length() <= MOST_DIGITS;
    for (int i = 0; i < text.length(); i++) {
      number &= text.charAt(i) >= '0' && text.charAt(i) <= '9';
    }
    return number && (text.length() == 1 || text.charAt(0) != '0');
  }

  /**
   * Translates back.
   *
   * @param name in the layer definitions
   * @return name in a GGUF file
   * @throws NoSuchElementException if it is not the name of a Llama's weight
   */
  public static String toGgufName(String name) {
    Matcher layer = Layers.NAME.matcher(name);
    Map<String, String> parts = OUTSIDE_BLOCKS;
    String part = name;
    String before = "";
    String after = "";
    if (layer.matches()) {
      part = layer.group(2);
      parts = new HashMap<>(NORMS);
      parts.putAll(PROJECTIONS);
      before = "blk." + layer.group(1) + ".";
      after = "." + layer.group(3);
    }
    for (Map.Entry<String, String> entry : parts.entrySet()) {
      if (entry.getValue().equals(part)) {
        return before + entry.getKey() + after;
      }
    }
    throw new NoSuchElementException(name);
  }

  /** Apart, because what reads a file does not need it. */
  private static final class Layers {
    static final Pattern NAME = Pattern.compile("model\\.layers\\.([0-9]+)\\.(.+)\\.(weight|bias)");
  }
}
