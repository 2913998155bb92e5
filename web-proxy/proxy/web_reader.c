/* SPDX-License-Identifier: MIT */
/* A file, on its way to the client: found and read by the shell, judged by
 * web_file.h, sent like the answer of a back end. One read is under way at a
 * time, and none while the client has enough. */
#include "proxy/web_internal.h"
#include "proxy/web_url.h"

#include "base/crypto.h"
#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

enum {
    PIECE_MAX = 64 * 1024,
    PIECES_AT_ONCE = 4, /* then the others of this worker have their turn */
    HEADERS_MAX = 10,
    TEXT_SIZE = 96,
    PART_SIZE = 320,
    BOUNDARY_SIZE = 48,
    ASKED_FIELDS = sizeof(struct web_file_asked) / sizeof(struct span),
};

struct web_reader {
    struct web_exchange *x;
    void *handle; /* the shell's */
    bool waiting; /* for the shell */
    unsigned pieces;
    struct web_file_info info;
    struct web_file_verdict verdict;
    struct web_file_asked asked;
    const char *type;
    uint64_t offset, left; /* of the range being sent */
    size_t part;           /* which that is; of several: and their end */
    char boundary[BOUNDARY_SIZE];
    size_t name_len;
    char text[]; /* the name; the values of `asked` */
};

/* ---- life ---- */

/* The values outlive the request's head. */
static void keep_asked(struct web_reader *r, const struct web_file_asked *asked)
{
    const struct span *from = &asked->match;
    struct span *to = &r->asked.match;
    char *at = r->text + r->name_len;

    for (size_t i = 0; i < ASKED_FIELDS; i++) {
        to[i] = span_of(at, from[i].len);
        if (from[i].len > 0)
            memcpy(at, from[i].ptr, from[i].len);
        at += from[i].len;
    }
}

static size_t asked_size(const struct web_file_asked *asked)
{
    const struct span *field = &asked->match;
    size_t size = 0;

    for (size_t i = 0; i < ASKED_FIELDS; i++)
        size += field[i].len;
    return size;
}

/* The path of the file: behind the prefix, or as the route rewrites it. */
static int name_of(const struct web_route *route, struct span path, char *out,
                   size_t size)
{
    char rewritten[WEB_REQUEST_PATH_SIZE];
    int len;

    if (route->rewrite.len == 0)
        return web_file_name(span_from(path, route->prefix.len), out, size);
    len = web_url_rewrite(route, path, rewritten, sizeof(rewritten));
    return len < 0 ? len
                   : web_file_name(span_of(rewritten, (size_t)len), out, size);
}

int reader_new(struct web_exchange *x, const struct web_request *rq)
{
    struct web_file_asked asked;
    char name[WEB_REQUEST_PATH_SIZE];
    int len = name_of(x->route, rq->path, name, sizeof(name));
    struct web_reader *r;

    if (len < 0)
        return 404;
    web_file_ask(rq->msg, &asked);
    r = mem_zalloc(sizeof(*r) + (size_t)len + asked_size(&asked) + 1);
    if (!r)
        return 503;
    r->x = x;
    r->name_len = (size_t)len;
    memcpy(r->text, name, (size_t)len);
    keep_asked(r, &asked);
    x->file_forms =
        x->route->folder->precompressed ? web_file_forms(rq->msg) : 0;
    x->reader = r;
    return 0;
}

void reader_close(struct web_reader *r)
{
    struct web_core *core = r->x->session->core;

    if (r->handle)
        core->env.file_close(core->env.arg, r->handle);
    r->handle = NULL;
}

void reader_free(struct web_reader *r)
{
    mem_free(r);
}

void reader_start(struct web_exchange *x)
{
    struct web_core *core = x->session->core;
    struct web_reader *r = x->reader;

    x->state = WEB_EXCHANGE_OPEN;
    exchange_update_due(x);
    r->handle =
        core->env.file_open(core->env.arg, r, x->route->folder,
                            span_of(r->text, r->name_len), x->file_forms);
    if (!r->handle)
        exchange_fail(x, 503);
}

/* ---- its head ---- */

struct head {
    struct http_header headers[HEADERS_MAX];
    struct http_msg msg;
    char tag[WEB_FILE_TAG_SIZE];
    char date[HTTP_DATE_SIZE];
    char type[TEXT_SIZE];
    char range[TEXT_SIZE];
};

static void say(struct head *h, const char *name, struct span value)
{
    h->headers[h->msg.headers_n++] = (struct http_header){
        span_str(name), value, http_field_of(span_str(name))};
    h->msg.head.len += strlen(name) + value.len + 4;
}

