/* SPDX-License-Identifier: MIT */
#include "base/json_scan.h"

#include "base/err.h"
#include "base/text.h"

static void skip_space(struct span *s)
{
    while (s->len > 0 && (s->ptr[0] == ' ' || s->ptr[0] == '\t' ||
                          s->ptr[0] == '\n' || s->ptr[0] == '\r'))
        *s = span_from(*s, 1);
}

static bool take(struct span *s, char c)
{
    skip_space(s);
    if (s->len == 0 || s->ptr[0] != (uint8_t)c)
        return false;
    *s = span_from(*s, 1);
    return true;
}

/* ---- strings ---- */

static int hex4(struct span s, unsigned *ret_unit)
{
    uint8_t bytes[2];

    if (s.len < 4 ||
        text_unhex(span_head(s, 4), bytes, sizeof(bytes)) != sizeof(bytes))
        return ERR_PARSE;
    *ret_unit = (unsigned)bytes[0] << 8 | bytes[1];
    return 0;
}

static bool is_surrogate(unsigned unit, unsigned first)
{
    return unit >= first && unit < first + 0x400;
}

/* What stands behind the backslash. Returns the length of the escape without
 * it, or ERR_PARSE. */
static int read_escape(struct span s, unsigned *ret_point)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    unsigned high, low;
    const char *at;

    if (s.len == 0)
        return ERR_PARSE;
    if (s.ptr[0] != 'u') {
        at = memchr(names, s.ptr[0], sizeof(names) - 1);
        if (!at)
            return ERR_PARSE;
        *ret_point = (uint8_t)values[at - names];
        return 1;
    }
    if (hex4(span_from(s, 1), &high) < 0 || high == 0 ||
        is_surrogate(high, 0xDC00))
        return ERR_PARSE;
    *ret_point = high;
    if (!is_surrogate(high, 0xD800))
        return 5;
    s = span_from(s, 5);
    if (!span_starts(s, "\\u") || hex4(span_from(s, 2), &low) < 0 ||
        !is_surrogate(low, 0xDC00))
        return ERR_PARSE;
    *ret_point = 0x10000 + ((high - 0xD800) << 10 | (low - 0xDC00));
    return 11;
}

/* Behind the opening quote: to behind the closing one. */
static int scan_string(struct span *s, struct span *ret_text)
{
    struct span all = *s;
    unsigned point;

    while (s->len > 0 && s->ptr[0] != '"') {
        size_t step = 1;

        if (s->ptr[0] < 0x20)
            return ERR_PARSE;
        if (s->ptr[0] == '\\') {
            int n = read_escape(span_from(*s, 1), &point);

            if (n < 0)
                return n;
            step += (size_t)n;
        }
        *s = span_from(*s, step);
    }
    if (s->len == 0)
        return ERR_PARSE;
    *ret_text = span_head(all, all.len - s->len);
    *s = span_from(*s, 1);
    return 0;
}

