/* SPDX-License-Identifier: MIT */
#include "app/json.h"

#include "base/err.h"
#include "base/text.h"

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

/* ---- writing ---- */

static void comma(struct buf *out)
{
    struct span written = buf_span(out);
    uint8_t last = '{';

    for (size_t i = written.ptr ? written.len : 0; i > 0; i--) {
        last = written.ptr[i - 1];
        if (last != ' ' && last != '\n')
            break;
    }
    if (last != '{' && last != '[' && last != ':' && last != ',')
        buf_put_byte(out, ',');
}

void json_open(struct buf *out, char bracket)
{
    comma(out);
    buf_put_byte(out, (uint8_t)bracket);
}

void json_close(struct buf *out, char bracket)
{
    buf_put_byte(out, (uint8_t)bracket);
}

static void put_byte(struct buf *out, uint8_t byte)
{
    switch (byte) {
    case '"':
        buf_put_str(out, "\\\"");
        break;
    case '\\':
        buf_put_str(out, "\\\\");
        break;
    case '\n':
        buf_put_str(out, "\\n");
        break;
    default:
        if (byte < 0x20 || byte == 0x7F)
            buf_printf(out, "\\u%04x", (unsigned)byte);
        else
            buf_put_byte(out, byte);
    }
}

static size_t utf8_len(uint8_t first)
{
    if (first < 0x80)
        return 1;
    if (first < 0xE0)
        return 2;
    return first < 0xF0 ? 3 : 4;
}

void json_string(struct buf *out, struct span text)
{
    comma(out);
    buf_put_byte(out, '"');
    while (text.len) {
        size_t n = utf8_len(text.ptr[0]);

        if (n == 1) {
            put_byte(out, text.ptr[0]);
        } else if (n <= text.len && text_is_utf8(span_head(text, n))) {
            buf_put(out, text.ptr, n);
        } else {
            buf_put_str(out, REPLACEMENT);
            n = 1;
        }
        text = span_from(text, n);
    }
    buf_put_byte(out, '"');
}

void json_str(struct buf *out, const char *text)
{
    if (text) {
        json_string(out, span_str(text));
        return;
    }
    comma(out);
    buf_put_str(out, "null");
}

void json_key(struct buf *out, const char *name)
{
    json_str(out, name);
    buf_put_byte(out, ':');
}

void json_u64(struct buf *out, uint64_t value)
{
    comma(out);
    buf_put_u64(out, value);
}

void json_bool(struct buf *out, bool value)
{
    comma(out);
    buf_put_str(out, value ? "true" : "false");
}

/* ---- cleaning ---- */

struct strip {
    char *text;
    size_t len;
    size_t pos;
    size_t comma; /* position of a comma that may have to go */
    bool has_comma;
    char before; /* last character that means something */
};

static void blank(struct strip *s, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (s->text[i] != '\n' && s->text[i] != '\r')
            s->text[i] = ' ';
    }
}

static bool looking_at(const struct strip *s, const char *text)
{
    size_t n = strlen(text);

    return n <= s->len - s->pos && memcmp(s->text + s->pos, text, n) == 0;
}

static int skip_string(struct strip *s)
{
    for (s->pos++; s->pos < s->len; s->pos++) {
        char c = s->text[s->pos];

        if (c == '"') {
            s->pos++;
            return 0;
        }
        if (c != '\\')
            continue;
        if (looking_at(s, "\\u0000"))
            return ERR_PARSE;
        s->pos++;
    }
    return ERR_PARSE;
}

static void blank_line(struct strip *s)
{
    size_t from = s->pos;

    while (s->pos < s->len && s->text[s->pos] != '\n')
        s->pos++;
    blank(s, from, s->pos);
}

static int blank_block(struct strip *s)
{
    size_t from = s->pos;

    for (s->pos += 2; s->pos < s->len; s->pos++) {
        if (looking_at(s, "*/")) {
            s->pos += 2;
            blank(s, from, s->pos);
            return 0;
        }
    }
    s->pos = from;
    return ERR_PARSE;
}

/* A comma goes when a closing bracket follows, and a value stood before. */
static void on_mark(struct strip *s, char c)
{
    bool closes = c == ']' || c == '}';

    if (closes && s->has_comma)
        blank(s, s->comma, s->comma + 1);
    s->has_comma = c == ',' && s->before != ',' && s->before != '[' &&
                   s->before != '{' && s->before != 0;
    s->comma = s->pos;
    s->before = c;
    s->pos++;
}

int json_strip(char *text, size_t len, size_t *ret_offset)
{
    struct strip s = {.len = len};
    int err = 0;

    s.text = text;
    while (s.pos < s.len && !err) {
        size_t at = s.pos;
        char c = text[at];

        if (c == '"') {
            s.has_comma = false;
            s.before = c;
            err = skip_string(&s);
        } else if (c == '#' || looking_at(&s, "//")) {
            blank_line(&s);
        } else if (looking_at(&s, "/*")) {
            err = blank_block(&s);
        } else if (c == '\0') {
            err = ERR_PARSE;
        } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            s.pos++;
        } else {
            on_mark(&s, c);
        }
        if (err)
            *ret_offset = at;
    }
    return err;
}
