/* SPDX-License-Identifier: MIT */
/* sip_fork.h - one request under way: its server transaction, its branches,
 * and the best response so far (RFC 3261 16.6 to 16.8, 16.10).
 *
 * The name is RFC 3261's word for the response context of a proxy; branches
 * are tried one after the other (another media server when the first is
 * silent, refuses with 503 or cannot be reached), and an earlier one that
 * comes back to life is still heard. Only where servers are configured so does
 * a new call go to several at once.
 *
 * A fork lives as long as any of its transactions; these and the timers know
 * it by its id. A probe of a media server is a fork without server
 * transaction.
 */
#ifndef SIP_FORK_H
#define SIP_FORK_H

#include "proxy/sip_route.h"

enum {
    SIP_FORK_BRANCHES = 8,
    SIP_FORK_WIDE = 4, /* of them at once */
};

struct sip_branch {
    struct pool_id txn;
    uint16_t tag;    /* of the media server */
    unsigned status; /* last one received; 0: silent */
    bool done;       /* final response, time-out, error */
    bool cancel;     /* to be cancelled as soon as it answers */
    bool bye;        /* its caller is gone: hung up by us */
    bool stream;     /* over TCP for its size, where UDP is the usual */
};

struct sip_fork {
    struct pool_id id;
    enum sip_method method;
    bool is_probe;
    bool is_inward;         /* to a media server */
    bool is_initial;        /* may be sent to another server */
    bool is_parallel;       /* several servers at once */
    bool silence_over;      /* parallel: the silent ones are not waited for */
    bool no_stream;         /* TCP was refused to its size */
    bool cancelled;         /* by the caller */
    bool finished;          /* a final response went back */
    bool busy;              /* one of our functions uses it: keep it alive */
    bool is_counted;        /* in sip_flow.pending */
    bool is_budgeted;       /* in the budget of its source */
    bool has_credentials;   /* inward: the guard looks at the answer */
    bool contact;           /* of the route: token in the Request-URI */
    bool sips;              /* of the route */
    unsigned pop;           /* of the route */
    uint32_t group;         /* of the route */
    uint32_t partner;       /* of the route */
    uint64_t flow;          /* the client's connection, either way */
    struct sip_tried tried; /* servers */
    uint64_t hash;          /* loop hash of the request */
    uint64_t trail;         /* number of its entry, sip_trail.h */
    uint32_t live;          /* transactions not ended */
    uint32_t breadth;       /* Max-Breadth of each branch; 0: as it came */
    struct pool_id server;  /* the server transaction */
    struct sip_target from;
    struct list node; /* in the forks of the flow it came from */
    struct sip_branch branches[SIP_FORK_BRANCHES];
    unsigned n;
    unsigned best_status; /* 0: none yet */
    struct buf best;
    struct buf challenges; /* of others, for a best that is 401 or 407 */
    struct buf reason;     /* Reason lines for our CANCELs (RFC 3326) */
    struct timer timer_c;
    struct timer silence; /* the newest branch has not said a word */
};

enum sip_fork_timer {
    SIP_FORK_TIMER_C,
    SIP_FORK_TIMER_SILENCE,
};

/* A request that is to be forwarded. The route is SERVER or CLIENT. */
void sip_fork_start(struct sip_core *core, const struct sip_msg *request,
                    const struct sip_target *from,
                    const struct sip_route *route, uint64_t hash, uint64_t now);

/* A CANCEL of the INVITE whose server transaction has this `user`; its Reason
 * goes on with ours (phones tell a missed call from one that was answered
 * elsewhere by it). */
void sip_fork_cancel(struct sip_core *core, uint64_t user,
                     const struct sip_msg *cancel, uint64_t now);

/* Ask a media server for a sign of life. */
void sip_fork_probe(struct sip_core *core, int server, uint64_t now);

/* The caller's connection closed: INVITEs under way are cancelled. */
void sip_fork_abandon(struct sip_core *core, struct sip_flow *flow,
                      uint64_t now);

/* The media server of this tag cannot be connected to: what has not heard from
 * it takes it as failed. */
void sip_fork_on_unreachable(struct sip_core *core, uint16_t tag, uint64_t now);

/* Its TCP, which was tried for the size of the request alone, is not there:
 * what has not heard from it goes over UDP (RFC 3261 18.1.1). */
void sip_fork_on_no_stream(struct sip_core *core, uint16_t tag, uint64_t now);

/* From the transactions. */
void sip_fork_on_response(struct sip_core *core, struct pool_id txn,
                          uint64_t user, const struct sip_msg *response,
                          uint64_t now);
void sip_fork_on_timeout(struct sip_core *core, struct pool_id txn,
                         uint64_t user, uint64_t now);
void sip_fork_on_error(struct sip_core *core, struct pool_id txn, uint64_t user,
                       uint64_t now);
void sip_fork_on_ended(struct sip_core *core, struct pool_id txn,
                       uint64_t user);

/* One of its timers is over. */
void sip_fork_on_timer(struct sip_core *core, struct timer *timer,
                       uint64_t now);

#endif /* SIP_FORK_H */
