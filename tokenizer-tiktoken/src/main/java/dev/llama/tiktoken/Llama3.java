package dev.llama.tiktoken;

import java.util.LinkedHashMap;
import java.util.Map;

/** The special tokens of Llama 3. */
final class Llama3 {
  static final String BEGIN_OF_TEXT = "<|begin_of_text|>";
  static final String END_OF_TEXT = "<|end_of_text|>";
  static final String START_HEADER = "<|start_header_id|>";
  static final String END_HEADER = "<|end_header_id|>";
  static final String END_OF_TURN = "<|eot_id|>";
  static final String END_OF_MESSAGE = "<|eom_id|>";
  static final String PYTHON_TAG = "<|python_tag|>";

  private static final int COUNT = 256;

  private Llama3() {}

  /**
   * Returns the 256 special tokens in Meta's order.
   *
   * @param first id of the first
   */
  static Map<String, Integer> specialTokens(int first) {
    Map<String, Integer> tokens = new LinkedHashMap<>();
    String[] named = {
      BEGIN_OF_TEXT,
      END_OF_TEXT,
      reserved(0),
      reserved(1),
      "<|finetune_right_pad_id|>",
      "<|step_id|>",
      START_HEADER,
      END_HEADER,
      END_OF_MESSAGE,
      END_OF_TURN,
      PYTHON_TAG,
      "<|image|>"
    };
    for (String name : named) {
      tokens.put(name, first + tokens.size());
    }
    for (int number = 2; tokens.size() < COUNT; number++) {
      tokens.put(reserved(number), first + tokens.size());
    }
    return tokens;
  }

  private static String reserved(int number) {
    return "<|reserved_special_token_" + number + "|>";
  }
}
