/** Strict reading of JSON files, and typed access to their fields. */
package dev.llama.core.json;
