/* SPDX-License-Identifier: MIT */
#include "proxy/sip_size.h"

#define LOG_COMPONENT "sip"
#include "base/log.h"

enum { LOG_EVERY_MS = 60000 };

static size_t limit_of(const struct sip_core *core, int server)
{
    uint32_t own =
        server < 0 ? 0 : core->dispatch.servers[server].conf.max_size;

    return own ? own : core->config->datagram_size;
}

/* Our own TCP address inside. */
static bool find_local(const struct sip_core *core, struct sip_target *to)
{
    for (size_t i = 0; i < core->config->n_locals; i++) {
        const struct sip_local *local = &core->config->locals[i];

        if (local->zone != SIP_INSIDE || local->transport != SIP_TCP ||
            local->addr.family != to->remote.family)
            continue;
        to->listener = (uint32_t)i;
        to->local = local->addr;
        return true;
    }
    return false;
}

bool sip_size_wants_stream(const struct sip_core *core, int server, size_t len,
                           struct sip_target *ret_to, uint64_t now)
{
    const struct sip_server *s = &core->dispatch.servers[server];

    if (s->conf.target.transport != SIP_UDP || !s->conf.stream ||
        len <= limit_of(core, server) || s->stream_after > now)
        return false;
    *ret_to = s->conf.target;
    ret_to->transport = SIP_TCP;
    ret_to->worker = core->place.worker;
    return find_local(core, ret_to);
}

void sip_size_no_stream(struct sip_core *core, int server, uint64_t now)
{
    uint16_t tag = core->dispatch.servers[server].tag;
    bool is_news = false;

    for (size_t i = 0; i < core->dispatch.count; i++) {
        struct sip_server *s = &core->dispatch.servers[i];

        if (s->tag != tag)
            continue;
        is_news = is_news || s->stream_after <= now;
        s->stream_after = now + SIP_STREAM_AGAIN_MS;
    }
    if (!is_news)
        return;
    SIP_COUNT(core, streams_refused);
    log_warn("media server takes no TCP, large requests go in fragments "
             "server=%s again_s=%d",
             core->dispatch.servers[server].conf.text,
             SIP_STREAM_AGAIN_MS / 1000);
}

int sip_size_server_of(const struct sip_core *core, const struct sip_target *to)
{
    int server;

    if (to->transport != SIP_TCP)
        return -1;
    server = sip_dispatch_find_target(&core->dispatch, SIP_UDP, &to->remote);
    return server >= 0 && core->dispatch.servers[server].conf.stream ? server
                                                                     : -1;
}

void sip_size_note(struct sip_core *core, const struct sip_target *to,
                   struct span message)
{
    char text[ADDR_TEXT_SIZE];
    struct span line = message;
    int server;

    if (message.len <= SIP_SIZE_SMALL)
        return;
    server = sip_dispatch_find_target(&core->dispatch, SIP_UDP, &to->remote);
    if (message.len <= limit_of(core, server))
        return;
    SIP_COUNT(core, large_datagrams);
    if (core->large_logged > core->now)
        return;
    core->large_logged = core->now + LOG_EVERY_MS;
    (void)span_cut(message, ' ', &line, &message);
    log_info("datagram needs fragments to=%s bytes=%zu method=%.*s",
             addr_str(&to->remote, text), message.len + line.len + 1,
             SPAN_FMT(span_head(line, 16)));
}
