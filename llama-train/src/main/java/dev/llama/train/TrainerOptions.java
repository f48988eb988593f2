package dev.llama.train;

import dev.llama.ModelOptions;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What a {@link TrainerBuilder} has gathered.
 *
 * @param rows sequences in a batch
 * @param length tokens in each
 * @param accumulation batches in a step
 * @param clip largest norm of the gradients; 0 for no clipping
 * @param attentionDropout probability, in [0, 1)
 * @param resetPositions whether positions begin anew in each document of a row
 * @param seed of initial weights and dropout
 * @param evaluationOnly whether there is no memory for gradients
 * @param model backend and threads
 */
record TrainerOptions(
    int rows,
    int length,
    int accumulation,
    AdamW optimizer,
    Schedule schedule,
    double clip,
    double attentionDropout,
    boolean resetPositions,
    long seed,
    boolean evaluationOnly,
    ModelOptions model) {

  TrainerOptions {
    Values.atLeast(1, "batch rows", rows);
    Values.atLeast(1, "sequence length", length);
    Values.atLeast(1, "accumulation", accumulation);
    Values.require(clip >= 0 && Double.isFinite(clip), "clip", clip, "0 (none) or more");
    Values.require(
        attentionDropout >= 0 && attentionDropout < 1,
        "attention dropout",
        attentionDropout,
        "[0, 1)");
  }

  /** What the losses depend on, besides data and weights; by name, for comparison at a resume. */
  Map<String, Object> influences() {
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("rows", (long) rows);
    values.put("length", (long) length);
    values.put("accumulation", (long) accumulation);
    values.put("optimizer", optimizer.toString());
    values.put("schedule", schedule.toString());
    values.put("clip", clip);
    values.put("attention_dropout", attentionDropout);
    values.put("reset_positions", resetPositions);
    values.put("seed", seed);
    return values;
  }
}
