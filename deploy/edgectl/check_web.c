/* SPDX-License-Identifier: MIT */
#include "ctl_checks.h"

#include "base/crypto.h"
#include "base/err.h"
#include "base/text.h"
#include "ctl_link.h"

#include <stdio.h>

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

/* One request on a connection of its own; its status or an error. */
static int ask(struct ctl_check_env *env, const struct ctl_uri *uri,
               const char *path, const char *more)
{
    char request[2048], answer[ANSWER_MAX], error[CTL_LINK_ERROR];
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
    while (err == 0 && len < 12) {
        n = ctl_link_receive(link, answer + len, sizeof(answer) - len,
                             CTL_LINK_TIMEOUT_MS);
        if (n <= 0)
            err = n < 0 ? n : ERR_CLOSED;
        else
            len += (size_t)n;
    }
    ctl_link_close(link);
    return err < 0 ? err : status_of(span_of(answer, len));
}

/* What is not published must not reach a back end. */
static void check_unlisted(struct ctl_check_env *env, const struct ctl_uri *uri)
{
    uint8_t random[8];
    char hex[2 * sizeof(random) + 1], path[64];
    int status;

    crypto_random(random, sizeof(random));
    text_hex(span_of(random, sizeof(random)), hex);
    (void)snprintf(path, sizeof(path), "/edgectl-check-%s", hex);
    status = ask(env, uri, path, "Connection: close\r\n");
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
}

static void check_websocket(struct ctl_check_env *env,
                            const struct ctl_uri *uri, const char *path)
{
    int status = ask(env, uri, path,
                     "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                     "Sec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Protocol: sip\r\n"
                     "Sec-WebSocket-Key: ZWRnZWN0bC1jaGVjay0tLQ==\r\n");

    if (status == 101)
        ctl_checks_add(env->checks, uri->text, "WEB-WEBSOCKET", CTL_CHECK_OK,
                       "%.100s opens a WebSocket", path);
    else if (status < 0)
        ctl_checks_add(env->checks, uri->text, "WEB-WEBSOCKET", CTL_CHECK_ERROR,
                       "%.100s: no HTTP answer: %s", path, err_str(status));
    else
        ctl_checks_add(env->checks, uri->text, "WEB-WEBSOCKET", CTL_CHECK_ERROR,
                       "%.100s opens no WebSocket but answers %d: %s", path,
                       status,
                       status == 403   ? "its token or origin is refused"
                       : status == 404 ? "no route leads there"
                       : status >= 502 ? "the server behind does not answer"
                                       : "see the log of web-proxy");
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
    if (uri->tls)
        check_old_tls(env, uri);
    check_unlisted(env, uri);
    for (size_t i = 0; i < env->n_websockets; i++)
        check_websocket(env, uri, env->websockets[i]);
}