/* Several ranges: what stands before one. */
static int part_head(const struct web_reader *r, size_t i, char out[PART_SIZE])
{
    const struct web_file_range *range = &r->verdict.ranges[i];

    return snprintf(out, PART_SIZE,
                    "%s--%s\r\nContent-Type: %s\r\n"
                    "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64
                    "\r\n\r\n",
                    i > 0 ? "\r\n" : "", r->boundary, r->type, range->first,
                    range->first + range->len - 1, r->info.size);
}

static int parts_end(const struct web_reader *r, char out[PART_SIZE])
{
    return snprintf(out, PART_SIZE, "\r\n--%s--\r\n", r->boundary);
}

static uint64_t length_of(const struct web_reader *r)
{
    const struct web_file_verdict *v = &r->verdict;
    uint64_t length = 0;
    char text[PART_SIZE];

    if (v->status == 200)
        return r->info.size;
    for (size_t i = 0; i < v->n; i++) {
        length += v->ranges[i].len;
        if (v->n > 1)
            length += (uint64_t)part_head(r, i, text);
    }
    if (v->n > 1)
        length += (uint64_t)parts_end(r, text);
    return length;
}

/* What describes the content; a 304 leaves it out, a 416 has none. */
static void say_content(struct head *h, const struct web_reader *r)
{
    static const char *const codings[] = {"br", "gzip"};
    const struct web_file_verdict *v = &r->verdict;
    const struct web_file_range *range = &v->ranges[0];

    if (v->status == 416)
        (void)snprintf(h->range, TEXT_SIZE, "bytes */%" PRIu64, r->info.size);
    else if (v->n == 1)
        (void)snprintf(h->range, TEXT_SIZE,
                       "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, range->first,
                       range->first + range->len - 1, r->info.size);
    if (v->n > 1) {
        (void)snprintf(h->type, TEXT_SIZE, "multipart/byteranges; boundary=%s",
                       r->boundary);
        say(h, "Content-Type", span_str(h->type));
    } else if (v->status == 200 || v->status == 206) {
        say(h, "Content-Type", span_str(r->type));
    }
    if (h->range[0])
        say(h, "Content-Range", span_str(h->range));
    if (r->info.form >= 0 && v->status != 416)
        say(h, "Content-Encoding", span_str(codings[r->info.form]));
}

static void fill_head(struct head *h, const struct web_reader *r)
{
    const struct web_folder *folder = r->x->route->folder;
    int status = r->verdict.status;

    memset(h, 0, sizeof(*h));
    h->msg.kind = HTTP_KIND_RESPONSE;
    h->msg.minor = 1;
    h->msg.headers = h->headers;
    h->msg.status = status;
    h->msg.length = status == 416 ? 0 : length_of(r);
    h->msg.has_length = status != 304;
    h->msg.framing =
        h->msg.length > 0 ? HTTP_FRAMING_LENGTH : HTTP_FRAMING_NONE;
    if (status != 304)
        say_content(h, r);
    say(h, "ETag", span_str(web_file_tag(&r->info, h->tag)));
    say(h, "Last-Modified",
        span_str(http_date_print(r->info.mtime_s, h->date)));
    if (status == 200)
        say(h, "Accept-Ranges", span_str("bytes"));
    if (folder->precompressed)
        say(h, "Vary", span_str("Accept-Encoding"));
    if (folder->cache_control.len > 0)
        say(h, "Cache-Control", folder->cache_control);
}

/* ---- its content ---- */

/* The boundary must not be in the file: 128 bits nobody can know. */
static void make_boundary(struct web_reader *r)
{
    uint8_t random[16];

    crypto_random(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++)
        (void)snprintf(r->boundary + 2 * i, 3, "%02x", random[i]);
}

static bool is_several(const struct web_reader *r)
{
    return r->verdict.n > 1;
}

static void set_range(struct web_reader *r, size_t i)
{
    const struct web_file_range *range = &r->verdict.ranges[i];

    r->part = i + 1;
    r->offset = r->verdict.status == 200 ? 0 : range->first;
    r->left = r->verdict.status == 200 ? r->info.size : range->len;
}

/* Go to the next range. False when there is none: all is sent. */
static bool next_part(struct web_exchange *x)
{
    struct web_reader *r = x->reader;
    char text[PART_SIZE];
    int len;

    if (r->part >= r->verdict.n) {
        if (!is_several(r) || r->part > r->verdict.n)
            return false;
        len = parts_end(r, text);
        r->part++;
        answer_body(x, span_of(text, (size_t)len));
        return false;
    }
    len = is_several(r) ? part_head(r, r->part, text) : 0;
    set_range(r, r->part);
    if (len > 0)
        answer_body(x, span_of(text, (size_t)len));
    return true;
}

static bool has_enough(const struct web_exchange *x)
{
    const struct web_session *s = x->session;

    return s->ops->is_full(s, x->view->site->limits.queue_max);
}

