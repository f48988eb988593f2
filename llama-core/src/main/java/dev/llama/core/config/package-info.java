/** config.json and generation_config.json, and the rotary frequencies that follow from them. */
package dev.llama.core.config;
