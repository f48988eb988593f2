/**
 * Layer-specs, the JSON files in which planning tools describe models, and folders of them. Public
 * API of llama-core.
 */
package dev.llama.core.catalogue;
