/* SPDX-License-Identifier: MIT */
#include "sip_peer.h"

#include "base/err.h"
#include "net/tls_session.h"
#include "sip_conn.h"

#include <stdio.h>

#define LOG_COMPONENT "partner"
#include "base/log.h"

enum { LOG_EVERY_MS = 1000, DOMAIN_SIZE = 256 };

/* The domains of the certificate, one a line. False when there is none. */
static bool read_names(const struct tls_session *tls,
                       char names[SIP_PARTNER_NAMES_MAX])
{
    char domain[DOMAIN_SIZE];
    size_t len = 0;

    names[0] = '\0';
    for (size_t i = 0; tls_session_peer_domain(tls, i, domain, sizeof(domain));
         i++) {
        int n = snprintf(names + len, SIP_PARTNER_NAMES_MAX - len, "%s%s",
                         len ? "\n" : "", domain);

        /* A certificate for very many: the first ones count. */
        if (n < 0 || (size_t)n >= SIP_PARTNER_NAMES_MAX - len) {
            names[len] = '\0';
            break;
        }
        len += (size_t)n;
    }
    return len > 0;
}

static const char *words_of(enum sip_peer_fault fault)
{
    static const char *const words[] = {
        [SIP_PEER_MISSING] = "no certificate",
        [SIP_PEER_UNTRUSTED] = "certificate of no authority we trust",
        [SIP_PEER_DATES] = "certificate expired or not valid yet",
        [SIP_PEER_PURPOSE] = "certificate not meant for clients",
        [SIP_PEER_STRANGER] = "certificate of no partner",
    };

    return words[fault];
}

static void count(struct sip_worker *w, enum sip_peer_fault fault)
{
    switch (fault) {
    case SIP_PEER_MISSING:
        SIP_SHELL_COUNT(w, partner_no_certificate);
        break;
    case SIP_PEER_UNTRUSTED:
        SIP_SHELL_COUNT(w, partner_untrusted);
        break;
    case SIP_PEER_DATES:
        SIP_SHELL_COUNT(w, partner_dates);
        break;
    case SIP_PEER_PURPOSE:
        SIP_SHELL_COUNT(w, partner_purpose);
        break;
    case SIP_PEER_STRANGER:
    default:
        SIP_SHELL_COUNT(w, partner_stranger);
        break;
    }
}

/* --- those who are told that they may not --- */

static void on_nothing(struct stream *stream, struct span data, void *arg)
{
    (void)stream;
    (void)data;
    (void)arg;
}

static void on_gone(struct stream *stream, int err, void *arg)
{
    (void)stream;
    (void)err;
    (void)arg;
}

static const struct stream_events deaf = {.on_data = on_nothing,
                                          .on_closed = on_gone};

static void refuse(struct sip_worker *w, struct stream *stream,
                   enum sip_peer_fault fault, const char *names)
{
    uint64_t now = worker_now(w->worker);

    count(w, fault);
    if (w->peer_logged[fault] <= now) {
        char subject[DOMAIN_SIZE], from[ADDR_TEXT_SIZE];

        w->peer_logged[fault] = now + LOG_EVERY_MS;
        (void)tls_session_peer_subject(stream_tls(stream), subject,
                                       sizeof(subject));
        log_warn("partner refused why=\"%s\" from=%s subject=\"%s\" "
                 "domains=\"%s\"",
                 words_of(fault), addr_ip_str(stream_peer(stream), from),
                 subject, names);
    }
    stream_set_events(stream, &deaf, NULL);
    stream_refuse(stream);
}

static enum sip_peer_fault fault_of(const struct sip_worker *w,
                                    const struct tls_session *tls)
{
    switch (tls_session_peer_check(tls)) {
    case TLS_PEER_GOOD:
        return SIP_PEER_FINE;
    case TLS_PEER_MISSING:
        return SIP_PEER_MISSING;
    case TLS_PEER_DATES:
        return SIP_PEER_DATES;
    case TLS_PEER_PURPOSE:
        /* Public authorities stopped to certify clients: an operator may
         * take what was made for servers. */
        return sip_worker_config(w)->partner_purpose == SIP_PURPOSE_ANY
                   ? SIP_PEER_FINE
                   : SIP_PEER_PURPOSE;
    case TLS_PEER_UNTRUSTED:
    default:
        return SIP_PEER_UNTRUSTED;
    }
}

void sip_peer_accept(struct sip_worker *w, struct stream *stream,
                     uint32_t listener)
{
    const struct tls_session *tls = stream_tls(stream);
    char names[SIP_PARTNER_NAMES_MAX] = "";
    enum sip_peer_fault fault = tls ? fault_of(w, tls) : SIP_PEER_MISSING;

    if (fault == SIP_PEER_FINE &&
        (!read_names(tls, names) ||
         !sip_partner_knows(&w->settings[w->in_use].partners, names)))
        fault = SIP_PEER_STRANGER;
    if (fault == SIP_PEER_FINE)
        sip_conn_accept(w, stream, listener, names);
    else
        refuse(w, stream, fault, names);
}

/* --- media servers --- */

/* Names of the form "ip:…" and "dns:…", as the certificate has them. */
static bool is_name_of(const struct sip_server *server, const char *name)
{
    char address[ADDR_TEXT_SIZE];

    if (strncmp(name, "ip:", 3) == 0)
        return strcmp(name + 3,
                      addr_ip_str(&server->conf.target.remote, address)) == 0;
    return strncmp(name, "dns:", 4) == 0 && server->conf.host[0] &&
           span_is_nocase(span_str(name + 4), server->conf.host);
}

bool sip_peer_is_server(const struct sip_worker *w, const struct stream *stream,
                        const struct sip_target *from)
{
    const struct sip_dispatch *d = sip_core_dispatch(w->core);
    const struct tls_session *tls = stream_tls(stream);
    char name[DOMAIN_SIZE];

    if (!tls || !tls_session_peer_verified(tls))
        return false;
    for (size_t n = 0; tls_session_peer_name(tls, n, name, sizeof(name)); n++) {
        for (size_t i = 0; i < d->count; i++) {
            if (addr_same_ip(&d->servers[i].conf.target.remote,
                             &from->remote) &&
                is_name_of(&d->servers[i], name))
                return true;
        }
    }
    return false;
}
