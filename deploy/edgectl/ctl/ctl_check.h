/* SPDX-License-Identifier: MIT */
/* ctl_check.h - what was looked at from outside, and what was found: one line
 * for each thing checked, with an id.
 */
#ifndef CTL_CHECK_H
#define CTL_CHECK_H

#include "base/buf.h"

enum ctl_check_state { CTL_CHECK_OK, CTL_CHECK_WARNING, CTL_CHECK_ERROR };

enum { CTL_CHECKS_MAX = 1024 };

struct ctl_check {
    char where[128]; /* the address that was asked */
    char id[32];     /* "TURN-ALLOCATE" */
    enum ctl_check_state state;
    char text[320];
};

struct ctl_checks {
    struct ctl_check items[CTL_CHECKS_MAX];
    size_t n;
};

/* One more line; those behind the last that fits are left out. */
void ctl_checks_add(struct ctl_checks *checks, const char *where,
                    const char *id, enum ctl_check_state state,
                    const char *format, ...)
    __attribute__((format(printf, 5, 6)));

enum ctl_check_state ctl_checks_worst(const struct ctl_checks *checks);

void ctl_checks_print(const struct ctl_checks *checks, struct buf *out);
void ctl_checks_print_json(const struct ctl_checks *checks, struct buf *out);

/* "https://edge.example.com:8443", "turn:192.0.2.1?transport=tcp",
 * "sip:192.0.2.1;transport=tcp", "turns:192.0.2.1?transport=udp" (DTLS). */
struct ctl_uri {
    const char *text; /* as it was written */
    char scheme[8];   /* http, https, stun, turn, turns, sip, sips */
    char host[256];   /* without brackets */
    uint16_t port;    /* 443, 3478, 5349, 5060 when none is written */
    bool tcp;         /* transport=tcp, or a scheme that needs it */
    bool tls;         /* DTLS where it is not TCP */
};

/* Returns 0 or ERR_PARSE. */
int ctl_uri_parse(const char *text, struct ctl_uri *ret_uri);

#endif /* CTL_CHECK_H */
