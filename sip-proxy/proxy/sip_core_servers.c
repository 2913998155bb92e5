/* SPDX-License-Identifier: MIT */
/* The media servers as the core sees them: what is learned of their health,
 * and which address of ours they are spoken to from. */
#include "proxy/sip_fork.h"
#include "proxy/sip_size.h"

#define LOG_COMPONENT "sip"
#include "base/log.h"

static void say_state(struct sip_core *core, int server)
{
    const struct sip_server *s = &core->dispatch.servers[server];

    if (s->up)
        log_info("media server is up server=%s group=%s", s->conf.text,
                 s->conf.group);
    else
        log_warn("media server is down, others are asked first server=%s "
                 "group=%s",
                 s->conf.text, s->conf.group);
    core->env.server_state(core->env.arg, s);
}

void sip_core_server_answered(struct sip_core *core, int server, uint64_t now)
{
    if (sip_dispatch_on_answer(&core->dispatch, server, now))
        say_state(core, server);
}

void sip_core_server_failed(struct sip_core *core, int server, uint64_t now)
{
    SIP_COUNT(core, server_failures);
    if (sip_dispatch_on_failure(&core->dispatch, server, now))
        say_state(core, server);
}

void sip_core_server_target(const struct sip_core *core, int server,
                            struct sip_target *ret_target)
{
    const struct sip_core_config *cfg = core->config;

    *ret_target = core->dispatch.servers[server].conf.target;
    ret_target->worker = core->place.worker;
    for (size_t i = 0; i < cfg->n_locals; i++) {
        const struct sip_local *local = &cfg->locals[i];

        if (local->zone == SIP_INSIDE &&
            local->transport == ret_target->transport &&
            local->addr.family == ret_target->remote.family) {
            ret_target->listener = (uint32_t)i;
            ret_target->local = local->addr;
            return;
        }
    }
}

void sip_core_on_unreachable(struct sip_core *core,
                             const struct sip_target *server, bool was_open,
                             uint64_t now)
{
    int index = sip_dispatch_find_target(&core->dispatch, server->transport,
                                         &server->remote);

    core->now = now;
    if (index >= 0) {
        sip_fork_on_unreachable(core, core->dispatch.servers[index].tag, now);
        return;
    }
    index = sip_size_server_of(core, server);
    if (index < 0)
        return;
    /* A connection that ends is one thing, none to be had another. */
    if (!was_open)
        sip_size_no_stream(core, index, now);
    sip_fork_on_no_stream(core, core->dispatch.servers[index].tag, now);
}

bool sip_core_is_server(const struct sip_core *core,
                        const struct sip_target *to)
{
    return sip_dispatch_find_target(&core->dispatch, to->transport,
                                    &to->remote) >= 0 ||
           sip_size_server_of(core, to) >= 0;
}

void sip_core_on_server_state(struct sip_core *core, uint16_t tag, bool up,
                              uint64_t now)
{
    (void)sip_dispatch_set_state(&core->dispatch, tag, up, now);
}

bool sip_core_has_group(const struct sip_core *core, uint32_t group)
{
    return sip_dispatch_has_group(&core->dispatch, group);
}

const struct sip_dispatch *sip_core_dispatch(const struct sip_core *core)
{
    return &core->dispatch;
}

const char *sip_core_server_host(const struct sip_core *core,
                                 const struct sip_target *to)
{
    int server =
        sip_dispatch_find_target(&core->dispatch, to->transport, &to->remote);
    const char *host =
        server < 0 ? "" : core->dispatch.servers[server].conf.host;

    return host[0] ? host : NULL;
}

uint32_t sip_core_domain_group(const struct sip_core *core, struct span name)
{
    for (size_t i = 0; i < core->config->n_domains; i++) {
        if (span_is_nocase(name, core->config->domains[i].name))
            return core->config->domains[i].group;
    }
    return 0;
}
