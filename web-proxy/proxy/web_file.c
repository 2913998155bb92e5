/* SPDX-License-Identifier: MIT */
#include "proxy/web_file.h"

#include "base/err.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- names ---- */

static int hex_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* No part of the name begins with a dot but that of RFC 8615. */
static bool is_hidden(struct span name)
{
    struct span part;

    while (span_next(&name, '/', &part)) {
        if (part.len > 0 && part.ptr[0] == '.' && !span_is(part, ".well-known"))
            return true;
    }
    return false;
}

int web_file_name(struct span path, char *out, size_t size)
{
    size_t len = 0;

    if (span_starts(path, "/"))
        path = span_from(path, 1);
    for (size_t i = 0; i < path.len; i++) {
        uint8_t c = path.ptr[i];

        if (c == '%') {
            bool whole = i + 2 < path.len;
            int high = whole ? hex_of(path.ptr[i + 1]) : -1;
            int low = whole ? hex_of(path.ptr[i + 2]) : -1;

            if (high < 0 || low < 0)
                return ERR_DENIED;
            c = (uint8_t)(high << 4 | low);
            i += 2;
            if (c == '/')
                return ERR_DENIED;
        }
        if (c == '\0' || c == '\\')
            return ERR_DENIED;
        if (len == size)
            return ERR_LIMIT;
        out[len++] = (char)c;
    }
    return is_hidden(span_of(out, len)) ? ERR_DENIED : (int)len;
}

#define TEXT(type) type "; charset=utf-8"

const char *web_file_type(struct span name)
{
    static const struct {
        const char *end, *type;
    } types[] = {
        {".html", TEXT("text/html")},
        {".htm", TEXT("text/html")},
        {".css", TEXT("text/css")},
        {".js", TEXT("text/javascript")},
        {".mjs", TEXT("text/javascript")},
        {".json", "application/json"},
        {".map", "application/json"},
        {".webmanifest", "application/manifest+json"},
        {".txt", TEXT("text/plain")},
        {".md", TEXT("text/markdown")},
        {".csv", TEXT("text/csv")},
        {".xml", "application/xml"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".jpeg", "image/jpeg"},
        {".gif", "image/gif"},
        {".webp", "image/webp"},
        {".avif", "image/avif"},
        {".ico", "image/x-icon"},
        {".woff2", "font/woff2"},
        {".woff", "font/woff"},
        {".ttf", "font/ttf"},
        {".otf", "font/otf"},
        {".wasm", "application/wasm"},
        {".pdf", "application/pdf"},
        {".mp3", "audio/mpeg"},
        {".ogg", "audio/ogg"},
        {".opus", "audio/ogg"},
        {".wav", "audio/wav"},
        {".mp4", "video/mp4"},
        {".webm", "video/webm"},
        {".zip", "application/zip"},
        {".gz", "application/gzip"},
        {".crl", "application/pkix-crl"},
        {".crt", "application/pkix-cert"},
    };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (span_ends_nocase(name, types[i].end))
            return types[i].type;
    }
    return "application/octet-stream";
}

/* ---- forms ---- */

/* Is "q=0", "q=0.0" … among the parameters? */
static bool is_refused(struct span parameters)
{
    struct span part;

    while (span_next(&parameters, ';', &part)) {
        part = span_trim(part);
        if (!span_starts_nocase(part, "q=0"))
            continue;
        for (size_t i = 3; i < part.len; i++) {
            if (part.ptr[i] != '.' && part.ptr[i] != '0')
                return false;
        }
        return true;
    }
    return false;
}

unsigned web_file_forms(const struct http_msg *msg)
{
    unsigned taken = 0, refused = 0;
    const unsigned all = 1 << WEB_FILE_BR | 1 << WEB_FILE_GZIP;

    for (size_t i = 0; i < msg->headers_n; i++) {
        struct span list = msg->headers[i].value, item, parameters;

        if (msg->headers[i].field != HTTP_FIELD_ACCEPT_ENCODING)
            continue;
        while (http_list_next(&list, &item)) {
            bool no = span_cut(item, ';', &item, &parameters) &&
                      is_refused(parameters);
            unsigned form = 0;

            item = span_trim(item);
            if (span_is_nocase(item, "br"))
                form = 1 << WEB_FILE_BR;
            else if (span_is_nocase(item, "gzip") ||
                     span_is_nocase(item, "x-gzip"))
                form = 1 << WEB_FILE_GZIP;
            else if (span_is(item, "*") && !no)
                form = all;
            if (no)
                refused |= form;
            else
                taken |= form;
        }
    }
    return taken & ~refused;
}

/* ---- conditions ---- */

const char *web_file_tag(const struct web_file_info *info,
                         char out[WEB_FILE_TAG_SIZE])
{
    static const char *const ends[] = {"", "-br", "-gz"};

    (void)snprintf(out, WEB_FILE_TAG_SIZE,
                   "\"%" PRIx64 "-%" PRIx32 "-%" PRIx64 "%s\"",
                   (uint64_t)info->mtime_s, info->mtime_ns, info->size,
                   ends[(info->form + 1) % 3]);
    return out;
}

