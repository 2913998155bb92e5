/* SPDX-License-Identifier: MIT */
/* Raw bytes and what becomes of them. Each row is tried in one piece, byte by
 * byte, and cut at every position: the outcome must be the same. */
#include "http/http_parse.h"

#include "base/buf.h"
#include "support/unit.h"

#include <errno.h>
#include <stdio.h>

#define HOST "Host: a\r\n"
#define GET "GET / HTTP/1.1\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\n"

/* What was seen, as text: "H" head, "[…]" content, "E" end, "!NAME" error, and
 * "U" when the last message is not complete. */
static struct buf seen;

static const struct http_limits small_limits = {
    .start_line = 64, .head = 200, .headers = 5, .chunk_line = 20};

static const char *error_name(enum http_error error)
{
    static const char *const names[] = {
#define NAME(name, status, text) #name,
        HTTP_ERROR_MAP(NAME)
#undef NAME
    };

    return names[error];
}

struct run {
    enum http_kind kind;
    enum http_method request;
    const struct http_limits *limits;
    struct http_parser *parser;
    bool in_body;
};

/* Adjoining pieces of content are one. */
static void note_body(struct run *run, struct span body)
{
    if (!run->in_body)
        buf_put_byte(&seen, '[');
    run->in_body = true;
    buf_put_span(&seen, body);
}

static void note(struct run *run, const char *text)
{
    if (run->in_body)
        buf_put_byte(&seen, ']');
    run->in_body = false;
    buf_put_str(&seen, text);
}

/* False when the connection is over. The piece lies in a block of exactly its
 * size that is gone afterwards. */
static bool feed(struct run *run, struct span piece)
{
    uint8_t *copy = mem_alloc(piece.len);
    struct span in = span_of(copy, piece.len);
    struct span body;

    if (piece.len)
        memcpy(copy, piece.ptr, piece.len);
    for (;;) {
        switch (http_parser_next(run->parser, &in, &body)) {
        case HTTP_EVENT_HEAD:
            note(run, "H");
            ck_assert_int_eq(http_parser_hold(run->parser), 0);
            break;
        case HTTP_EVENT_BODY:
            ck_assert_uint_gt(body.len, 0);
            note_body(run, body);
            break;
        case HTTP_EVENT_END:
            note(run, "E");
            break;
        case HTTP_EVENT_MORE:
            ck_assert_uint_eq(in.len, 0);
            mem_free(copy);
            return true;
        case HTTP_EVENT_ERROR:
            note(run, "!");
            note(run, error_name(http_parser_error(run->parser)));
            mem_free(copy);
            return false;
        }
    }
}

static void run_begin(struct run *run)
{
    buf_reset(&seen);
    run->in_body = false;
    ck_assert_int_eq(http_parser_new(&run->parser, run->kind, run->limits), 0);
    http_parser_set_request(run->parser, run->request);
}

static void run_end(struct run *run, bool is_alive)
{
    if (is_alive && !http_parser_is_idle(run->parser))
        note(run, "U");
    else
        note(run, "");
    ck_assert_int_eq(buf_err(&seen), 0);
    http_parser_free(run->parser);
    ck_assert_int_eq(mem_live_blocks(), 1); /* `seen` */
}

static void check(struct span raw, const char *expected, const char *how)
{
    struct span got = buf_span(&seen);

    ck_assert_msg(span_is(got, expected), "%s:\n%.*s\n-> %.*s, not %s", how,
                  SPAN_FMT(raw), SPAN_FMT(got), expected);
}

static void expect_of(struct run *run, struct span raw, const char *expected)
{
    bool is_alive;

    buf_put_byte(&seen, ' '); /* so that its block exists */
    run_begin(run);
    is_alive = feed(run, raw);
    run_end(run, is_alive);
    check(raw, expected, "whole");

    run_begin(run);
    is_alive = true;
    for (size_t i = 0; i < raw.len && is_alive; i++)
        is_alive = feed(run, span_of(raw.ptr + i, 1));
    run_end(run, is_alive);
    check(raw, expected, "bytes");

    for (size_t cut = 1; cut < raw.len; cut++) {
        run_begin(run);
        is_alive = feed(run, span_head(raw, cut));
        if (is_alive)
            is_alive = feed(run, span_from(raw, cut));
        run_end(run, is_alive);
        check(raw, expected, "cut");
    }
}

