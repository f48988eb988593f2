package dev.llama.core.files;

import java.util.HashMap;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The names that GGUF gives to a Llama's tensors and those of the layer definitions. */
public final class GgufNames {
  private static final Pattern BLOCK =
      Pattern.compile("blk\\.(0|[1-9][0-9]{0,8})\\.([a-z_]+)\\.(weight|bias)");

  private static final Pattern LAYER =
      Pattern.compile("model\\.layers\\.([0-9]+)\\.(.+)\\.(weight|bias)");

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
    Matcher block = BLOCK.matcher(name);
    if (!block.matches()) {
      return Optional.empty();
    }
    String kind = block.group(3);
    String part = PROJECTIONS.get(block.group(2));
    if (part == null && kind.equals("weight")) {
      part = NORMS.get(block.group(2));
    }
    return part == null
        ? Optional.empty()
        : Optional.of("model.layers." + block.group(1) + "." + part + "." + kind);
  }

  /**
   * Translates back.
   *
   * @param name in the layer definitions
   * @return name in a GGUF file
   * @throws NoSuchElementException if it is not the name of a Llama's weight
   */
  public static String toGgufName(String name) {
    Matcher layer = LAYER.matcher(name);
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
}
