package dev.llama.core.config;

import dev.llama.core.json.Fields;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/** Token ids in configuration files, where -1 stands for none. */
final class TokenIds {
  private TokenIds() {}

  static OptionalInt optional(Fields fields, String name) {
    OptionalInt id = fields.optionalInt(name);
    if (id.isPresent() && id.getAsInt() < -1) {
      throw fields.error(name, "a token id, or -1 for none");
    }
    return id.isPresent() && id.getAsInt() == -1 ? OptionalInt.empty() : id;
  }

  static List<Integer> list(Fields fields, String name) {
    List<Integer> ids = new ArrayList<>();
    for (int id : fields.ints(name)) {
      if (id < -1) {
        throw fields.error(name, "token ids, or -1 for none");
      }
      if (id >= 0) {
        ids.add(id);
      }
    }
    return ids;
  }
}