static bool is_sending(const struct web_exchange *x)
{
    return x->state == WEB_EXCHANGE_OPEN && x->answer_begun;
}

static void take(struct web_exchange *x, struct span piece)
{
    struct web_reader *r = x->reader;

    piece = span_head(piece, r->left > PIECE_MAX ? PIECE_MAX : (size_t)r->left);
    r->offset += piece.len;
    r->left -= piece.len;
    answer_body(x, piece);
}

/* One piece. False when it has to be waited for, or was the last. */
static bool read_piece(struct web_exchange *x)
{
    struct web_core *core = x->session->core;
    struct web_reader *r = x->reader;
    size_t len = r->left < PIECE_MAX ? (size_t)r->left : PIECE_MAX;
    struct span piece;
    int got = core->env.file_read(core->env.arg, r->handle, r->offset, len,
                                  r->pieces >= PIECES_AT_ONCE, &piece);

    if (got < 0) {
        session_abort(x->session);
        return false;
    }
    if (got == 0) {
        r->waiting = true;
        return false;
    }
    r->pieces++;
    take(x, piece);
    return true;
}

void reader_pump(struct web_exchange *x)
{
    struct web_reader *r = x->reader;

    while (is_sending(x) && !r->waiting && !has_enough(x)) {
        if (r->left > 0) {
            if (!read_piece(x))
                return;
        } else if (!next_part(x)) {
            if (is_sending(x))
                answer_end(x);
            return;
        }
    }
}

/* ---- events ---- */

static void begin(struct web_exchange *x, const struct web_file_info *info)
{
    struct web_reader *r = x->reader;
    struct head h;

    r->info = *info;
    r->type = web_file_type(span_of(r->text, r->name_len));
    if (r->name_len == 0 || r->text[r->name_len - 1] == '/')
        r->type = web_file_type(span_str(x->route->folder->index));
    r->verdict = web_file_judge(&r->asked, info);
    if (r->verdict.status == 412) {
        exchange_fail(x, 412);
        return;
    }
    if (is_several(r))
        make_boundary(r);
    fill_head(&h, r);
    x->first_byte = x->session->core->now;
    if (!answer_begin(x, &h.msg))
        return;
    stats_inc(&x->session->core->stats->files);
    if (x->answer_body == WEB_BODY_NONE)
        r->part = r->verdict.n + 1;
    else if (r->verdict.status == 200)
        set_range(r, 0);
    reader_pump(x);
}

/* A folder without its slash: relative links in its page would go astray. */
static void add_slash(struct web_exchange *x)
{
    char location[WEB_REQUEST_PATH_SIZE + WEB_REQUEST_QUERY_SIZE + 1];
    struct span target = span_from(buf_span(&x->head), x->head_len);
    struct span path, query = {0};
    size_t len;

    target = span_head(span_from(target, x->host_len), x->path_len);
    path = target;
    if (span_cut(target, '?', &path, &query))
        query = span_from(target, path.len);
    if (!path.ptr || path.len + query.len + 1 > sizeof(location)) {
        exchange_fail(x, 404);
        return;
    }
    memcpy(location, path.ptr, path.len);
    len = path.len;
    location[len++] = '/';
    if (query.ptr && query.len > 0)
        memcpy(location + len, query.ptr, query.len);
    exchange_redirect(x, 308, span_of(location, len + query.len));
}

static int status_of(int err)
{
    switch (err) {
    case -EACCES:
    case -EPERM:
        return 403;
    case -ENOENT:
        return 404;
    default:
        return 503;
    }
}

void web_reader_on_open(struct web_reader *r, int err,
                        const struct web_file_info *info, uint64_t now)
{
    struct web_exchange *x = r->x;
    struct web_session *s = x->session;
    struct web_core *core = s->core;

    core_enter(core, now);
    if (err == 0)
        begin(x, info);
    else if (err == -EISDIR && x->path_len > 0)
        add_slash(x);
    else
        exchange_fail(x, status_of(err));
    session_continue(s);
    core_leave(core);
}

void web_reader_on_piece(struct web_reader *r, int err, struct span piece,
                         uint64_t now)
{
    struct web_exchange *x = r->x;
    struct web_session *s = x->session;
    struct web_core *core = s->core;

    core_enter(core, now);
    r->waiting = false;
    r->pieces = 0;
    if (err < 0 || piece.len == 0) {
        /* The file is shorter than it was, or cannot be read. */
        session_abort(s);
    } else {
        take(x, piece);
        reader_pump(x);
        session_continue(s);
    }
    core_leave(core);
}

const struct web_env *web_reader_env(const struct web_reader *r)
{
    return &r->x->session->core->env;
}
