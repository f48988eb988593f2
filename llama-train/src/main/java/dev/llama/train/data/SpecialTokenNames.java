package dev.llama.train.data;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/** The special tokens of Llama 3, in Meta's order. */
final class SpecialTokenNames {
  /** All 256. */
  static final List<String> LLAMA3 = llama3();

  private SpecialTokenNames() {}

  private static List<String> llama3() {
    List<String> names =
        new ArrayList<>(
            List.of(
                "<|begin_of_text|>",
                "<|end_of_text|>",
                "<|reserved_special_token_0|>",
                "<|reserved_special_token_1|>",
                "<|finetune_right_pad_id|>",
                "<|step_id|>",
                "<|start_header_id|>",
                "<|end_header_id|>",
                "<|eom_id|>",
                "<|eot_id|>",
                "<|python_tag|>",
                "<|image|>"));
    IntStream.range(2, 246).forEach(i -> names.add("<|reserved_special_token_" + i + "|>"));
    return List.copyOf(names);
  }
}
