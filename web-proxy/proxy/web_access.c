/* SPDX-License-Identifier: MIT */
/* One line a request: who, what, how it ended, how long it took. Values of
 * the query never, since tokens travel there. */
#define LOG_COMPONENT "access"

#include "proxy/web_internal.h"

#include "base/log.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    PATH_TEXT = 512,
    QUERY_TEXT = 256,
    TARGET_TEXT = PATH_TEXT + QUERY_TEXT,
    METHOD_TEXT = 24,
    HOST_TEXT = 160,
    MEMBERS_TEXT = 2048,
};

/* What there is to say; times are lengths in ms. */
struct entry {
    char method[METHOD_TEXT];
    char target[TARGET_TEXT];
    char host[HOST_TEXT];
    const char *client;
    const char *http; /* version */
    int status;
    const char *upstream; /* NULL: nobody was asked */
    const char *link;
    const char *trace;
    uint64_t in, out;
    uint64_t queue, connect, first, whole;
};

/* "/path?token=-" from path and query. */
static void put_target(struct entry *e, struct span path, struct span query)
{
    size_t len;

    text_printable(path, e->target, PATH_TEXT);
    len = strlen(e->target);
    if (query.len > 0) {
        e->target[len++] = '?';
        web_token_redact(query, e->target + len, QUERY_TEXT);
    }
}

/* HTTP/1.0 need not name one. */
static void put_host(struct entry *e, struct span host)
{
    text_printable(host.len > 0 ? host : span_str("-"), e->host, HOST_TEXT);
}

/* ---- the two forms ---- */

static void write_text(const struct entry *e)
{
    bool traced = e->trace[0] != '\0';

    if (!e->upstream) {
        log_info("%s %s status=%d client=%s host=%s refused=true http=%s%s%s",
                 e->method, e->target, e->status, e->client, e->host, e->http,
                 traced ? " trace=" : "", e->trace);
        return;
    }
    log_info("%s %s status=%d client=%s host=%s upstream=%s link=%s in=%" PRIu64
             " out=%" PRIu64 " queue=%" PRIu64 " connect=%" PRIu64
             " first=%" PRIu64 " ms=%" PRIu64 " http=%s%s%s",
             e->method, e->target, e->status, e->client, e->host, e->upstream,
             e->link, e->in, e->out, e->queue, e->connect, e->first, e->whole,
             e->http, traced ? " trace=" : "", e->trace);
}

/* The texts are printable and have their quotes and backslashes as \xNN: as
 * JSON the backslash is doubled. */
static void put_member(char *out, size_t *at, const char *name,
                       const char *value)
{
    int n = snprintf(out + *at, MEMBERS_TEXT - *at, "%s\"%s\":\"",
                     *at > 0 ? "," : "", name);

    *at += n > 0 ? (size_t)n : 0;
    for (; *value && *at + 8 < MEMBERS_TEXT; value++) {
        if (*value == '\\' || *value == '"')
            out[(*at)++] = '\\';
        out[(*at)++] = *value;
    }
    out[(*at)++] = '"';
}

static void write_json(const struct entry *e)
{
    char out[MEMBERS_TEXT];
    size_t at = 0;
    int n;

    put_member(out, &at, "method", e->method);
    put_member(out, &at, "target", e->target);
    put_member(out, &at, "host", e->host);
    put_member(out, &at, "client", e->client);
    put_member(out, &at, "http", e->http);
    if (e->trace[0])
        put_member(out, &at, "trace", e->trace);
    if (e->upstream) {
        put_member(out, &at, "upstream", e->upstream);
        put_member(out, &at, "link", e->link);
    }
    n = snprintf(out + at, sizeof(out) - at,
                 ",\"status\":%d,\"refused\":%s,\"in\":%" PRIu64
                 ",\"out\":%" PRIu64 ",\"queue_ms\":%" PRIu64
                 ",\"connect_ms\":%" PRIu64 ",\"first_ms\":%" PRIu64
                 ",\"ms\":%" PRIu64,
                 e->status, e->upstream ? "false" : "true", e->in, e->out,
                 e->queue, e->connect, e->first, e->whole);
    if (n > 0 && at + (size_t)n < sizeof(out))
        log_write_members(LOG_LEVEL_INFO, LOG_COMPONENT, out);
}

static void write_entry(const struct web_site *site, const struct entry *e)
{
    if (site->access_json || log_get_format() == LOG_FORMAT_JSON)
        write_json(e);
    else
        write_text(e);
}

/* Of what went well one in so many; all of what did not. */
static bool is_chosen(struct web_core *core, int status)
{
    const struct web_site *site = core->view->site;

    if (!site->access_log || !log_is_on(LOG_LEVEL_INFO))
        return false;
    if (status < 100 || status >= 400 || site->access_sample <= 1)
        return true;
    if (++core->unlogged < site->access_sample)
        return false;
    core->unlogged = 0;
    return true;
}

/* ---- what is said ---- */

static const char *link_text(const struct web_exchange *x)
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
    struct span host = span_head(span_from(head, x->head_len), x->host_len);
    struct span path =
        span_head(span_from(head, x->head_len + x->host_len), x->path_len);
    struct span query = {0};
    struct entry e;

    if (!is_chosen(s->core, x->status))
        return;
    e = (struct entry){
        .client = s->client_name.text,
        .http = s->ops->version,
        .status = x->status,
        .upstream = x->upstream ? x->upstream->name : "files",
        .link = link_text(x),
        .trace = x->trace,
        .in = x->body_in,
        .out = x->body_out,
        .queue = x->asked ? x->asked - x->began : 0,
        .connect = x->opened ? x->opened - x->asked : 0,
        .first = x->first_byte ? x->first_byte - x->began : 0,
        .whole = s->core->now - x->began,
    };
    (void)span_cut(path, '?', &path, &query);
    text_printable(span_head(head, x->head_method), e.method, METHOD_TEXT);
    put_host(&e, host);
    put_target(&e, path, query);
    write_entry(x->view->site, &e);
}

void access_log_refused(const struct web_session *s,
                        const struct web_request *rq, int status)
{
    struct entry e = {.method = "-", .target = "-", .host = "-"};

    if (!is_chosen(s->core, status))
        return;
    e.client = s->client_name.text;
    e.http = s->ops->version;
    e.status = status;
    e.trace = rq ? rq->trace.id : "";
    if (rq) {
        text_printable(rq->msg->method, e.method, METHOD_TEXT);
        put_host(&e, web_host_name(&rq->host));
        put_target(&e, rq->path, rq->query);
    }
    write_entry(s->core->view->site, &e);
}
