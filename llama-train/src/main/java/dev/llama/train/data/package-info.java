/** From files of documents to batches of tokens. */
package dev.llama.train.data;
