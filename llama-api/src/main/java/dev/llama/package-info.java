/**
 * Run a Llama model inside a Java program: {@link dev.llama.Model} holds the weights, {@link
 * dev.llama.Tokenizer} turns text into token ids and back, {@link dev.llama.Session} is one
 * conversation.
 *
 * <pre>{@code
 * try (Model model = Model.load(Path.of("Llama-3.2-1B-Instruct"));
 *     Session session = model.newSession();
 *     Generation answer =
 *         session.generate("Once upon a time", GenerationOptions.greedy().maxNewTokens(64))) {
 *   for (GeneratedToken token : answer) System.out.print(token.text());
 * }
 * }</pre>
 *
 * <p>Implementations are found on the class path or module path by {@link java.util.ServiceLoader}.
 * Everything that can go wrong is an unchecked {@link dev.llama.LlamaException}. No parameter and
 * no result is {@code null} unless its documentation says so.
 */
package dev.llama;
