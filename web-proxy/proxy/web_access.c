/* SPDX-License-Identifier: MIT */
/* One line a request: who, what, how it ended, how long it took. Values of
 * the query never, since tokens travel there. */
#define LOG_COMPONENT "access"

#include "proxy/web_internal.h"

#include "base/log.h"
#include "base/text.h"

#include <inttypes.h>

enum {
    PATH_TEXT = 512,
    QUERY_TEXT = 256,
    METHOD_TEXT = 24,
    HOST_TEXT = 160,
};

/* "/path?token=-" from path and query. */
static const char *target_text(struct span path, struct span query,
                               char out[PATH_TEXT + QUERY_TEXT])
{
    size_t len;

    text_printable(path, out, PATH_TEXT);
    len = strlen(out);
    if (query.len > 0) {
        out[len++] = '?';
        web_token_redact(query, out + len, QUERY_TEXT);
    }
    return out;
}

static const char *upstream_text(const struct web_exchange *x)
{
    if (!x->upstream)
        return "-";
    if (x->retried)
        return "again";
    return x->kept_link ? "kept" : "new";
}

void access_log(const struct web_session *s, const struct web_exchange *x)
{
    struct span head = buf_span(&x->head);
    struct span method = span_head(head, x->head_method);
    struct span path =
        span_head(span_from(head, x->head_len + x->host_len), x->path_len);
    struct span query = {0};
    char target[PATH_TEXT + QUERY_TEXT], method_text[METHOD_TEXT];
    uint64_t now = s->core->now;

    (void)span_cut(path, '?', &path, &query);
    log_info("%s %s status=%d client=%s upstream=%s link=%s in=%" PRIu64
             " out=%" PRIu64 " first=%" PRIu64 " ms=%" PRIu64,
             text_printable(method, method_text, sizeof(method_text)),
             target_text(path, query, target), x->status, s->client_name.text,
             x->upstream ? x->upstream->name : "files", upstream_text(x), x->body_in, x->body_out,
             x->first_byte ? x->first_byte - x->began : 0, now - x->began);
}

void access_log_refused(const struct web_session *s,
                        const struct web_request *rq, int status)
{
    char target[PATH_TEXT + QUERY_TEXT] = "-", method[METHOD_TEXT] = "-";
    char host[HOST_TEXT] = "-";

    if (!s->core->view->site->access_log)
        return;
    if (rq) {
        text_printable(rq->msg->method, method, sizeof(method));
        target_text(rq->path, rq->query, target);
        text_printable(web_host_name(&rq->host), host, sizeof(host));
    }
    log_info("%s %s status=%d client=%s host=%s refused=true", method, target,
             status, s->client_name.text, host);
}
