/* SPDX-License-Identifier: MIT */
/* Codings of text: there and back is the same, outputs keep their bounds. */
#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void try_base64(enum text_base64 kind, struct span in)
{
    char *text = mem_alloc(TEXT_BASE64_SIZE(in.len));
    uint8_t *bytes = mem_alloc(in.len);
    size_t len = text_base64(kind, in, text);
    int n;

    require(len < TEXT_BASE64_SIZE(in.len) && text[len] == '\0');
    n = text_unbase64(kind, span_of(text, len), bytes, in.len);
    require(n == (int)in.len && span_equal(span_of(bytes, in.len), in));
    mem_free(text);

    /* As input, too: what is accepted has one text only. */
    n = text_unbase64(kind, in, bytes, in.len);
    if (n >= 0) {
        text = mem_alloc(TEXT_BASE64_SIZE((size_t)n));
        len = text_base64(kind, span_of(bytes, (size_t)n), text);
        require(span_equal(span_of(text, len), in));
        mem_free(text);
    }
    mem_free(bytes);
}

static void try_hex(struct span in)
{
    char *text = mem_alloc(2 * in.len + 1);
    uint8_t *bytes = mem_alloc(in.len);

    text_hex(in, text);
    require(text_unhex(span_str(text), bytes, in.len) == (int)in.len);
    require(span_equal(span_of(bytes, in.len), in));
    text_unhex(in, bytes, in.len);
    mem_free(bytes);
    mem_free(text);
}

static void try_printable(struct span in)
{
    for (size_t size = 1; size < 40; size += 1 + size / 4) {
        char *out = mem_alloc(size);

        text_printable(in, out, size);
        for (const char *p = out; *p; p++)
            require(*p >= 0x20 && *p < 0x7f && *p != '"');
        mem_free(out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = span_of(data, size);
    struct span rest = in;
    struct span item;
    uint64_t value;
    size_t bytes = 0;

    try_base64(TEXT_BASE64, in);
    try_base64(TEXT_BASE64URL, in);
    try_hex(in);
    try_printable(in);
    if (text_is_utf8(in))
        require(size == 0 || (data[0] & 0xc0) != 0x80);
    while (span_next(&rest, ',', &item)) {
        bytes += item.len;
        if (span_to_u64(span_trim(item), 1000, &value) == 0)
            require(value <= 1000);
    }
    require(bytes <= size);
    return 0;
}
