/**
 * From files to tokens: {@link dev.llama.core.model.CoreModelLoader} opens the files, {@link
 * dev.llama.core.model.Decoder} is the forward pass, {@link dev.llama.core.model.InferenceSession}
 * keeps a conversation, {@link dev.llama.core.model.Sampler} chooses tokens.
 */
package dev.llama.core.model;
