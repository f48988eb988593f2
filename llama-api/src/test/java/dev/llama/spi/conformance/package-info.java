/**
 * Checks a backend, operation by operation, against formulas in double arithmetic. A backend's
 * module extends {@link dev.llama.spi.conformance.BackendConformance} and opens its backend there.
 */
package dev.llama.spi.conformance;
