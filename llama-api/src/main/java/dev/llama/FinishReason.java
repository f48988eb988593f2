package dev.llama;

/** Why a generation ended. */
public enum FinishReason {
  /** The model produced a stop token, or the text came to a stop string. */
  STOP,
  /** {@link GenerationOptions#maxNewTokens()} was reached, or the context is full. */
  LENGTH,
  /** {@link Generation#cancel()}, {@link Generation#close()} or {@link Session#close()}. */
  CANCELLED
}
