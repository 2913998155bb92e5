/* SPDX-License-Identifier: MIT */
#include "ctl/ctl_reply.h"

#include "base/err.h"

void ctl_request_write(struct buf *out, const char *method, const char *path,
                       struct span body)
{
    buf_printf(out,
               "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
               "Content-Length: %zu\r\n\r\n",
               method, path, body.len);
    buf_put_span(out, body);
}

static struct span without_cr(struct span line)
{
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

static int status_of(struct span line)
{
    uint32_t status;

    if (!span_starts(line, "HTTP/1.1 ") || line.len < 12 ||
        span_to_u32(span_of(line.ptr + 9, 3), 999, &status) < 0)
        return ERR_PARSE;
    return (int)status;
}

int ctl_reply_parse(struct span bytes, struct span *ret_body)
{
    struct span line, name, value, rest = bytes;
    uint64_t len = 0;
    bool has_len = false;
    int status = ERR_TRUNCATED;

    while (span_cut(rest, '\n', &line, &rest)) {
        line = without_cr(line);
        if (status < 0) {
            status = status_of(line);
            if (status < 0)
                return status;
            continue;
        }
        if (line.len == 0) {
            if (!has_len)
                return ERR_PARSE; /* our daemons always say how much */
            if (rest.len < len)
                return ERR_TRUNCATED;
            *ret_body = span_head(rest, (size_t)len);
            return status;
        }
        if (span_cut(line, ':', &name, &value) &&
            span_is_nocase(name, "Content-Length")) {
            if (span_to_u64(span_trim(value), CTL_REPLY_MAX, &len) < 0)
                return ERR_PARSE;
            has_len = true;
        }
    }
    return ERR_TRUNCATED;
}
