/* SPDX-License-Identifier: MIT */
/* proxy_protocol.h - the header by which a front end (HAProxy, a load
 * balancer) says whose connection it forwards: the PROXY protocol, version 1
 * (a line of text) and version 2 (binary). A pure parser, and a writer for
 * servers behind us.
 *
 * Only ever looked for on connections from front ends that the configuration
 * names: anybody can write such a header.
 */
#ifndef NET_PROXY_PROTOCOL_H
#define NET_PROXY_PROTOCOL_H

#include "base/addr.h"

enum {
    /* Longest header we take: both addresses and plenty of extensions (the
     * specification asks for 536 bytes at least). */
    PROXY_HEADER_MAX = 4096,
    PROXY_V1_MAX = 107,
    PROXY_WRITE_MAX = 52, /* what we write */
};

struct proxy_header {
    size_t len; /* bytes of the header; the client's follow */
    uint8_t version;
    bool has_addrs;     /* else the connection is the front end's own (a health
                           check), or of a family that tells us nothing */
    struct addr source; /* the client */
    struct addr dest;   /* what the client connected to */
};

/* What stands at the front of `bytes`. Returns 0; ERR_TRUNCATED: it may become
 * a header when more bytes come; ERR_PARSE: it never will; ERR_LIMIT: it is
 * longer than PROXY_HEADER_MAX. */
int proxy_header_read(struct span bytes, struct proxy_header *ret_header);

/* A header of version 2 for a client's connection to `dest`. Returns its
 * length. When the two are of different families, both are written as IPv6. */
size_t proxy_header_write(const struct addr *source, const struct addr *dest,
                          uint8_t out[PROXY_WRITE_MAX]);

#endif /* NET_PROXY_PROTOCOL_H */