static size_t put_utf8(unsigned c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* The next character's bytes. The text was checked. */
static size_t next_char(struct span *text, char out[4])
{
    unsigned point = 0;
    int n;

    if (text->ptr[0] != '\\') {
        out[0] = (char)text->ptr[0];
        *text = span_from(*text, 1);
        return 1;
    }
    n = read_escape(span_from(*text, 1), &point);
    *text = span_from(*text, n < 0 ? text->len : 1 + (size_t)n);
    return put_utf8(point, out);
}

int json_scan_string(struct span text, char *out, size_t size)
{
    size_t len = 0;
    char c[4];

    while (text.len > 0) {
        size_t n = next_char(&text, c);

        if (size - len < n)
            return ERR_LIMIT;
        memcpy(out + len, c, n);
        len += n;
    }
    return (int)len;
}

static bool stands_for(struct span text, struct span want)
{
    char c[4];

    while (text.len > 0) {
        size_t n = next_char(&text, c);

        if (want.len < n || memcmp(want.ptr, c, n) != 0)
            return false;
        want = span_from(want, n);
    }
    return want.len == 0;
}

bool json_scan_is(const struct json_scan_value *value, struct span want)
{
    return value->kind == JSON_SCAN_STRING && stands_for(value->text, want);
}

/* ---- numbers ---- */

static size_t digits(struct span *s)
{
    size_t n = 0;

    while (n < s->len && s->ptr[n] >= '0' && s->ptr[n] <= '9')
        n++;
    *s = span_from(*s, n);
    return n;
}

static int scan_number(struct span *s, struct span *ret_text)
{
    struct span all = *s;
    bool zero;

    if (s->ptr[0] == '-')
        *s = span_from(*s, 1);
    zero = s->len > 0 && s->ptr[0] == '0';
    if (zero)
        *s = span_from(*s, 1);
    else if (digits(s) == 0)
        return ERR_PARSE;
    if (s->len > 0 && s->ptr[0] == '.') {
        *s = span_from(*s, 1);
        if (digits(s) == 0)
            return ERR_PARSE;
    }
    if (s->len > 0 && (s->ptr[0] | 0x20) == 'e') {
        *s = span_from(*s, 1);
        if (s->len > 0 && (s->ptr[0] == '+' || s->ptr[0] == '-'))
            *s = span_from(*s, 1);
        if (digits(s) == 0)
            return ERR_PARSE;
    }
    *ret_text = span_head(all, all.len - s->len);
    return 0;
}

int json_scan_u64(struct span text, uint64_t *ret_value)
{
    bool negative = span_starts(text, "-");
    struct span whole = span_from(text, negative ? 1 : 0), fraction;

    if (span_find(text, 'e') >= 0 || span_find(text, 'E') >= 0)
        return ERR_PARSE;
    (void)span_cut(whole, '.', &whole, &fraction);
    if (span_to_u64(whole, (UINT64_C(1) << 53) - 1, ret_value) < 0)
        return ERR_PARSE;
    if (negative)
        *ret_value = 0;
    return 0;
}

/* ---- values ---- */

static int scan_literal(struct span *s, struct json_scan_value *v)
{
    static const struct {
        const char *text;
        enum json_scan_kind kind;
    } literals[] = {{"null", JSON_SCAN_NULL},
                    {"true", JSON_SCAN_BOOL},
                    {"false", JSON_SCAN_BOOL}};

    for (size_t i = 0; i < sizeof(literals) / sizeof(literals[0]); i++) {
        size_t n = strlen(literals[i].text);

        if (!span_starts(*s, literals[i].text))
            continue;
        v->kind = literals[i].kind;
        v->text = span_head(*s, n);
        *s = span_from(*s, n);
        return 0;
    }
    return ERR_PARSE;
}

/* A value without parts; or the opening bracket of one with parts. */
static int scan_begin(struct span *s, struct json_scan_value *v)
{
    skip_space(s);
    if (s->len == 0)
        return ERR_PARSE;
    switch (s->ptr[0]) {
    case '{':
    case '[':
        v->kind = s->ptr[0] == '{' ? JSON_SCAN_OBJECT : JSON_SCAN_ARRAY;
        *s = span_from(*s, 1);
        v->text = *s;
        return 0;
    case '"':
        v->kind = JSON_SCAN_STRING;
        *s = span_from(*s, 1);
        return scan_string(s, &v->text);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        v->kind = JSON_SCAN_NUMBER;
        return scan_number(s, &v->text);
    default:
        return scan_literal(s, v);
    }
}

static int scan_name(struct span *s, struct span *ret_name)
{
    if (!take(s, '"') || scan_string(s, ret_name) < 0 || !take(s, ':'))
        return ERR_PARSE;
    return 0;
}

/* The brackets that are open, as what closes them. */
struct scan_open {
    size_t depth;
    char end[JSON_SCAN_DEPTH];
};

/* To the next value of the innermost object or array: behind its name. */
static int scan_next(struct span *s, const struct scan_open *open)
{
    struct span name;

    return open->end[open->depth - 1] == '}' ? scan_name(s, &name) : 0;
}

/* Behind an opening bracket. Returns 1 when a value follows, 0 when it was
 * closed at once. */
static int scan_into(struct span *s, enum json_scan_kind kind,
                     struct scan_open *open)
{
    char end = kind == JSON_SCAN_OBJECT ? '}' : ']';

    if (open->depth == JSON_SCAN_DEPTH)
        return ERR_LIMIT;
    if (take(s, end))
        return 0;
    open->end[open->depth++] = end;
    return scan_next(s, open) < 0 ? ERR_PARSE : 1;
}

/* One value with all its parts. */
static int scan_value(struct span *s, struct json_scan_value *ret_value)
{
    struct scan_open open = {.depth = 0};
    struct json_scan_value v;

    for (bool first = true;; first = false) {
        int err = scan_begin(s, &v);

        if (err < 0)
            return err;
        if (first)
            *ret_value = v;
        err = v.kind >= JSON_SCAN_ARRAY ? scan_into(s, v.kind, &open) : 0;
        if (err < 0)
            return err;
        if (err > 0)
            continue;
        while (open.depth > 0 && take(s, open.end[open.depth - 1]))
            open.depth--;
        if (open.depth == 0)
            break;
        if (!take(s, ',') || scan_next(s, &open) < 0)
            return ERR_PARSE;
    }
    if (ret_value->kind >= JSON_SCAN_ARRAY)
        ret_value->text =
            span_head(ret_value->text, ret_value->text.len - s->len - 1);
    return 0;
}

int json_scan(struct span text, struct json_scan_value *ret_value)
{
    int err;

    if (!text_is_utf8(text))
        return ERR_PARSE;
    err = scan_value(&text, ret_value);
    if (err < 0)
        return err;
    skip_space(&text);
    return text.len == 0 ? 0 : ERR_PARSE;
}

/* ---- walking ---- */

bool json_scan_item(struct span *rest, struct json_scan_value *ret_value)
{
    if (scan_value(rest, ret_value) < 0)
        return false;
    (void)take(rest, ',');
    return true;
}

bool json_scan_member(struct span *rest, struct span *ret_name,
                      struct json_scan_value *ret_value)
{
    return scan_name(rest, ret_name) == 0 && json_scan_item(rest, ret_value);
}

int json_scan_find(struct span object, const char *name,
                   struct json_scan_value *ret_value)
{
    struct json_scan_value value;
    struct span found;
    int n = 0;

    while (json_scan_member(&object, &found, &value)) {
        if (!stands_for(found, span_str(name)))
            continue;
        if (++n > 1)
            return ERR_PARSE;
        *ret_value = value;
    }
    return n;
}