struct row {
    const char *raw;
    const char *expected;
};

static void expect_rows(struct run run, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        expect_of(&run, span_str(rows[i].raw), rows[i].expected);
}

static const struct run requests = {.kind = HTTP_KIND_REQUEST,
                                    .limits = &http_limits_default};
static const struct run responses = {.kind = HTTP_KIND_RESPONSE,
                                     .limits = &http_limits_default};

static void setup(void)
{
    buf_init(&seen, 100000);
}

static void teardown(void)
{
    buf_deinit(&seen);
    ck_assert_no_blocks();
}

START_TEST(well_formed_requests_pass)
{
    static const struct row rows[] = {
        {GET HOST "\r\n", "HE"},
        {"\r\n" GET HOST "\r\n", "HE"},
        {GET HOST "\r\n" GET HOST "\r\n", "HEHE"},
        {GET HOST "\r\n\r\n" GET HOST "\r\n", "HEHE"},
        {"GET / HTTP/1.0\r\n\r\n", "HE"},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" GET HOST "\r\n",
         "HEHE"},
        {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "HE"},
        {"PROPFIND /x HTTP/1.1\r\nHost: a\r\n\r\n", "HE"},
        {"GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n", "HE"},
        {"GET http://A HTTP/1.1\r\nHost: a\r\n\r\n", "HE"},
        {"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", "HE"},
        {GET "Host: [2001:db8::1]:8080\r\n\r\n", "HE"},
        {GET "Host:a\r\nX:\r\nY: \t \r\nZ:\tz\t\r\n\r\n", "HE"},
        {GET "hOsT: a\r\nX: \xff\x80 ~\r\n\r\n", "HE"},
        {POST "Content-Length: 0\r\n\r\n", "HE"},
        {POST "Content-Length: 5\r\n\r\nhello" GET HOST "\r\n", "H[hello]EHE"},
        {POST "Content-Length: 005\r\n\r\nhello", "H[hello]E"},
        {POST "Content-Length:5  \r\n\r\nhello", "H[hello]E"},
        {POST "Content-Length: 5\r\n\r\nhell", "H[hell]U"},
        {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", "H[x]E"},
        {CHUNKED "5\r\nhello\r\n0\r\n\r\n" GET HOST "\r\n", "H[hello]EHE"},
        {CHUNKED "5\r\nhello\r\nA\r\n, world!!!\r\n00\r\n\r\n",
         "H[hello, world!!!]E"},
        {CHUNKED "5;a=b;c=\"d\"\r\nhello\r\n0;x\r\n\r\n", "H[hello]E"},
        {CHUNKED "0\r\nX-Sum: 1\r\nDate: x\r\n\r\n" GET HOST "\r\n", "HEHE"},
        {POST "Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n", "HE"},
        {POST "Transfer-Encoding:  chunked \r\n\r\n0\r\n\r\n", "HE"},
        {POST "Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx", "H[x]E"},
        {POST "Connection: close\r\nContent-Length: 1\r\n\r\nx", "H[x]E"},
        {GET HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "HE"},
        {GET HOST "Connection: close, x-foo, TE\r\nTE: trailers\r\n\r\n", "HE"},
        {"GET /a|b^{c}%zz HTTP/1.1\r\nHost: a\r\n\r\n", "HE"},
        {GET HOST, "U"},
        {"G", "U"},
        {"\r", ""},
        {"", ""},
    };

    expect_rows(requests, rows, ARRAY_SIZE(rows));
}
END_TEST

