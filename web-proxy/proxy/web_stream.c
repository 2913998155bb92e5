/* SPDX-License-Identifier: MIT */
#include "proxy/web_stream.h"

#include "base/mem.h"

enum fit {
    FIT_NONE,
    FIT_ANY,      /* "*", for a name that is not ours; or no name */
    FIT_PROTOCOL, /* one that it offers */
    FIT_WILDCARD,
    FIT_NAME,
};

static enum fit fit_name(const char *pattern, struct span name)
{
    struct span want = span_str(pattern);
    struct span first, rest;

    if (span_equal_nocase(want, name))
        return FIT_NAME;
    if (!span_starts(want, "*.") || !span_cut(name, '.', &first, &rest))
        return FIT_NONE;
    return span_equal_nocase(span_from(want, 2), rest) ? FIT_WILDCARD
                                                       : FIT_NONE;
}

static enum fit fit_tls(const struct web_stream *s,
                        const struct tls_hello *hello, bool known)
{
    bool unnamed = hello->server_name.len == 0;
    enum fit best = s->nameless && unnamed ? FIT_ANY : FIT_NONE;

    for (size_t i = 0; i < s->n_protocols; i++) {
        if (tls_hello_offers(hello, span_str(s->protocols[i])))
            best = FIT_PROTOCOL;
    }
    for (size_t i = 0; i < s->n_names && !unnamed; i++) {
        enum fit fit = span_is(span_str(s->names[i]), "*")
                           ? (known ? FIT_NONE : FIT_ANY)
                           : fit_name(s->names[i], hello->server_name);

        if (fit > best)
            best = fit;
    }
    return best;
}

const struct web_stream *web_stream_match(const struct web_stream *streams,
                                          size_t n,
                                          const struct first_bytes *first,
                                          bool known)
{
    const struct web_stream *chosen = NULL;
    enum fit best = FIT_NONE;

    for (size_t i = 0; i < n && first->kind != FIRST_OTHER; i++) {
        const struct web_stream *s = &streams[i];
        enum fit fit = FIT_NONE;

        if (s->port != 0)
            continue;
        if (first->kind == FIRST_TLS)
            fit = fit_tls(s, &first->hello, known);
        else if (first->kind == s->plain)
            fit = FIT_PROTOCOL;
        if (fit > best) {
            best = fit;
            chosen = s;
        }
    }
    return chosen;
}

const struct web_stream *web_stream_at(const struct web_stream *streams,
                                       size_t n, uint16_t port)
{
    for (size_t i = 0; i < n; i++) {
        if (streams[i].port == port && port != 0)
            return &streams[i];
    }
    return NULL;
}

/* ---- counts ---- */

struct web_stream_counts *web_stream_counts_new(void)
{
    struct web_stream_counts *c = mem_zalloc(sizeof(*c));

    if (c)
        c->refs = 1;
    return c;
}

struct web_stream_counts *web_stream_counts_ref(struct web_stream_counts *c)
{
    __atomic_add_fetch(&c->refs, 1, __ATOMIC_RELAXED);
    return c;
}

void web_stream_counts_unref(struct web_stream_counts *c)
{
    if (c && __atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL) == 0)
        mem_free(c);
}
