/* SPDX-License-Identifier: MIT */
#include "ctl_checks.h"

#include "base/crypto.h"
#include "base/err.h"
#include "base/text.h"
#include "ctl_link.h"
#include "http/http_date.h"

#include <stdio.h>
#include <time.h>

enum { ANSWER_MAX = 16 * 1024 };

/* The status of "HTTP/1.1 404 Not Found\r\n…", or ERR_PARSE. */
static int status_of(struct span bytes)
{
    uint32_t status;

    if (!span_starts(bytes, "HTTP/1.") || bytes.len < 12 ||
        span_to_u32(span_of(bytes.ptr + 9, 3), 999, &status) < 0)
        return ERR_PARSE;
    return (int)status;
}

/* One request on a connection of its own; its status or an error. `head`, an
 * empty buffer or NULL, gets what came of the answer's head. */
static int ask(struct ctl_check_env *env, const struct ctl_uri *uri,
               const char *path, const char *more, struct buf *head)
{
    char request[2048], answer[ANSWER_MAX], error[CTL_LINK_ERROR];
    const struct span end = span_str("\r\n\r\n");
    const char *colon = strchr(uri->host, ':');
    struct ctl_link *link;
    size_t len = 0;
    int n, err;

    n = snprintf(request, sizeof(request),
                 "GET %s HTTP/1.1\r\nHost: %s%s%s:%u\r\n"
                 "User-Agent: edgectl\r\n%s\r\n",
                 path, colon ? "[" : "", uri->host, colon ? "]" : "", uri->port,
                 more);
    if (n < 0 || (size_t)n >= sizeof(request))
        return ERR_LIMIT;
    err = ctl_link_open(&link, uri, env->address, true, error);
    if (err < 0)
        return err;
    err = ctl_link_send(link, span_of(request, (size_t)n));
    while (err == 0 && len < sizeof(answer) &&
           span_search(span_of(answer, len), end) < 0) {
        n = ctl_link_receive(link, answer + len, sizeof(answer) - len,
                             CTL_LINK_TIMEOUT_MS);
        if (n <= 0)
            err = n < 0 ? n : ERR_CLOSED;
        else
            len += (size_t)n;
    }
    ctl_link_close(link);
    if (head && err == 0)
        buf_put(head, answer, len);
    return err < 0 ? err : status_of(span_of(answer, len));
}

/* ---- the clock ---- */

/* Credentials with a time in them fail when clocks differ. */
static void check_clock(struct ctl_check_env *env, const struct ctl_uri *uri,
                        struct span head)
{
    struct span line, key, value;
    int64_t then, off;

    while (ctl_head_line(&head, &line)) {
        if (!span_cut(line, ':', &key, &value) ||
            !span_is_nocase(key, "Date") ||
            http_date_parse(span_trim(value), &then) < 0)
            continue;
        off = then - (int64_t)time(NULL);
        if (off > (int64_t)env->skew || -off > (int64_t)env->skew)
            ctl_checks_add(env->checks, uri->text, "CLOCK-OFFSET",
                           CTL_CHECK_WARNING,
                           "its clock and ours differ by %lld s: time-limited "
                           "credentials and certificates depend on it, run "
                           "NTP on both",
                           (long long)off);
        else
            ctl_checks_add(env->checks, uri->text, "CLOCK-OFFSET", CTL_CHECK_OK,
                           "its clock agrees with ours within %u s", env->skew);
        return;
    }
}