START_TEST(malformed_start_lines_are_refused)
{
    static const struct row rows[] = {
        {"\r\n\r\n" GET HOST "\r\n", "!START_LINE"},
        {"\n" GET HOST "\r\n", "!START_LINE"},
        {"\r" GET HOST "\r\n", "!START_LINE"},
        {" " GET HOST "\r\n", "!START_LINE"},
        {"\x16\x03\x01\x02", "!START_LINE"},
        {"FOO / HTTP/1.1\r\n", "!METHOD"},
        {"GETX / HTTP/1.1\r\n", "!METHOD"},
        {"get / HTTP/1.1\r\n", "!METHOD"},
        {"G(T / HTTP/1.1\r\n", "!START_LINE"},
        {"GET\t/ HTTP/1.1\r\n", "!START_LINE"},
        {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "!START_LINE"},
        {"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", "!START_LINE"},
        {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "!START_LINE"},
        {"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "!START_LINE"},
        {"GET /\r\n\r\n", "!START_LINE"},
        {"GET / HTTP/0.9\r\n\r\n", "!VERSION"},
        {"GET / HTTP/1.2\r\n\r\n", "!VERSION"},
        {"GET / HTTP/2.0\r\n\r\n", "!VERSION"},
        {"GET / HTTP/3.0\r\n\r\n", "!VERSION"},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "!VERSION"},
        {"GET / HTTP/1.10\r\nHost: a\r\n\r\n", "!START_LINE"},
        {"GET / http/1.1\r\nHost: a\r\n\r\n", "!START_LINE"},
        {"GET / HTTPS/1.1\r\nHost: a\r\n\r\n", "!START_LINE"},
        {"GET / ICE/1.0\r\nHost: a\r\n\r\n", "!START_LINE"},
        {"GET / HTTP/1.1\nHost: a\r\n\r\n", "!START_LINE"},
        {"GET / HTTP/1.1\rHost: a\r\n\r\n", "!CONTROL"},
    };

    expect_rows(requests, rows, ARRAY_SIZE(rows));
}
END_TEST

