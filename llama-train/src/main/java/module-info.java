/** Trains models: from random weights, or on from a checkpoint, on text of the user's own. */
module dev.llama.train {
  requires transitive dev.llama.api;
  requires dev.llama.core;
  requires org.slf4j;

  exports dev.llama.train;
  exports dev.llama.train.data;
  exports dev.llama.train.samples;
}