/* What is not published must not reach a back end. */
static void check_unlisted(struct ctl_check_env *env, const struct ctl_uri *uri)
{
    uint8_t random[8];
    char hex[2 * sizeof(random) + 1], path[64];
    struct buf head;
    int status;

    crypto_random(random, sizeof(random));
    text_hex(span_of(random, sizeof(random)), hex);
    (void)snprintf(path, sizeof(path), "/edgectl-check-%s", hex);
    buf_init(&head, ANSWER_MAX);
    status = ask(env, uri, path, "Connection: close\r\n", &head);
    if (status == 404)
        ctl_checks_add(env->checks, uri->text, "WEB-UNLISTED", CTL_CHECK_OK,
                       "a path nobody published is answered 404");
    else if (status < 0)
        ctl_checks_add(env->checks, uri->text, "WEB-UNLISTED", CTL_CHECK_ERROR,
                       "no HTTP answer: %s", err_str(status));
    else
        ctl_checks_add(env->checks, uri->text, "WEB-UNLISTED",
                       CTL_CHECK_WARNING,
                       "a path nobody published is answered %d, not 404: name "
                       "the routes one by one, without /",
                       status);
    if (status > 0)
        check_clock(env, uri, buf_span(&head));
    buf_deinit(&head);
}

/* ---- published paths ---- */

static void check_path(struct ctl_check_env *env, const struct ctl_uri *uri,
                       const char *path)
{
    int status = ask(env, uri, path, "Connection: close\r\n", NULL);

    if (status < 0)
        ctl_checks_add(env->checks, uri->text, "WEB-PATH", CTL_CHECK_ERROR,
                       "%.100s: no HTTP answer: %s", path, err_str(status));
    else if (status == 404 || status >= 500)
        ctl_checks_add(env->checks, uri->text, "WEB-PATH", CTL_CHECK_ERROR,
                       "%.100s is answered %d: %s", path, status,
                       status == 404 ? "no route leads there, or its server "
                                       "does not know it"
                                     : "the server behind does not answer; "
                                       "see the log of web-proxy");
    else
        ctl_checks_add(env->checks, uri->text, "WEB-PATH", CTL_CHECK_OK,
                       "%.100s is answered %d", path, status);
}

/* ---- HTTP/2 ---- */

static void check_h2(struct ctl_check_env *env, const struct ctl_uri *uri)
{
    static const char *const offered[] = {"h2", "http/1.1", NULL};
    char error[CTL_LINK_ERROR];
    struct ctl_link *link;
    const char *chosen;

    if (ctl_link_open_alpn(&link, uri, env->address, offered, error) < 0)
        return;
    chosen = ctl_link_protocol(link);
    if (chosen && strcmp(chosen, "h2") == 0)
        ctl_checks_add(env->checks, uri->text, "WEB-HTTP2", CTL_CHECK_OK,
                       "speaks HTTP/2");
    else
        ctl_checks_add(env->checks, uri->text, "WEB-HTTP2", CTL_CHECK_WARNING,
                       "speaks no HTTP/2 (ALPN says %s): pages load more "
                       "slowly; look for something in front that ends TLS",
                       chosen ? chosen : "nothing");
    ctl_link_close(link);
}

void check_web(struct ctl_check_env *env, const struct ctl_uri *uri)
{
    char error[CTL_LINK_ERROR];
    struct ctl_link *link;
    int err = ctl_link_open(&link, uri, env->address, true, error);

    if (err == ERR_TLS)
        ctl_checks_add(env->checks, uri->text, "WEB-TLS", CTL_CHECK_ERROR,
                       "no TLS: %s", error);
    else if (err < 0)
        ctl_checks_add(env->checks, uri->text, "WEB-CONNECT", CTL_CHECK_ERROR,
                       "%s: is it running, and does the firewall let TCP "
                       "through?",
                       error);
    if (err < 0)
        return;
    if (uri->tls) {
        ctl_checks_add(env->checks, uri->text, "WEB-TLS", CTL_CHECK_OK,
                       "speaks %s", ctl_link_version(link));
        check_certificate(env, uri, link);
    }
    ctl_link_close(link);
    if (uri->tls) {
        check_old_tls(env, uri);
        check_h2(env, uri);
    }
    check_unlisted(env, uri);
    for (size_t i = 0; i < env->paths.n; i++)
        check_path(env, uri, env->paths.items[i]);
    for (size_t i = 0; i < env->websockets.n; i++)
        check_websocket(env, uri, env->websockets.items[i]);
}
