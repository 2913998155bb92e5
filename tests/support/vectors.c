/* SPDX-License-Identifier: MIT */
#include "support/vectors.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

struct span vectors_read(const char *name)
{
    char path[1024];
    uint8_t *data;
    FILE *file;
    long size;

    snprintf(path, sizeof(path), "%s/%s", TEST_VECTORS, name);
    file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "cannot open %s", path);
    ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
    size = ftell(file);
    ck_assert_int_ge(size, 0);
    rewind(file);
    data = malloc(size ? (size_t)size : 1);
    ck_assert_ptr_nonnull(data);
    ck_assert_uint_eq(fread(data, 1, (size_t)size, file), (size_t)size);
    fclose(file);
    return span_of(data, (size_t)size);
}

void vectors_free(struct span content)
{
    free((void *)(uintptr_t)content.ptr);
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        return (c | 0x20) - 'a' + 10;
    return -1;
}

struct span vectors_read_hex(const char *name)
{
    struct span text = vectors_read(name);
    uint8_t *out = (uint8_t *)(uintptr_t)text.ptr;
    size_t digits = 0;

    for (size_t i = 0; i < text.len; i++) {
        int digit;

        if (text.ptr[i] == '#') {
            while (i < text.len && text.ptr[i] != '\n')
                i++;
            continue;
        }
        digit = hex_digit(text.ptr[i]);
        if (digit < 0)
            continue;
        if (digits % 2 == 0)
            out[digits / 2] = (uint8_t)(digit << 4);
        else
            out[digits / 2] = (uint8_t)(out[digits / 2] | digit);
        digits++;
    }
    return span_of(text.ptr, digits / 2);
}