START_TEST(malformed_targets_are_refused)
{
    static const struct row rows[] = {
        {"GET a HTTP/1.1\r\nHost: a\r\n\r\n", "!TARGET"},
        {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", "!TARGET"},
        {"GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", "!TARGET"},
        {"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", "!TARGET"},
        {"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", "!TARGET"},
        {"GET /\xc3\xbc HTTP/1.1\r\nHost: a\r\n\r\n", "!TARGET"},
        {"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "!TARGET"},
        {"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", "!TARGET"},
        {"GET http://a@b/ HTTP/1.1\r\nHost: b\r\n\r\n", "!TARGET"},
        {"GET http://a?x HTTP/1.1\r\nHost: a\r\n\r\n", "!TARGET"},
        {"GET http://a:0/ HTTP/1.1\r\nHost: a:0\r\n\r\n", "!TARGET"},
        {"CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", "!TARGET"},
        {"CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", "!TARGET"},
        {"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", "!HOST_DIFFERS"},
        {"GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n", "!HOST_DIFFERS"},
        {"CONNECT a:1 HTTP/1.1\r\nHost: b:1\r\n\r\n", "HE"},
        {"CONNECT a:1 HTTP/1.1\r\nHost: b c\r\n\r\n", "!HOST"},
    };

    expect_rows(requests, rows, ARRAY_SIZE(rows));
}
END_TEST

START_TEST(a_request_has_one_good_host)
{
    static const struct row rows[] = {
        {GET "\r\n", "!HOST"},
        {GET HOST HOST "\r\n", "!HOST"},
        {GET HOST "Host: b\r\n\r\n", "!HOST"},
        {GET "Host:\r\n\r\n", "!HOST"},
        {GET "Host: a b\r\n\r\n", "!HOST"},
        {GET "Host: a,b\r\n\r\n", "!HOST"},
        {GET "Host: a@b\r\n\r\n", "!HOST"},
        {GET "Host: a/x\r\n\r\n", "!HOST"},
        {GET "Host: a:x\r\n\r\n", "!HOST"},
        {GET "Host: a:99999\r\n\r\n", "!HOST"},
        {GET "Host: [::1\r\n\r\n", "!HOST"},
        {GET "Host: http://a\r\n\r\n", "!HOST"},
        {"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", "!HOST"},
    };

    expect_rows(requests, rows, ARRAY_SIZE(rows));
}
END_TEST

START_TEST(malformed_fields_are_refused)
{
    static const struct row rows[] = {
        {GET HOST "X : y\r\n\r\n", "!FIELD"},
        {GET HOST "X\t: y\r\n\r\n", "!FIELD"},
        {GET HOST "X y\r\n\r\n", "!FIELD"},
        {GET HOST "X\r\n\r\n", "!FIELD"},
        {GET HOST ": y\r\n\r\n", "!FIELD"},
        {GET HOST "X(: y\r\n\r\n", "!FIELD"},
        {GET HOST "\xc3\xbc: y\r\n\r\n", "!FIELD"},
        {GET HOST "X\x01: y\r\n\r\n", "!FIELD"},
        {GET " X: y\r\n" HOST "\r\n", "!FIELD"},
        {GET "Host : a\r\n\r\n", "!FIELD"},
    };

    expect_rows(requests, rows, ARRAY_SIZE(rows));
}
END_TEST

/* Folding, bare CR or LF, NUL and other controls: whatever llhttp calls them,
 * nothing of the message is handed out. */
START_TEST(control_bytes_and_folded_lines_are_refused)
{
    static const char *const rows[] = {
        GET HOST "X: a\r\n b\r\n\r\n",
        GET HOST "X: a\r\n\tb\r\n\r\n",
        GET HOST "X:\r\n b\r\n\r\n",
        GET HOST "X: a\nY: b\r\n\r\n",
        GET HOST "X: a\rY: b\r\n\r\n",
        GET HOST "X: a\r\rY: b\r\n\r\n",
        GET HOST "X: a\x01\r\n\r\n",
        GET HOST "X: a\x7f\r\n\r\n",
        GET HOST "X: a\x0b\r\n\r\n",
        GET HOST "X: a\r\n\n",
        GET HOST "X: a\r\n\rx",
        GET HOST "X: a\n\n",
        POST "Content-Length: 1\n\r\nx",
        POST "Transfer-Encoding: chunked\n\r\n0\r\n\r\n",
        POST "Transfer-Encoding:\013chunked\r\n\r\n0\r\n\r\n",
        POST "Transfer-Encoding\x0b: chunked\r\n\r\n0\r\n\r\n",
        POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        POST "Content-Length:\r\n 1\r\n\r\nx",
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        for (int cut = 0; cut < 2; cut++) {
            struct run run = requests;
            struct span raw = span_str(rows[i]);
            bool is_alive = true;

            run_begin(&run);
            if (cut == 0)
                is_alive = feed(&run, raw);
            for (size_t k = 0; cut && is_alive && k < raw.len; k++)
                is_alive = feed(&run, span_of(raw.ptr + k, 1));
            ck_assert_msg(!is_alive, "accepted: %s", rows[i]);
            ck_assert(span_starts(buf_span(&seen), "!"));
            ck_assert_int_eq(http_error_status(http_parser_error(run.parser)),
                             400);
            http_parser_free(run.parser);
        }
    }
    expect_of(&(struct run){.kind = HTTP_KIND_REQUEST,
                            .limits = &http_limits_default},
              span_of(GET "Host: a\0b\r\n\r\n", 29), "!FIELD");
}
END_TEST

START_TEST(framing_has_one_reading_only)
{
    static const struct row rows[] = {
        {POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
         "!LENGTH_AND_CODING"},
        {POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
         "!LENGTH_AND_CODING"},
        {POST "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
         "!LENGTH_AND_CODING"},
        {POST "Content-Length: 5\r\nTransfer-Encoding: x\r\n\r\n",
         "!LENGTH_AND_CODING"},
        {POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", "!LENGTH"},
        {POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", "!LENGTH"},
        {POST "Content-Length: 5, 5\r\n\r\n", "!LENGTH"},
        {POST "Content-Length: 5,6\r\n\r\n", "!LENGTH"},
        {POST "Content-Length: +5\r\n\r\n", "!LENGTH"},
        {POST "Content-Length: -5\r\n\r\n", "!LENGTH"},
        {POST "Content-Length: 0x5\r\n\r\n", "!LENGTH"},
        {POST "Content-Length: 5 5\r\n\r\n", "!LENGTH"},
        {POST "Content-Length: 5a\r\n\r\n", "!LENGTH"},
        {POST "Content-Length: \"5\"\r\n\r\n", "!LENGTH"},
        {POST "Content-Length: 5.0\r\n\r\n", "!LENGTH"},
        {POST "Content-Length:\r\n\r\n", "!LENGTH"},
        {POST "Content-Length: 1000000000000000000\r\n\r\n", "!LENGTH"},
        {POST "Content-Length: 18446744073709551616\r\n\r\n", "!LENGTH"},
        {POST "Transfer-Encoding: identity\r\n\r\n", "!CODING"},
        {POST "Transfer-Encoding: gzip\r\n\r\n", "!CODING"},
        {POST "Transfer-Encoding:\r\n\r\n", "!CODING"},
        {POST "Transfer-Encoding: chunked, chunked\r\n\r\n", "!CODING"},
        {POST "Transfer-Encoding: chunked, identity\r\n\r\n", "!CODING"},
        {POST "Transfer-Encoding: identity, chunked\r\n\r\n", "!CODING"},
        {POST "Transfer-Encoding: chunked,\r\n\r\n", "!CODING"},
        {POST "Transfer-Encoding: ,chunked\r\n\r\n", "!CODING"},
        {POST "Transfer-Encoding: xchunked\r\n\r\n", "!CODING"},
        {POST "Transfer-Encoding: chunkedx\r\n\r\n", "!CODING"},
        {POST "Transfer-Encoding: chunked x\r\n\r\n", "!CODING"},
        {POST "Transfer-Encoding: chunked;q=1\r\n\r\n", "!CODING"},
        {POST "Transfer-Encoding: \"chunked\"\r\n\r\n", "!CODING"},
        {POST "Transfer-Encoding: chunked\r\n"
              "Transfer-Encoding: chunked\r\n\r\n",
         "!CODING"},
        {POST "Transfer-Encoding: chunked\r\n"
              "Transfer-Encoding: identity\r\n\r\n",
         "!CODING"},
        {POST "Transfer-Encoding: gzip\r\n"
              "Transfer-Encoding: chunked\r\n\r\n",
         "!CODING"},
        {POST "Transfer-Encoding: gzip, chunked\r\n\r\n", "!CODING_UNKNOWN"},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
         "!CODING_VERSION"},
    };

    expect_rows(requests, rows, ARRAY_SIZE(rows));
}
END_TEST

START_TEST(connection_upgrade_and_expect_are_judged)
{
    static const struct row rows[] = {
        {GET HOST "Connection: host\r\n\r\n", "!CONNECTION"},
        {GET HOST "Connection: close, Cookie\r\n\r\n", "!CONNECTION"},
        {GET HOST "Connection: X-Forwarded-For\r\n\r\n", "!CONNECTION"},
        {GET HOST "Connection: content-length\r\n\r\n", "!CONNECTION"},
        {GET HOST "Connection: transfer-encoding\r\n\r\n", "!CONNECTION"},
        {GET HOST "Connection: authorization\r\n\r\n", "!CONNECTION"},
        {GET HOST "Connection: a b\r\n\r\n", "!CONNECTION"},
        {POST "Connection: upgrade\r\nUpgrade: websocket\r\n"
              "Content-Length: 1\r\n\r\nx",
         "!UPGRADE_BODY"},
        {POST "Connection: upgrade\r\nUpgrade: h2c\r\n"
              "Transfer-Encoding: chunked\r\n\r\n",
         "!UPGRADE_BODY"},
        {POST "Upgrade: websocket\r\nContent-Length: 1\r\n\r\nx", "H[x]E"},
        {POST "Expect: 200-ok\r\n\r\n", "!EXPECT"},
        {POST "Expect: 100-continue, x\r\n\r\n", "!EXPECT"},
        {POST "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n",
         "!EXPECT"},
        {"POST / HTTP/1.0\r\nExpect: x\r\n\r\n", "HE"},
        {"TRACE / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
         "!CONTENT"},
        {"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 1\r\n\r\nx",
         "!CONTENT"},
        {GET HOST "Connection: close\r\n\r\n" GET HOST "\r\n",
         "HE!AFTER_CLOSE"},
        {"GET / HTTP/1.0\r\n\r\nG", "HE!AFTER_CLOSE"},
    };

    expect_rows(requests, rows, ARRAY_SIZE(rows));
}
END_TEST

START_TEST(malformed_chunks_are_refused)
{
    static const struct row rows[] = {
        {CHUNKED "x\r\n", "H!CHUNK"},
        {CHUNKED "\r\n", "H!CHUNK"},
        {CHUNKED "0x5\r\nhello\r\n", "H!CHUNK"},
        {CHUNKED "+5\r\nhello\r\n", "H!CHUNK"},
        {CHUNKED "-5\r\nhello\r\n", "H!CHUNK"},
        {CHUNKED " 5\r\nhello\r\n", "H!CHUNK"},
        {CHUNKED "5 \r\nhello\r\n", "H!CHUNK"},
        {CHUNKED "5\nhello\r\n", "H!CHUNK"},
        {CHUNKED "5\rhello\r\n", "H!CHUNK"},
        {CHUNKED "5;\nhello\r\n", "H!CHUNK"},
        {CHUNKED "5;a\nhello\r\n", "H!CHUNK"},
        {CHUNKED "5;a\rb\r\nhello\r\n", "H!CHUNK"},
        {CHUNKED "5;a=\"\n\"\r\nhello\r\n", "H!CHUNK"},
        {CHUNKED "5\r\nhelloX\r\n", "H[hello]!CHUNK"},
        {CHUNKED "5\r\nhello\n0\r\n\r\n", "H[hello]!CHUNK"},
        {CHUNKED "5\r\nhello0\r\n\r\n", "H[hello]!CHUNK"},
        {CHUNKED "5\r\nhello\r0\r\n\r\n", "H[hello]!CHUNK"},
        {CHUNKED "10000000000000000\r\n", "H!CHUNK"},
        {CHUNKED "0\r\nContent-Length: 5\r\n\r\n", "H!TRAILER"},
        {CHUNKED "0\r\nTransfer-Encoding: chunked\r\n\r\n", "H!TRAILER"},
        {CHUNKED "0\r\nHost: b\r\n\r\n", "H!TRAILER"},
        {CHUNKED "0\r\nCookie: b\r\n\r\n", "H!TRAILER"},
        {CHUNKED "0\r\nX-Forwarded-For: b\r\n\r\n", "H!TRAILER"},
        {CHUNKED "0\r\nX: b\r\n c\r\n\r\n", "H!TRAILER"},
    };

    expect_rows(requests, rows, ARRAY_SIZE(rows));
}
END_TEST

/* `pattern` with '@' replaced by `n` times `c`. */
static const char *repeat(char c, size_t n, const char *pattern)
{
    static char text[2000];
    size_t before = strcspn(pattern, "@");
    const char *behind = pattern + before + 1;

    ck_assert_uint_lt(strlen(pattern) + n, sizeof(text));
    memcpy(text, pattern, before);
    memset(text + before, c, n);
    memcpy(text + before + n, behind, strlen(behind) + 1);
    return text;
}

START_TEST(limits_are_exact)
{
    struct run run = {.kind = HTTP_KIND_REQUEST, .limits = &small_limits};
    const char *raw;

    /* "GET /" and " HTTP/1.1" are 14 bytes of the 64. */
    raw = repeat('x', 50, "GET /@ HTTP/1.1\r\nHost: a\r\n\r\n");
    expect_of(&run, span_str(raw), "HE");
    raw = repeat('x', 51, "GET /@ HTTP/1.1\r\nHost: a\r\n\r\n");
    expect_of(&run, span_str(raw), "!LINE_TOO_LONG");
    raw = repeat('x', 500, "GET /@");
    expect_of(&run, span_str(raw), "!LINE_TOO_LONG");

    /* 16 + 9 + 3 + 2 + 2 bytes around the value, of 200. */
    raw = repeat('x', 168, GET HOST "X: @\r\n\r\n");
    expect_of(&run, span_str(raw), "HE");
    raw = repeat('x', 169, GET HOST "X: @\r\n\r\n");
    expect_of(&run, span_str(raw), "!HEAD_TOO_LARGE");
    raw = repeat('x', 500, GET HOST "X: @");
    expect_of(&run, span_str(raw), "!HEAD_TOO_LARGE");

    expect_of(&run, span_str(GET HOST "A:\r\nB:\r\nC:\r\nD:\r\n\r\n"), "HE");
    expect_of(&run, span_str(GET HOST "A:\r\nB:\r\nC:\r\nD:\r\nE:\r\n\r\n"),
              "!HEAD_TOO_LARGE");
}
END_TEST

START_TEST(chunk_lines_and_trailers_have_limits)
{
    struct run run = {.kind = HTTP_KIND_REQUEST, .limits = &small_limits};
    const char *raw;

    raw = repeat('x', 17, CHUNKED "5;@\r\nhello\r\n0\r\n\r\n");
    expect_of(&run, span_str(raw), "H[hello]E");
    raw = repeat('x', 60, CHUNKED "5;@\r\nhello\r\n0\r\n\r\n");
    expect_of(&run, span_str(raw), "H!CHUNK");
    raw = repeat('0', 60, CHUNKED "@5\r\nhello\r\n0\r\n\r\n");
    expect_of(&run, span_str(raw), "H!CHUNK");
    expect_of(&run, span_str(CHUNKED "0\r\nA:\r\nB:\r\nC:\r\nD:\r\nE:\r\n\r\n"),
              "HE");
    expect_of(&run,
              span_str(CHUNKED "0\r\nA:\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:\r\n\r\n"),
              "H!TRAILER");
}
END_TEST

START_TEST(endless_trailers_are_cut_off)
{
    struct run run = requests;
    bool is_alive;

    run_begin(&run);
    is_alive = feed(&run, span_str(CHUNKED "0\r\nX:"));
    for (int i = 0; is_alive && i < 20000; i++)
        is_alive = feed(&run, span_str(" "));
    ck_assert(!is_alive);
    http_parser_free(run.parser);

    run_begin(&run);
    is_alive = feed(&run, span_str(CHUNKED "0\r\nX:"));
    for (int i = 0; is_alive && i < 20000; i++)
        is_alive = feed(&run, span_str("y"));
    ck_assert(!is_alive);
    ck_assert_int_eq(http_parser_error(run.parser), HTTP_ERROR_TRAILER);
    http_parser_free(run.parser);
}
END_TEST

START_TEST(well_formed_responses_pass)
{
    static const struct row rows[] = {
        {OK "Content-Length: 5\r\n\r\nhello", "H[hello]E"},
        {OK "Content-Length: 0\r\n\r\n" OK "Content-Length: 0\r\n\r\n", "HEHE"},
        {OK "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", "H[ab]E"},
        {OK "\r\nuntil the end", "H[until the end]U"},
        {"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "HE"},
        {"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", "HE"},
        {"HTTP/1.1 404 N\xc3\xb6t F\tound\r\nContent-Length: 0\r\n\r\n", "HE"},
        {"HTTP/1.1 799 Odd\r\nContent-Length: 0\r\n\r\n", "HE"},
        {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", "H[x]E"},
        {"HTTP/1.1 204 No Content\r\n\r\n" OK "Content-Length: 0\r\n\r\n",
         "HEHE"},
        {"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "HE"},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n" OK
         "Content-Length: 0\r\n\r\n",
         "HEHE"},
        {"HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 1\r\n\r\nx",
         "HEH[x]E"},
        {"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
         "HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 1\r\n\r\nx",
         "HEHEH[x]E"},
        {"HTTP/1.1 100 Continue\r\nConnection: close\r\n\r\n" OK
         "Content-Length: 0\r\n\r\n",
         "HEHE"},
        {"HTTP/1.1 500 E\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
         "H[x]E"},
    };

    expect_rows(responses, rows, ARRAY_SIZE(rows));
}
END_TEST

START_TEST(malformed_responses_are_refused)
{
    static const struct row rows[] = {
        {"\r\n" OK "\r\n", "!START_LINE"},
        {"HTTP/1.1 99 X\r\n\r\n", "!START_LINE"},
        {"HTTP/1.1 2000 X\r\n\r\n", "!START_LINE"},
        {"HTTP/1.1 2x0 X\r\n\r\n", "!START_LINE"},
        {"HTTP/1.1  200 X\r\n\r\n", "!START_LINE"},
        {"HTTP/1.1 200X\r\n\r\n", "!START_LINE"},
        {"HTTP/2.0 200 OK\r\n\r\n", "!VERSION"},
        {"HTTP/1.1 099 X\r\n\r\n", "!START_LINE"},
        {OK "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
         "!LENGTH_AND_CODING"},
        {OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "!LENGTH"},
        {OK "Transfer-Encoding: gzip, chunked\r\n\r\n", "!CODING_UNKNOWN"},
        {OK "Transfer-Encoding: chunked, gzip\r\n\r\n", "!CODING"},
        {OK "Transfer-Encoding: gzip\r\n\r\n", "!CODING"},
        {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
         "!CODING_VERSION"},
        {"HTTP/1.1 204 No\r\nContent-Length: 1\r\n\r\nx", "!CONTENT"},
        {"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n", "!CONTENT"},
        {"HTTP/1.1 100 C\r\nContent-Length: 1\r\n\r\nx", "!CONTENT"},
        {"HTTP/1.1 101 S\r\nTransfer-Encoding: chunked\r\n\r\n", "!CONTENT"},
        {OK "Connection: set-cookie\r\n\r\n", "!CONNECTION"},
        {OK "X : y\r\n\r\n", "!FIELD"},
        {OK "Content-Length: 0\r\nConnection: close\r\n\r\nx",
         "HE!AFTER_CLOSE"},
    };

    expect_rows(responses, rows, ARRAY_SIZE(rows));
}
END_TEST

START_TEST(the_request_method_decides_about_content)
{
    struct run head = {.kind = HTTP_KIND_RESPONSE,
                       .request = HTTP_METHOD_HEAD,
                       .limits = &http_limits_default};
    struct run connect = head;

    connect.request = HTTP_METHOD_CONNECT;
    expect_of(&head, span_str(OK "Content-Length: 500\r\n\r\n"), "HE");
    expect_of(&head,
              span_str(OK "Transfer-Encoding: chunked\r\n\r\n" OK "\r\n"),
              "HEHE");
    expect_of(&connect, span_str(OK "\r\n"), "HE");
    expect_of(&connect,
              span_str("HTTP/1.1 407 P\r\nContent-Length: 1\r\n\r\nx"),
              "H[x]E");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("http_parse");
    TCase *tc = tcase_create("http_parse");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, well_formed_requests_pass);
    tcase_add_test(tc, malformed_start_lines_are_refused);
    tcase_add_test(tc, malformed_targets_are_refused);
    tcase_add_test(tc, a_request_has_one_good_host);
    tcase_add_test(tc, malformed_fields_are_refused);
    tcase_add_test(tc, control_bytes_and_folded_lines_are_refused);
    tcase_add_test(tc, framing_has_one_reading_only);
    tcase_add_test(tc, connection_upgrade_and_expect_are_judged);
    tcase_add_test(tc, malformed_chunks_are_refused);
    tcase_add_test(tc, limits_are_exact);
    tcase_add_test(tc, chunk_lines_and_trailers_have_limits);
    tcase_add_test(tc, endless_trailers_are_cut_off);
    tcase_add_test(tc, well_formed_responses_pass);
    tcase_add_test(tc, malformed_responses_are_refused);
    tcase_add_test(tc, the_request_method_decides_about_content);
    suite_add_tcase(suite, tc);
    return suite;
}
