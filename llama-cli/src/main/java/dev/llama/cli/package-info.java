/**
 * The command line {@code llama}: one class for each command, option groups that commands share,
 * and what turns results into text or JSON. It uses the public API alone, as any application would.
 */
package dev.llama.cli;
