/**
 * A backend that is slow, short and right: every operation in double arithmetic, as its formula is
 * written. It is the oracle of the conformance suite, and an example for those who write backends.
 * It needs llama-api alone.
 */
package dev.llama.naive;
