/* SPDX-License-Identifier: MIT */
/* ctl_report.h - what the daemons said about themselves, as tables and JSON. */
#ifndef CTL_REPORT_H
#define CTL_REPORT_H

#include "base/buf.h"

struct cJSON;

enum { CTL_DAEMONS = 3 };

/* "web-proxy", "sip-proxy", "turn-server". */
extern const char *const ctl_daemon_names[CTL_DAEMONS];

/* One daemon's answers. Owner: whoever asked; ctl_answer_deinit(). */
struct ctl_answer {
    const char *name;     /* of the daemon; borrowed */
    int err;              /* 0, or why it does not answer */
    struct cJSON *status; /* /status, or NULL */
    bool ready;
    char *reasons; /* /readyz when it is not ready: lines; or NULL */
};

void ctl_answer_deinit(struct ctl_answer *answer);

/* The text of a member of /status, or "". */
const char *ctl_answer_text(const struct ctl_answer *answer, const char *key);

uint64_t ctl_answer_number(const struct ctl_answer *answer, const char *key);

/* A line per daemon, then what is not as it should be. */
void ctl_report_status(const struct ctl_answer *answers, size_t n,
                       struct buf *out);

/* {"web-proxy": {"ready": true, "reasons": [], "status": {…}}, …}; of one
 * that does not answer {"error": "…"}. */
void ctl_report_status_json(const struct ctl_answer *answers, size_t n,
                            struct buf *out);

/* The figures, with rates from `before` (same order, `ms` ago; may be NULL:
 * no rates). */
void ctl_report_top(const struct ctl_answer *answers,
                    const struct ctl_answer *before, size_t n, uint64_t ms,
                    struct buf *out);
void ctl_report_top_json(const struct ctl_answer *answers,
                         const struct ctl_answer *before, size_t n, uint64_t ms,
                         struct buf *out);

#endif /* CTL_REPORT_H */
