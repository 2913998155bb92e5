/* SPDX-License-Identifier: MIT */
/* dns.h - the records that say where a service is: SRV (RFC 2782) and NAPTR
 * (RFC 3403), read from the bytes of a DNS response.
 *
 * Pure: what asks is net/resolve.h. Names are kept in lower case (RFC 4343),
 * without the dot at the end. What a server makes us hold is bounded: the
 * first DNS_RECORDS_MAX records of the type count, names have at most
 * DNS_NAME_MAX bytes, a compressed name takes at most 128 steps.
 */
#ifndef BASE_DNS_H
#define BASE_DNS_H

#include "base/span.h"

enum {
    DNS_NAME_MAX = 253,
    DNS_RECORDS_MAX = 16,
    DNS_SERVICE_MAX = 31,
};

enum dns_type {
    DNS_SRV = 33,
    DNS_NAPTR = 35,
};

struct dns_srv {
    uint16_t priority;
    uint16_t weight;
    uint16_t port;
    char target[DNS_NAME_MAX + 1]; /* "": the service is not offered here */
};

/* Those with a regular expression are left out: SIP uses none. */
struct dns_naptr {
    uint16_t order;
    uint16_t preference;
    char flag;                         /* 's', 'a', …; 0: none */
    char service[DNS_SERVICE_MAX + 1]; /* "SIP+D2T", in capitals */
    char replacement[DNS_NAME_MAX + 1];
};

struct dns_records {
    enum dns_type type;
    size_t n;
    uint32_t ttl; /* s: the lowest of all; without records the SOA's time for
                     "there is none" (RFC 2308 5), 0 when it does not say */
    union {
        struct dns_srv srv[DNS_RECORDS_MAX];
        struct dns_naptr naptr[DNS_RECORDS_MAX];
    };
};

/* The records of `type` in a response's answer section, whoever owns them: a
 * CNAME may stand before them. Returns 0, also when there are none;
 * ERR_PARSE when the message is broken before they end. */
int dns_records_read(struct span message, enum dns_type type,
                     struct dns_records *ret_records);

/* Bring SRV records into the order they are to be tried in: by priority,
 * within one by chance and weight (RFC 2782, "Weight"). `random` gives 32
 * random bits each time it is called. */
void dns_srv_order(struct dns_records *records, uint32_t (*random)(void *arg),
                   void *arg);

/* NAPTR records by order and preference. */
void dns_naptr_order(struct dns_records *records);

#endif /* BASE_DNS_H */
