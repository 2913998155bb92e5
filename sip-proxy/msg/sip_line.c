/* SPDX-License-Identifier: MIT */
#include "msg/sip_line.h"

#include "base/err.h"
#include "msg/sip_char.h"

static int fail(struct sip_lines *lines, enum sip_fault fault, int err)
{
    lines->fault = fault;
    return err;
}

/* True when one of eight bytes is below 0x20 or 0x7F. */
static bool has_low(uint64_t v)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t del = v ^ (ones * 0x7F);

    return (((v - ones * 0x20) & ~v) | ((del - ones) & ~del)) & (ones * 0x80);
}

/* Control characters are allowed in quoted pairs only (RFC 3261 25.1); a tab
 * is white space. CR and LF have been looked at before. */
static bool has_control(struct span s)
{
    size_t i = 0;

    s.len -= 2; /* the CRLF */
    while (i < s.len) {
        uint8_t c = s.ptr[i];
        size_t at = s.len - i < sizeof(uint64_t) && s.len >= sizeof(uint64_t)
                        ? s.len - sizeof(uint64_t) /* the last eight */
                        : i;
        uint64_t v;

        if (s.len - at >= sizeof(v)) {
            memcpy(&v, s.ptr + at, sizeof(v));
            if (!has_low(v)) {
                i = at + sizeof(v);
                continue;
            }
        }
        if ((c < 0x20 || c == 0x7F) && c != '\t' && c != '\r' && c != '\n' &&
            (i == 0 || s.ptr[i - 1] != '\\'))
            return true;
        i++;
    }
    return false;
}

/* One physical line off the front, with its CRLF. */
static int take_physical(struct sip_lines *lines, struct span *ret_line)
{
    struct span s = lines->rest;
    ptrdiff_t end = span_find(s, '\n');
    size_t len;

    if (end < 0)
        return fail(lines,
                    s.len > lines->max_line ? SIP_FAULT_HEADER_SIZE
                                            : SIP_FAULT_NO_END,
                    ERR_PARSE);
    len = (size_t)end + 1;
    if (len > lines->max_line)
        return fail(lines, SIP_FAULT_HEADER_SIZE, ERR_LIMIT);
    if (len < 2 || span_find(span_head(s, len), '\r') != end - 1)
        return fail(lines, SIP_FAULT_LINE_END, ERR_PARSE);
    *ret_line = span_head(s, len);
    lines->rest = span_from(s, len);
    return 0;
}

int sip_lines_start(struct sip_lines *lines, struct span *ret_line)
{
    struct span line;
    int err;

    err = take_physical(lines, &line);
    if (err < 0)
        return err;
    if (has_control(line))
        return fail(lines, SIP_FAULT_CONTROL_CHARACTER, ERR_PARSE);
    *ret_line = line;
    return 0;
}

static bool is_fold_next(const struct sip_lines *lines)
{
    return lines->rest.len > 0 &&
           (lines->rest.ptr[0] == ' ' || lines->rest.ptr[0] == '\t');
}

int sip_lines_next(struct sip_lines *lines, struct sip_line *ret_line)
{
    struct sip_line out;
    struct span more;
    int err;

    err = take_physical(lines, &out.line);
    if (err < 0)
        return err;
    if (out.line.len == 2)
        return 0;
    while (is_fold_next(lines)) {
        err = take_physical(lines, &more);
        if (err < 0)
            return err;
        out.line.len += more.len;
        if (out.line.len > lines->max_line)
            return fail(lines, SIP_FAULT_HEADER_SIZE, ERR_LIMIT);
    }
    if (has_control(out.line))
        return fail(lines, SIP_FAULT_CONTROL_CHARACTER, ERR_PARSE);

    /* The name is a token, so a first line that is indented, or a colon on
     * the second line, is refused here. White space before the colon belongs
     * to neither. */
    if (!span_cut(out.line, ':', &out.name, &out.value))
        return fail(lines, SIP_FAULT_HEADER_SYNTAX, ERR_PARSE);
    while (out.name.len > 0 && (out.name.ptr[out.name.len - 1] == ' ' ||
                                out.name.ptr[out.name.len - 1] == '\t'))
        out.name.len--;
    if (!sip_is_token(out.name))
        return fail(lines, SIP_FAULT_HEADER_SYNTAX, ERR_PARSE);
    more = sip_trim(out.value);
    /* An empty value is the place behind the colon, not the next line. */
    out.value = more.len > 0 ? more : span_head(out.value, 0);
    *ret_line = out;
    return 1;
}

size_t sip_lines_blank(struct span data)
{
    size_t n = 0;

    while (data.len - n >= 2 && data.ptr[n] == '\r' && data.ptr[n + 1] == '\n')
        n += 2;
    return n;
}
