/* SPDX-License-Identifier: MIT */
/* What the transactions tell, and ask. */
#include "proxy/sip_fork.h"

static int txn_send(void *arg, const struct sip_target *to, struct span bytes)
{
    return sip_core_send(arg, to, bytes);
}

static void txn_response(void *arg, struct pool_id id, uint64_t user,
                         const struct sip_msg *response, uint64_t now)
{
    sip_fork_on_response(arg, id, user, response, now);
}

static void txn_timeout(void *arg, struct pool_id id, uint64_t user,
                        uint64_t now)
{
    sip_fork_on_timeout(arg, id, user, now);
}

static void txn_error(void *arg, struct pool_id id, uint64_t user, int err,
                      uint64_t now)
{
    (void)err;
    sip_fork_on_error(arg, id, user, now);
}

static void txn_ended(void *arg, struct pool_id id, uint64_t user, uint64_t now)
{
    (void)now;
    sip_fork_on_ended(arg, id, user);
}

static void txn_random(void *arg, void *out, size_t len)
{
    struct sip_core *core = arg;

    core->env.random(core->env.arg, out, len);
}

/* A media server behind a virtual address answers from its own one, which
 * the operator names as an inside source. */
static bool txn_is_peer_too(void *arg, const struct sip_target *peer,
                            const struct sip_target *from)
{
    const struct sip_core *core = arg;

    return peer->flow == 0 && from->flow == 0 &&
           peer->transport == from->transport &&
           sip_zone_of(core, peer) == SIP_INSIDE &&
           sip_zone_of(core, from) == SIP_INSIDE &&
           cidr_list_has_ip(core->config->inside, core->config->n_inside,
                            &from->remote);
}

int sip_core_open_txns(struct sip_core *core)
{
    const struct sip_txn_env env = {
        .send = txn_send,
        .on_response = txn_response,
        .on_timeout = txn_timeout,
        .on_error = txn_error,
        .on_ended = txn_ended,
        .random = txn_random,
        .is_peer_too = txn_is_peer_too,
        .arg = core,
    };

    return sip_txns_new(&core->txns, &core->config->txn, &env);
}
