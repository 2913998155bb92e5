/* SPDX-License-Identifier: MIT */
#include "proxy/sip_admit.h"

#define LOG_COMPONENT "sip"
#include "base/log.h"

static bool is_outside(const struct sip_core *core,
                       const struct sip_target *from)
{
    return sip_zone_of(core, from) == SIP_OUTSIDE;
}

static void close_conn(struct sip_core *core, const struct sip_flow *flow,
                       enum sip_close_why why)
{
    if (flow && flow->conn)
        core->env.close(core->env.arg, flow->conn, why);
}

bool sip_admit_source(struct sip_core *core, const struct sip_target *from,
                      const struct sip_flow *flow, uint64_t now)
{
    if (!is_outside(core, from) || (flow && flow->registered) ||
        !sip_guard_is_banned(core->guard, &from->remote, now))
        return true;
    if (flow && flow->conn) {
        SIP_COUNT(core, closed_banned);
        close_conn(core, flow, SIP_CLOSE_BANNED);
    } else {
        SIP_COUNT(core, dropped_banned);
    }
    return false;
}

bool sip_admit_malformed(struct sip_core *core, const struct sip_target *from,
                         uint64_t now)
{
    if (!is_outside(core, from) ||
        sip_guard_take_source(core->guard, &from->remote, false, now))
        return true;
    SIP_COUNT(core, dropped_rate);
    return false;
}

static bool admit_scanner(struct sip_core *core, const struct sip_target *from,
                          const struct sip_flow *flow)
{
    if (!sip_guard_is_scanner(core->guard, &core->msg) ||
        sip_guard_is_exempt(core->guard, &from->remote))
        return true;
    if (flow && flow->conn) {
        SIP_COUNT(core, closed_scanner);
        close_conn(core, flow, SIP_CLOSE_SCANNER);
    } else {
        SIP_COUNT(core, dropped_scanner);
    }
    return false;
}

static bool admit_rate(struct sip_core *core, const struct sip_target *from,
                       struct sip_flow *flow, uint64_t now)
{
    bool has_priority = sip_guard_has_priority(&core->msg);
    enum sip_refusal why = SIP_REFUSAL_NONE;

    if (flow && !sip_guard_is_exempt(core->guard, &from->remote) &&
        !sip_guard_take_flow(core->guard, &flow->rate, has_priority, now))
        why = SIP_REFUSED_connection_rate;
    else if (!sip_guard_take_source(core->guard, &from->remote, has_priority,
                                    now))
        why = SIP_REFUSED_source_rate;
    else if (!sip_guard_take_user(core->guard, &from->remote, &core->msg, now))
        why = SIP_REFUSED_user_rate;
    if (why == SIP_REFUSAL_NONE)
        return true;
    if (flow && flow->conn)
        sip_core_refuse(core, &core->msg, from, why);
    else
        SIP_COUNT(core, dropped_rate);
    return false;
}

bool sip_admit_message(struct sip_core *core, const struct sip_target *from,
                       struct sip_flow *flow, uint64_t now)
{
    if (!is_outside(core, from) || !core->msg.is_request)
        return true;
    if (!admit_scanner(core, from, flow) || !admit_rate(core, from, flow, now))
        return false;
    if (!sip_guard_refuses_user(core->guard, &from->remote, &core->msg, now))
        return true;
    sip_core_refuse(core, &core->msg, from, SIP_REFUSED_guessed_user);
    return false;
}

bool sip_admit_has_credentials(const struct sip_msg *request)
{
    return sip_msg_find(request, SIP_HDR_AUTHORIZATION) ||
           sip_msg_find(request, SIP_HDR_PROXY_AUTHORIZATION);
}

static void tell_ban(struct sip_core *core, const struct sip_target *from,
                     struct sip_flow *flow, const char *why, uint64_t now)
{
    char text[ADDR_TEXT_SIZE];

    SIP_COUNT(core, bans);
    log_warn("source banned: %s source=%s", why,
             addr_ip_str(&from->remote, text));
    /* Whoever it was: this connection is over. */
    if (flow)
        flow->registered = false;
    core->env.banned(core->env.arg, &from->remote,
                     now + core->config->guard.ban_ms);
}

void sip_admit_miss(struct sip_core *core, const struct sip_target *from,
                    struct sip_flow *flow, uint64_t now)
{
    if (!is_outside(core, from) || !flow || !flow->conn || flow->registered ||
        flow->names)
        return;
    switch (sip_guard_on_miss(core->guard, &from->remote, now)) {
    case SIP_GUARD_NOTHING:
        return;
    case SIP_GUARD_FAILED:
        SIP_COUNT(core, misses);
        return;
    case SIP_GUARD_BANNED:
        SIP_COUNT(core, misses);
        tell_ban(core, from, flow, "too many users that are not there", now);
        return;
    }
}

void sip_admit_response(struct sip_core *core, const struct sip_target *from,
                        struct sip_flow *flow, const struct sip_msg *request,
                        const struct sip_msg *response, uint64_t now)
{
    switch (sip_guard_on_response(core->guard, &from->remote,
                                  sip_transport_is_reliable(from->transport),
                                  request, response, now)) {
    case SIP_GUARD_NOTHING:
        return;
    case SIP_GUARD_FAILED:
        SIP_COUNT(core, guesses);
        return;
    case SIP_GUARD_BANNED:
        SIP_COUNT(core, guesses);
        tell_ban(core, from, flow, "too many refused credentials", now);
        return;
    }
}
