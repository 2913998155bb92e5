/* SPDX-License-Identifier: MIT */
/* mem.h - the only door to the heap, and the care of secrets.
 *
 * All functions may be called from any thread. Allocation never happens on a
 * per-packet path.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The struct of `type` whose `member` is at `ptr`. */
#define CONTAINER_OF(ptr, type, member)                                        \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* `len` bytes, not initialised. NULL when out of memory; never NULL for 0. */
void *mem_alloc(size_t len);

/* `len` zero bytes, or NULL. */
void *mem_zalloc(size_t len);

/* `n` zeroed items of `size` bytes; NULL also when n * size overflows. */
void *mem_zarray(size_t n, size_t size);

/* Grow or shrink; on NULL the old block is untouched. `ptr` may be NULL. */
void *mem_realloc(void *ptr, size_t len);

/* A copy of `len` bytes followed by one NUL byte that is not counted. */
void *mem_dup(const void *data, size_t len);

/* A copy of a NUL-terminated string. */
char *mem_strdup(const char *text);

/* Release; NULL is accepted. */
void mem_free(void *ptr);

/* Overwrite with zeros in a way the compiler keeps. */
void mem_wipe(void *ptr, size_t len);

/* Compare in time that depends on `len` only. */
bool mem_equal_secret(const void *a, const void *b, size_t len);

/* For tests: blocks allocated and not yet freed by the whole process. */
long mem_live_blocks(void);

/* For tests: let the n-th allocation from now (0 = the next) of the calling
 * thread return NULL, once. -1 switches it off. */
void mem_fail_at(long n);

#endif /* BASE_MEM_H */
