/** The command line. */
package dev.llama.cli;
