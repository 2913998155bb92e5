/* SPDX-License-Identifier: MIT */
/* SIP: does a leg answer, do the servers behind it, and does a router on the
 * way change what is sent (an "ALG")? */
#include "ctl_checks.h"

#include "base/crypto.h"
#include "base/err.h"
#include "base/text.h"
#include "ctl/ctl_sip.h"
#include "ctl_link.h"

#include <errno.h>
#include <stdio.h>

enum { TRIES = 4, FIRST_WAIT_MS = 500, LINE_SHOWN = 60 };

static const char *transport_of(const struct ctl_uri *uri)
{
    return uri->tls ? "TLS" : uri->tcp ? "TCP" : "UDP";
}

/* A whole message: a datagram, or the front of the stream. */
static int receive(struct ctl_link *link, bool stream, char in[CTL_SIP_MAX],
                   unsigned wait_ms)
{
    size_t len = 0;

    for (;;) {
        int n = ctl_link_receive(link, in + len, CTL_SIP_MAX - len, wait_ms);

        if (n <= 0)
            return n < 0 ? n : ERR_CLOSED;
        len += (size_t)n;
        if (!stream)
            return (int)len;
        n = ctl_sip_size(span_of(in, len));
        if (n < 0 || n > CTL_SIP_MAX)
            return ERR_PARSE;
        if (n > 0 && len >= (size_t)n)
            return n;
        if (len == CTL_SIP_MAX)
            return ERR_LIMIT;
    }
}

/* The final answer in `in`; returns its length or an error. */
static int exchange(struct ctl_link *link, const struct ctl_uri *uri,
                    struct span request, const char *id, char in[CTL_SIP_MAX])
{
    unsigned wait = uri->tcp ? CTL_LINK_TIMEOUT_MS : FIRST_WAIT_MS;
    int n = -ETIMEDOUT, status;

    for (unsigned i = 0; i < (uri->tcp ? 1 : TRIES); i++, wait *= 2) {
        n = ctl_link_send(link, request);
        while (n >= 0) {
            n = receive(link, uri->tcp, in, wait);
            status = n < 0 ? n : ctl_sip_status(span_of(in, (size_t)n), id);
            if (status >= 200)
                return n;
            if (status < 0 && status != ERR_STATE)
                n = status;
        }
        if (n != -ETIMEDOUT)
            return n;
    }
    return n;
}

static void start(struct ctl_sip_request *request)
{
    uint8_t random[8];

    crypto_random(random, sizeof(random));
    text_hex(span_of(random, sizeof(random)), request->id);
}

void check_sip_answer(struct ctl_check_env *env, const char *where,
                      const char *id, const char *what, int status)
{
    if (status == 408 || status == 480 || (status >= 500 && status < 600))
        ctl_checks_add(env->checks, where, id, CTL_CHECK_ERROR,
                       "%s answers OPTIONS with %d: no media server answers "
                       "behind it; look at edgectl status, then at the "
                       "firewall between them",
                       what, status);
    else
        ctl_checks_add(env->checks, where, id, CTL_CHECK_OK,
                       "%s answers OPTIONS with %d%s", what, status,
                       status == 403 || status == 404
                           ? " (it listens; ask it by the name of a domain it "
                             "serves to see what is behind)"
                           : "");
}

static void check_options(struct ctl_check_env *env, const struct ctl_uri *uri,
                          struct ctl_link *link)
{
    struct addr local;
    struct ctl_sip_request request = {.method = "OPTIONS",
                                      .host = uri->host,
                                      .transport = transport_of(uri),
                                      .from = &local};
    char in[CTL_SIP_MAX];
    struct buf out;
    int n;

    ctl_link_local(link, &local);
    start(&request);
    buf_init(&out, CTL_SIP_MAX);
    ctl_sip_write(&request, &out);
    n = exchange(link, uri, buf_span(&out), request.id, in);
    buf_deinit(&out);
    if (n < 0)
        ctl_checks_add(env->checks, uri->text, "SIP-OPTIONS", CTL_CHECK_ERROR,
                       "no answer to OPTIONS (%s): does it listen there, may "
                       "this host ask it, and does the firewall let %s %u "
                       "through?",
                       err_str(n), uri->tcp ? "TCP" : "UDP", uri->port);
    else
        check_sip_answer(env, uri->text, "SIP-OPTIONS", "it",
                         ctl_sip_status(span_of(in, (size_t)n), request.id));
}

