/* SPDX-License-Identifier: MIT */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Only counted up and down: no other memory is ordered by it. */
static atomic_long live_blocks;

/* How many allocations of this thread succeed before one fails; -1: off. */
static _Thread_local long fail_countdown = -1;

static bool must_fail(void)
{
    if (fail_countdown < 0)
        return false;
    return fail_countdown-- == 0;
}

static void *counted(void *ptr)
{
    if (ptr)
        atomic_fetch_add_explicit(&live_blocks, 1, memory_order_relaxed);
    return ptr;
}

void *mem_alloc(size_t len)
{
    if (must_fail())
        return NULL;
    return counted(malloc(len ? len : 1));
}

void *mem_zalloc(size_t len)
{
    return mem_zarray(1, len);
}

void *mem_zarray(size_t n, size_t size)
{
    size_t len;

    if (must_fail() || __builtin_mul_overflow(n, size, &len))
        return NULL;
    return counted(calloc(1, len ? len : 1));
}

void *mem_realloc(void *ptr, size_t len)
{
    if (!ptr)
        return mem_alloc(len);
    if (must_fail())
        return NULL;
    return realloc(ptr, len ? len : 1);
}

void *mem_dup(const void *data, size_t len)
{
    uint8_t *copy = len < SIZE_MAX ? mem_alloc(len + 1) : NULL;

    if (!copy)
        return NULL;
    if (len)
        memcpy(copy, data, len);
    copy[len] = 0;
    return copy;
}

char *mem_strdup(const char *text)
{
    return mem_dup(text, strlen(text));
}

void mem_free(void *ptr)
{
    if (!ptr)
        return;
    atomic_fetch_sub_explicit(&live_blocks, 1, memory_order_relaxed);
    free(ptr);
}

void mem_wipe(void *ptr, size_t len)
{
    if (len)
        explicit_bzero(ptr, len);
}

bool mem_equal_secret(const void *a, const void *b, size_t len)
{
    const volatile uint8_t *x = a;
    const volatile uint8_t *y = b;
    uint8_t difference = 0;

    for (size_t i = 0; i < len; i++)
        difference = (uint8_t)(difference | (x[i] ^ y[i]));
    return difference == 0;
}

long mem_live_blocks(void)
{
    return atomic_load_explicit(&live_blocks, memory_order_relaxed);
}

void mem_fail_at(long n)
{
    fail_countdown = n;
}
