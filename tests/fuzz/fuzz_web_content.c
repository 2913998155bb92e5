/* SPDX-License-Identifier: MIT */
/* What is said about files, addresses, fields and frames: any bytes do no harm,
 * and what is accepted keeps its promises. */
#include "base/err.h"
#include "base/mem.h"
#include "proxy/web_frames.h"
#include "proxy/web_shown.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* ---- files ---- */

/* No part leads up, none is hidden, and what was escaped is no border. */
static void check_name(struct span path)
{
    char name[1024];
    int len = web_file_name(path, name, sizeof(name));
    struct span rest, part;

    if (len < 0)
        return;
    rest = span_of(name, (size_t)len);
    require(memchr(name, '\0', (size_t)len) == NULL);
    while (span_next(&rest, '/', &part))
        require(part.len == 0 || part.ptr[0] != '.' ||
                span_is(part, ".well-known"));
    require(web_file_type(span_of(name, (size_t)len))[0] != '\0');
}

/* Ranges lie in the file, in order and apart. */
static void check_ranges(struct span field, uint64_t size)
{
    struct web_file_asked asked = {.range = field};
    struct web_file_info info = {size, 784111777, 5, -1};
    struct web_file_verdict v = web_file_judge(&asked, &info);
    uint64_t end = 0;

    require(v.status == 200 || v.status == 206 || v.status == 416);
    require(v.status != 206 || (v.n > 0 && v.n <= WEB_FILE_RANGES_MAX));
    for (size_t i = 0; v.status == 206 && i < v.n; i++) {
        require(v.ranges[i].len > 0 && v.ranges[i].first >= end);
        end = v.ranges[i].first + v.ranges[i].len;
        require(end <= size && end > v.ranges[i].first);
    }
}

static void check_conditions(struct span field)
{
    struct web_file_info info = {1000, 784111777, 5, -1};
    struct web_file_asked asked = {.match = field, .none_match = field};
    struct web_file_verdict v = web_file_judge(&asked, &info);

    require(v.status == 200 || v.status == 304 || v.status == 412);
    asked = (struct web_file_asked){.modified_since = field,
                                    .unmodified_since = field,
                                    .range = span_str("bytes=0-"),
                                    .if_range = field};
    (void)web_file_judge(&asked, &info);
}

static void check_date(struct span text)
{
    char again[HTTP_DATE_SIZE];
    int64_t is, then;

    if (http_date_parse(text, &is) < 0)
        return;
    require(http_date_parse(span_str(http_date_print(is, again)), &then) == 0);
    require(is == then);
}

/* ---- addresses and fields ---- */

static void check_urls(struct span text)
{
    static struct web_upstream upstream = {.name = "a"};
    static const struct web_backend backend = {
        .upstream = &upstream, .host = "10.0.0.20", .port = 8080};
    struct web_route route = {.put_right = true};
    struct web_url_view view = {.secure = true,
                                .host = span_str("edge.example:8443"),
                                .port = 8443,
                                .route = &route,
                                .backend = &backend,
                                .cookie_secure = true};
    struct buf out;

    buf_init(&out, 1 << 20);
    for (int i = 0; i < 2; i++) {
        require(web_route_set_path(&route, i ? "/app" : "/") == 0);
        route.rewrite = span_str(i ? "/" : "");
        buf_reset(&out);
        if (!web_url_location(&out, &view, text))
            require(buf_len(&out) == 0);
        buf_reset(&out);
        if (!web_url_cookie(&out, &view, text))
            require(buf_len(&out) == 0);
        require(buf_err(&out) == 0);
    }
    buf_deinit(&out);
}

/* What passes is one line. */
static void check_edit(struct span text)
{
    struct web_edit edit;

    if (web_edit_parse(text, &edit) < 0)
        return;
    require(http_is_token(edit.name));
    for (size_t i = 0; i < edit.value.len; i++)
        require(edit.value.ptr[i] >= ' ' || edit.value.ptr[i] == '\t');
}

/* ---- frames ---- */

/* It does not matter how the bytes are cut. */
static void check_frames(struct span bytes)
{
    struct web_frames whole = {0}, cut = {0};

    web_frames_pass(&whole, bytes);
    for (size_t i = 0; i < bytes.len; i++)
        web_frames_pass(&cut, span_of(bytes.ptr + i, 1));
    require(whole.left == cut.left && whole.seen == cut.seen &&
            whole.closed == cut.closed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = span_of(data, size), rest;
    int first, last;

    if (size == 0)
        return 0;
    rest = span_from(in, 1);
    check_name(in);
    check_ranges(in, 1000);
    check_ranges(in, data[0] == 'b' ? UINT64_MAX : data[0]);
    check_conditions(in);
    check_date(in);
    check_urls(in);
    check_edit(in);
    check_frames(rest);
    (void)web_url_check_template(in);
    (void)web_errors_parse_status(in, &first, &last);
    require(mem_live_blocks() == 0);
    return 0;
}
