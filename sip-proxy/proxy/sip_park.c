/* SPDX-License-Identifier: MIT */
#include "proxy/sip_park.h"

#include "base/mem.h"

struct parked {
    struct list node;
    uint64_t tag;
    uint64_t branch; /* hash of the top Via's */
    uint64_t deadline;
    struct sip_target from;
    enum sip_method method;
    size_t len;
    uint8_t bytes[];
};

void sip_park_init(struct sip_core *core, uint64_t now)
{
    list_init(&core->park.waiting);
    list_init(&core->park.ready);
    core->park.born = now;
}

static void drop(struct sip_core *core, struct parked *p)
{
    list_remove(&p->node);
    core->park.count--;
    core->park.bytes -= p->len;
    stats_dec(&core->stats->parked_now);
    mem_free(p);
}

static struct parked *first(const struct list *head)
{
    return list_is_empty(head)
               ? NULL
               : CONTAINER_OF(list_first(head), struct parked, node);
}

void sip_park_deinit(struct sip_core *core)
{
    struct parked *p;

    while ((p = first(&core->park.waiting)) || (p = first(&core->park.ready)))
        drop(core, p);
}

/* Until when something for this client may wait; 0: it may not. */
static uint64_t until(const struct sip_core *core, uint64_t tag, uint64_t now)
{
    const struct sip_home *home = sip_homes_find(&core->homes, tag);
    uint64_t since = core->park.born;

    if (home && home->is_gone && home->said_bye)
        return 0;
    if (home)
        since = home->is_gone ? home->since : now;
    since += core->config->park_ms;
    return since > now ? since : 0;
}

static bool is_same(const struct parked *p, const struct sip_target *from,
                    uint64_t branch, enum sip_method method)
{
    return p->branch == branch && p->method == method &&
           sip_target_same_peer(&p->from, from);
}

static struct parked *find_in(struct list *head, const struct sip_target *from,
                              uint64_t branch, enum sip_method method)
{
    LIST_FOREACH (node, head) {
        struct parked *p = CONTAINER_OF(node, struct parked, node);

        if (is_same(p, from, branch, method))
            return p;
    }
    return NULL;
}

static struct parked *find(struct sip_core *core, const struct sip_target *from,
                           uint64_t branch, enum sip_method method)
{
    struct parked *p = find_in(&core->park.waiting, from, branch, method);

    return p ? p : find_in(&core->park.ready, from, branch, method);
}

/* The one that may wait for the shortest time in front. */
static void queue(struct sip_core *core, struct parked *p)
{
    struct list *at = core->park.waiting.prev;

    while (at != &core->park.waiting &&
           CONTAINER_OF(at, struct parked, node)->deadline > p->deadline)
        at = at->prev;
    list_insert_after(at, &p->node);
}

static struct parked *keep(struct sip_core *core, const struct sip_target *from)
{
    struct span message = core->received;
    struct parked *p = NULL;

    if (core->park.count < core->config->park_max &&
        message.len <= SIP_PARK_BYTES - core->park.bytes)
        p = mem_alloc(sizeof(*p) + message.len);
    if (!p) {
        SIP_COUNT(core, park_full);
        return NULL;
    }
    list_init(&p->node);
    p->from = *from;
    p->method = core->msg.method;
    p->len = message.len;
    memcpy(p->bytes, message.ptr, message.len);
    core->park.count++;
    core->park.bytes += p->len;
    stats_inc(&core->stats->parked_now);
    SIP_COUNT(core, parked);
    return p;
}

bool sip_park_keep(struct sip_core *core, const struct sip_target *from,
                   uint64_t tag, uint64_t now)
{
    const struct sip_reply trying = {.status = 100};
    const struct sip_msg *msg = &core->msg;
    uint64_t branch = map_hash(core->loop_seed, msg->via.branch);
    uint64_t deadline = tag ? until(core, tag, now) : 0;
    struct parked *p;

    if (!deadline || core->park.is_expired || msg->method == SIP_METHOD_ACK ||
        msg->method == SIP_METHOD_OPTIONS)
        return false;
    if (!find(core, from, branch, msg->method)) {
        p = keep(core, from);
        if (!p)
            return false;
        p->tag = tag;
        p->branch = branch;
        p->deadline = deadline;
        queue(core, p);
    }
    sip_trail_route(core->trail, core->trail_number, SIP_TRAIL_PARKED,
                    SIP_TRAIL_GONE);
    if (msg->method == SIP_METHOD_INVITE)
        sip_core_reply(core, msg, from, &trying);
    return true;
}

bool sip_park_cancel(struct sip_core *core, const struct sip_target *from,
                     uint64_t now)
{
    const struct sip_reply ok = {.status = 200};
    const struct sip_reply ended = {.status = 487};
    struct parked *p =
        find(core, from, map_hash(core->loop_seed, core->msg.via.branch),
             SIP_METHOD_INVITE);

    if (!p)
        return false;
    sip_trail_route(core->trail, core->trail_number, SIP_TRAIL_CANCEL,
                    SIP_TRAIL_NO_TOKEN);
    sip_trail_answered(core->trail, core->trail_number, 200, now);
    sip_core_reply(core, &core->msg, from, &ok);
    if (sip_msg_parse(&core->stored, span_of(p->bytes, p->len),
                      sip_framing_of(p->from.transport),
                      &core->config->limits) == 0)
        sip_core_reply(core, &core->stored, &p->from, &ended);
    drop(core, p);
    return true;
}

void sip_park_release(struct sip_core *core, uint64_t tag, uint64_t now)
{
    LIST_FOREACH (node, &core->park.waiting) {
        struct parked *p = CONTAINER_OF(node, struct parked, node);

        if (p->tag != tag)
            continue;
        list_remove(&p->node);
        list_push_back(&core->park.ready, &p->node);
        core->park.ready_at = now;
    }
}

/* As if it came now. */
static void replay(struct sip_core *core, struct parked *p, bool is_expired,
                   uint64_t now)
{
    list_remove(&p->node);
    core->park.is_expired = is_expired;
    core->park.is_replay = true;
    sip_core_on_message(core, &p->from, span_of(p->bytes, p->len), now);
    core->park.is_replay = false;
    core->park.is_expired = false;
    drop(core, p);
}

void sip_park_on_timer(struct sip_core *core, uint64_t now)
{
    struct parked *p;

    while ((p = first(&core->park.ready)))
        replay(core, p, false, now);
    while ((p = first(&core->park.waiting)) && p->deadline <= now) {
        SIP_COUNT(core, park_expired);
        replay(core, p, true, now);
    }
}

uint64_t sip_park_deadline(const struct sip_core *core)
{
    const struct parked *p = first(&core->park.waiting);

    if (!list_is_empty(&core->park.ready))
        return core->park.ready_at;
    return p ? p->deadline : UINT64_MAX;
}