/* ---- what a router changes ---- */

static void judge_echo(struct ctl_check_env *env, const struct ctl_uri *uri,
                       struct span sent, struct span answer, int status)
{
    char before[LINE_SHOWN + 1], after[LINE_SHOWN + 1];
    struct span was, is, body = ctl_sip_body(answer);

    if (status != 200 || body.len == 0) {
        ctl_checks_add(env->checks, uri->text, "SIP-ECHO", CTL_CHECK_WARNING,
                       "%s is answered with %d and not with itself: set "
                       "echo-method of sip-proxy to look for an ALG",
                       env->echo_method, status);
        return;
    }
    if (ctl_sip_same(sent, body, &was, &is)) {
        ctl_checks_add(env->checks, uri->text, "SIP-ALG", CTL_CHECK_OK,
                       "no router on the way changes SIP over %s",
                       transport_of(uri));
        return;
    }
    ctl_checks_add(
        env->checks, uri->text, "SIP-ALG", CTL_CHECK_ERROR,
        "a router on the way changes SIP over %s (\"%s\" became \"%s\"): "
        "switch its SIP ALG off, or use TLS",
        transport_of(uri), text_printable(was, before, sizeof(before)),
        text_printable(is, after, sizeof(after)));
}

static void check_alg(struct ctl_check_env *env, const struct ctl_uri *uri,
                      struct ctl_link *link)
{
    struct addr local;
    struct ctl_sip_request request = {.method = env->echo_method,
                                      .host = uri->host,
                                      .transport = transport_of(uri),
                                      .from = &local,
                                      .session = true};
    char in[CTL_SIP_MAX];
    struct buf out;
    int n;

    ctl_link_local(link, &local);
    start(&request);
    buf_init(&out, CTL_SIP_MAX);
    ctl_sip_write(&request, &out);
    n = exchange(link, uri, buf_span(&out), request.id, in);
    if (n < 0)
        ctl_checks_add(env->checks, uri->text, "SIP-ECHO", CTL_CHECK_WARNING,
                       "no answer to %s (%s): set echo-method of sip-proxy to "
                       "look for an ALG",
                       env->echo_method, err_str(n));
    else
        judge_echo(env, uri, buf_span(&out), span_of(in, (size_t)n),
                   ctl_sip_status(span_of(in, (size_t)n), request.id));
    buf_deinit(&out);
}

void check_sip(struct ctl_check_env *env, const struct ctl_uri *uri)
{
    char error[CTL_LINK_ERROR];
    struct ctl_link *link;
    int err = ctl_link_open(&link, uri, env->address, true, error);

    if (err == ERR_TLS)
        ctl_checks_add(env->checks, uri->text, "SIP-TLS", CTL_CHECK_ERROR,
                       "no TLS: %s; is it a tls: listener, and does it ask "
                       "for a partner's certificate?",
                       error);
    else if (err < 0)
        ctl_checks_add(env->checks, uri->text, "SIP-CONNECT", CTL_CHECK_ERROR,
                       "%s: is it running, and does the firewall let TCP "
                       "through?",
                       error);
    if (err < 0)
        return;
    if (uri->tls) {
        ctl_checks_add(env->checks, uri->text, "SIP-TLS", CTL_CHECK_OK,
                       "speaks %s", ctl_link_version(link));
        check_certificate(env, uri, link);
    }
    check_options(env, uri, link);
    /* What is encrypted no router changes. */
    if (env->echo_method && !uri->tls)
        check_alg(env, uri, link);
    ctl_link_close(link);
    if (uri->tls)
        check_old_tls(env, uri);
}

/* ---- through a WebSocket ---- */

void check_sip_request(const char *host, const char *transport,
                       const struct addr *local, char id[CTL_SIP_ID_SIZE],
                       struct buf *out)
{
    struct ctl_sip_request request = {.method = "OPTIONS",
                                      .host = host,
                                      .transport = transport,
                                      .from = local};

    start(&request);
    memcpy(id, request.id, sizeof(request.id));
    ctl_sip_write(&request, out);
}
