/* SPDX-License-Identifier: MIT */
/* sip_names.h - where the configured names are: media servers given by name,
 * federation partners without an address.
 *
 * Nothing a message says is ever looked up: names come from the settings
 * alone. They are found ahead of time and kept, so that no request waits for
 * DNS and none is lost with it: the first worker asks again every few seconds
 * (the resolver's cache has the answer as long as its TTL lasts), everybody
 * takes what is known. When DNS fails the last answer goes on being used.
 *
 * sip_names_find(), _servers() and _version() from any thread, all else on the
 * first worker.
 */
#ifndef SIP_NAMES_H
#define SIP_NAMES_H

#include "net/resolve.h"
#include "proxy/sip_dispatch.h"
#include "proxy/sip_locate.h"

struct sip_config;
struct sip_names;

enum { SIP_NAMES_MAX = 192 };

/* Returns 0 or -ENOMEM. */
int sip_names_new(struct sip_names **ret_names);

/* After sip_names_stop(). NULL is fine. */
void sip_names_free(struct sip_names *names);

/* Begin to ask for the names of this configuration. `on_change` is called when
 * the answer to some name is another one than before. Returns 0, ERR_CONFIG
 * (dns-server) or -ENOMEM. */
int sip_names_start(struct sip_names *names, struct worker *worker,
                    const struct sip_config *cfg, void (*on_change)(void *arg),
                    void *arg);

/* Another configuration: names in both keep their answers. */
void sip_names_reload(struct sip_names *names, const struct sip_config *cfg);

/* Ask no more. The answers stay. */
void sip_names_stop(struct sip_names *names);

/* What is known: hops, best first. Returns their number; 0: nothing yet. */
size_t sip_names_find(struct sip_names *names,
                      const struct sip_locate_query *query,
                      struct sip_hop hops[SIP_HOPS_MAX]);

/* Another number after each change of an answer. Any thread. */
unsigned sip_names_version(const struct sip_names *names);

/* The media servers of a configuration: addresses as they are, names as far as
 * known, one row for each address. */
void sip_names_servers(struct sip_names *names, const struct sip_config *cfg,
                       struct sip_dispatch_conf *ret_conf);

/* What was asked and found, since the start; first worker. */
struct sip_names_stats {
    uint64_t queries;  /* of DNS */
    uint64_t failed;   /* names and records that are not there */
    uint64_t timeouts; /* without an answer */
    uint64_t missing;  /* configured names without an address, now */
};

void sip_names_stats(const struct sip_names *names,
                     struct sip_names_stats *ret_stats);

#endif /* SIP_NAMES_H */
