/* The pages in which memory lies. */
#ifndef LLAMA_PAGES_H
#define LLAMA_PAGES_H

#include <stdint.h>

/*
 * Asks for large pages where a part of a mapped file is. What is read from the disk from now on
 * lies in pages of 2 MiB if the file system can: those of 4 KiB cost a look into the page table
 * each, and a third of the bandwidth. The file stays in the page cache. Where this cannot be had,
 * nothing changes.
 */
void llama_prefer_large_pages(uint64_t start, uint64_t bytes);

/*
 * Takes memory, all zeros, from the operating system, in large pages where it has them. Pages exist
 * once something was written to them. Returns where it begins, or 0 if there is none to be had.
 */
uint64_t llama_map(uint64_t bytes);

/* Gives memory of llama_map back, all of it. */
void llama_unmap(uint64_t start, uint64_t bytes);

/* Enters the pages of a mapped file into the table of this process. Returns 0 if that was done. */
int64_t llama_populate(uint64_t start, uint64_t bytes);

#endif
