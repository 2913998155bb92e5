/* SPDX-License-Identifier: MIT */
/* sip_uri.h - sip:, sips: and tel: URIs as spans (RFC 3261 19.1, RFC 3966).
 *
 * Nothing is copied or unescaped: every span lies inside the text that was
 * parsed, so that an edit can replace just that part. Bytes above 0x7F are
 * taken where the grammar takes unreserved characters (UTF-8 tolerance).
 */
#ifndef MSG_SIP_URI_H
#define MSG_SIP_URI_H

#include "base/addr.h"
#include "base/span.h"
#include "msg/sip_transport.h"

enum { SIP_URI_MAX_PARAMS = 64 }; /* and as many headers */

enum sip_scheme {
    SIP_SCHEME_OTHER, /* only `text` and `scheme_name` are set */
    SIP_SCHEME_SIP,
    SIP_SCHEME_SIPS,
    SIP_SCHEME_TEL, /* the number is in `user`; no host */
};

enum sip_host_kind {
    SIP_HOST_NONE,
    SIP_HOST_NAME,
    SIP_HOST_IPV4,
    SIP_HOST_IPV6,
};

struct sip_host {
    struct span text; /* as written, with the brackets of an IPv6 reference */
    struct span name; /* without brackets */
    enum sip_host_kind kind;
    uint16_t port; /* 0: none was written */
    /* Host, and colon and port when written: what to replace. */
    struct span hostport;
};

struct sip_uri {
    struct span text;
    struct span scheme_name; /* without colon */
    enum sip_scheme scheme;
    bool has_user;     /* an `@` is there (user may not be empty) */
    bool has_password; /* may be empty */
    struct span user;  /* without password; escaped as written */
    struct span password;
    struct sip_host host;
    struct span params;  /* behind the first ';'; "" when none */
    struct span headers; /* behind '?'; "" when none */
    /* From the parameters: */
    enum sip_transport transport; /* NONE: absent or unknown, see has_… */
    bool has_transport;
    bool has_lr;
};

/* One `;name=value`. */
struct sip_param {
    struct span text; /* name, and '=' and value when there */
    struct span name;
    struct span
        value; /* unquoted strings as written, quoted ones with quotes */
    bool has_value;
};

/* The whole of `text` is one URI, without <> and white space.
 * Returns 0 or ERR_PARSE (also for two transport parameters and more than
 * SIP_URI_MAX_PARAMS). An unknown scheme with a well-formed name parses. */
int sip_uri_parse(struct span text, struct sip_uri *ret_uri);

/* Host, IPv4 address or [IPv6], optionally with port; white space around the
 * colon is taken (Via sent-by). Returns 0 or ERR_PARSE. */
int sip_host_parse(struct span text, struct sip_host *ret_host);

/* The address when the host is one; port 0 when none is written.
 * False for a name. */
bool sip_host_addr(const struct sip_host *host, struct addr *ret_addr);

/* Names without case, addresses by value; ports are not looked at. */
bool sip_host_equal(const struct sip_host *a, const struct sip_host *b);

/* Take the next parameter off `*rest` (text as in `params`; works for header
 * parameters too: quoted strings, white space around ';' and '=').
 * Returns 1, 0 at the end, or ERR_PARSE. */
int sip_param_next(struct span *rest, struct sip_param *ret_param);

/* The first parameter called `name` (any case). `ret_param` may be NULL. */
bool sip_param_find(struct span params, const char *name,
                    struct sip_param *ret_param);

/* RFC 3261 19.1.4. URIs of an unknown scheme: byte by byte; tel: numbers
 * without visual separators. */
bool sip_uri_equal(const struct sip_uri *a, const struct sip_uri *b);

/* The address-of-record form for a map key or a hash (RFC 3261 10.3 step 5):
 * "user@host" with user unescaped and host in lower case, without port and
 * parameters; sip and sips give the same. Returns the length, ERR_LIMIT when
 * `size` is too small, ERR_PARSE for other schemes or a bad escape. */
int sip_uri_aor(const struct sip_uri *uri, uint8_t *out, size_t size);

/* Replace %XX. Returns the length, ERR_PARSE, or ERR_LIMIT. */
int sip_unescape(struct span in, uint8_t *out, size_t size);

#endif /* MSG_SIP_URI_H */