static const struct http_header *only(const struct http_msg *msg,
                                      const char *name)
{
    const struct http_header *found = NULL;

    for (size_t i = 0; i < msg->headers_n; i++) {
        if (!span_is_nocase(msg->headers[i].name, name))
            continue;
        if (found)
            return NULL;
        found = &msg->headers[i];
    }
    return found;
}

static struct span value_of(const struct http_msg *msg, const char *name)
{
    const struct http_header *h = only(msg, name);

    return h ? h->value : span_of(NULL, 0);
}

void web_file_ask(const struct http_msg *msg, struct web_file_asked *ret_asked)
{
    struct web_file_asked asked = {
        .match = value_of(msg, "if-match"),
        .none_match = value_of(msg, "if-none-match"),
        .modified_since = value_of(msg, "if-modified-since"),
        .unmodified_since = value_of(msg, "if-unmodified-since"),
        .range = value_of(msg, "range"),
        .if_range = value_of(msg, "if-range"),
    };

    *ret_asked = asked;
}

/* Is the tag in the list? Weak ones count when `weak`. Tags have no commas
 * of ours in them; a foreign one with a comma matches nothing. */
static bool has_tag(struct span list, const char *tag, bool weak)
{
    struct span item;

    if (span_is(span_trim(list), "*"))
        return true;
    while (span_next(&list, ',', &item)) {
        item = span_trim(item);
        if (weak && span_starts(item, "W/"))
            item = span_from(item, 2);
        if (span_is(item, tag))
            return true;
    }
    return false;
}

/* 0, or the status that the conditions lead to (RFC 9110 13.2.2). */
static int judge_conditions(const struct web_file_asked *a,
                            const struct web_file_info *info, const char *tag)
{
    int64_t date;

    if (a->match.len > 0) {
        if (!has_tag(a->match, tag, false))
            return 412;
    } else if (a->unmodified_since.len > 0 &&
               http_date_parse(a->unmodified_since, &date) == 0 &&
               info->mtime_s > date) {
        return 412;
    }
    if (a->none_match.len > 0)
        return has_tag(a->none_match, tag, true) ? 304 : 0;
    if (a->modified_since.len > 0 &&
        http_date_parse(a->modified_since, &date) == 0 && info->mtime_s <= date)
        return 304;
    return 0;
}

/* Does If-Range still mean this file? A date is no strong validator when the
 * file may have changed in that second; we have tags for that. */
static bool range_is_current(const struct web_file_asked *a,
                             const struct web_file_info *info, const char *tag)
{
    int64_t date;

    if (a->if_range.len == 0)
        return true;
    if (a->if_range.ptr[0] == '"')
        return span_is(a->if_range, tag);
    return http_date_parse(a->if_range, &date) == 0 && date == info->mtime_s;
}

/* ---- ranges ---- */

enum range { RANGE_GOOD, RANGE_OUTSIDE, RANGE_BAD };

/* "0-99", "100-", "-100" */
static enum range read_range(struct span text, uint64_t size,
                             struct web_file_range *ret)
{
    struct span first, last;
    uint64_t from, to = UINT64_MAX;

    if (!span_cut(text, '-', &first, &last))
        return RANGE_BAD;
    if (first.len == 0) {
        if (span_to_u64(last, UINT64_MAX, &to) < 0)
            return RANGE_BAD;
        if (to == 0 || size == 0)
            return RANGE_OUTSIDE;
        ret->len = to < size ? to : size;
        ret->first = size - ret->len;
        return RANGE_GOOD;
    }
    if (span_to_u64(first, UINT64_MAX, &from) < 0 ||
        (last.len > 0 && (span_to_u64(last, UINT64_MAX, &to) < 0 || to < from)))
        return RANGE_BAD;
    if (from >= size)
        return RANGE_OUTSIDE;
    if (to >= size)
        to = size - 1;
    ret->first = from;
    ret->len = to - from + 1;
    return RANGE_GOOD;
}

/* The status 200, 206 or 416. */
static int judge_ranges(struct span field, uint64_t size,
                        struct web_file_verdict *v)
{
    struct span item;
    uint64_t end = 0;
    bool any = false;

    if (!span_starts_nocase(field, "bytes="))
        return 200;
    field = span_from(field, 6);
    while (http_list_next(&field, &item)) {
        struct web_file_range range;
        enum range kind = read_range(item, size, &range);

        if (kind == RANGE_BAD)
            return 200;
        any = true;
        if (kind == RANGE_OUTSIDE)
            continue;
        if (v->n == WEB_FILE_RANGES_MAX || (v->n > 0 && range.first < end))
            return 200;
        v->ranges[v->n++] = range;
        end = range.first + range.len;
    }
    if (!any)
        return 200;
    return v->n > 0 ? 206 : 416;
}

struct web_file_verdict web_file_judge(const struct web_file_asked *a,
                                       const struct web_file_info *info)
{
    struct web_file_verdict v = {0};
    char tag[WEB_FILE_TAG_SIZE];

    (void)web_file_tag(info, tag);
    v.status = judge_conditions(a, info, tag);
    if (v.status)
        return v;
    v.status = 200;
    if (a->range.len > 0 && range_is_current(a, info, tag))
        v.status = judge_ranges(a->range, info->size, &v);
    return v;
}
