/* SPDX-License-Identifier: MIT */
/* A client and back ends that say anything, in any pieces, and end whenever
 * they like. What the proxy sends has to be messages a strict parser accepts:
 * to a back end, whatever the client said; to a client, whatever a back end
 * said.
 *
 * The input is a list of steps: a byte that says which, a byte of length, and
 * as many bytes as data (for the steps that have data).
 */
#include "base/mem.h"
#include "http/http_parse.h"
#include "proxy/web_core.h"

#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { IOS = 24, OUT = 128 * 1024, ASKED = 256 };

struct io {
    bool used, gone, half, tunnel;
    bool is_client;
    size_t queued;
    struct http_parser *parser; /* of what is written here */
    struct http_parser *asks;   /* client: of what it says */
    enum http_method asked[ASKED];
    size_t n_asked, n_answered;
    struct web_session *session;
    struct web_link *link;
};

static struct io ios[IOS];
static size_t n_ios;
static struct web_link *dialling[IOS];
static size_t n_dialling;
static bool blocked;
static struct web_core *core;
static uint64_t now;

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* What the client asks, in order: answers to HEAD have no content. */
static void note_asked(struct io *io, struct span in)
{
    struct span body;

    /* Until MORE: only then has the parser copied what it still needs. */
    for (;;) {
        switch (http_parser_next(io->asks, &in, &body)) {
        case HTTP_EVENT_HEAD:
            if (io->n_asked < ASKED)
                io->asked[io->n_asked++] = http_parser_msg(io->asks)->method_id;
            break;
        case HTTP_EVENT_ERROR:
        case HTTP_EVENT_MORE:
            return;
        default:
            break;
        }
    }
}

/* The answer that comes next is to this. */
static void expect_answer(struct io *io)
{
    http_parser_set_request(io->parser, io->n_answered < io->n_asked
                                            ? io->asked[io->n_answered]
                                            : HTTP_METHOD_GET);
}

/* Every byte we write is read back by our own strict parser. */
static void check_output(struct io *io, struct span in)
{
    struct span body;

    if (io->is_client && http_parser_is_idle(io->parser))
        expect_answer(io);

    while (!io->tunnel) { /* until MORE, as above */
        switch (http_parser_next(io->parser, &in, &body)) {
        case HTTP_EVENT_ERROR:
            abort();
        case HTTP_EVENT_HEAD:
            if (http_parser_msg(io->parser)->has_upgrade ||
                http_parser_msg(io->parser)->status == 101)
                io->tunnel = true;
            break;
        case HTTP_EVENT_END:
            if (io->is_client && http_parser_msg(io->parser)->status >= 200) {
                io->n_answered++;
                expect_answer(io);
            }
            break;
        case HTTP_EVENT_MORE:
            return;
        default:
            break;
        }
    }
}

static int env_write(void *arg, void *handle, const struct span *parts,
                     size_t n)
{
    struct io *io = handle;

    (void)arg;
    require(!io->gone);
    if (io->half)
        return -EPIPE;
    for (size_t i = 0; i < n; i++) {
        check_output(io, parts[i]);
        if (blocked)
            io->queued += parts[i].len;
    }
    return io->queued > OUT * 8 ? -ENOBUFS : 0;
}

static size_t env_queued(void *arg, void *handle)
{
    (void)arg;
    return ((struct io *)handle)->queued;
}

static size_t env_unacked(void *arg, void *handle)
{
    (void)arg;
    (void)handle;
    return 0;
}

static void env_pause(void *arg, void *handle)
{
    (void)arg;
    require(!((struct io *)handle)->gone);
}

static void env_shutdown(void *arg, void *handle)
{
    (void)arg;
    require(!((struct io *)handle)->gone);
    ((struct io *)handle)->half = true;
}

static void env_close(void *arg, void *handle)
{
    (void)arg;
    require(!((struct io *)handle)->gone);
    ((struct io *)handle)->gone = true;
}

static void *env_dial(void *arg, struct web_link *link,
                      const struct web_backend *backend)
{
    (void)arg;
    (void)backend;
    if (n_dialling == IOS)
        return NULL;
    dialling[n_dialling++] = link;
    return link;
}

static void env_undial(void *arg, void *dial)
{
    (void)arg;
    for (size_t i = 0; i < n_dialling; i++) {
        if (dialling[i] == dial) {
            dialling[i] = dialling[--n_dialling];
            return;
        }
    }
    abort();
}

static const char *env_date(void *arg)
{
    (void)arg;
    return "Sun, 06 Nov 1994 08:49:37 GMT";
}

static uint64_t env_wall(void *arg)
{
    (void)arg;
    return 784111777;
}

static struct io *new_io(void)
{
    struct io *io = n_ios < IOS ? &ios[n_ios] : NULL;

    if (!io)
        return NULL;
    n_ios++;
    memset(io, 0, sizeof(*io));
    io->used = true;
    return io;
}

static const struct web_entry entry = {0};
/* As the site's, see below. */
static const struct http_limits ask_limits = {
    .start_line = 4096, .head = 4096, .headers = 40, .chunk_line = 256};

static void step_accept(void)
{
    struct addr client = addr_v4(0xC6336407, 1000);
    struct io *io = new_io();

    if (!io)
        return;
    io->is_client = true;
    require(http_parser_new(&io->parser, HTTP_KIND_RESPONSE,
                            &http_limits_default) == 0);
    require(http_parser_new(&io->asks, HTTP_KIND_REQUEST, &ask_limits) == 0);
    io->session = web_core_on_accept(core, io, &client, &entry, now);
    io->gone = io->session == NULL;
}

static void step_dialled(bool success)
{
    struct web_link *link;
    struct io *io;

    if (n_dialling == 0 || (success && n_ios == IOS))
        return;
    link = dialling[--n_dialling];
    if (!success) {
        web_link_on_dial_failed(link, -ECONNREFUSED, now);
        return;
    }
    io = new_io();
    io->link = link;
    require(http_parser_new(&io->parser, HTTP_KIND_REQUEST,
                            &http_limits_default) == 0);
    web_link_on_dialled(link, io, now);
}

static void step_data(struct io *io, struct span data)
{
    /* A private copy, so that a view kept too long is found. */
    uint8_t *copy = mem_dup(data.ptr, data.len);

    if (!io->gone && !io->half && data.len > 0) {
        if (io->is_client) {
            note_asked(io, span_of(copy, data.len));
            web_session_on_data(io->session, span_of(copy, data.len), now);
        } else {
            web_link_on_data(io->link, span_of(copy, data.len), now);
        }
    }
    mem_free(copy);
}

static void step_event(struct io *io, unsigned what)
{
    if (io->gone)
        return;
    if (what == 0) {
        io->queued = 0;
        if (io->is_client)
            web_session_on_writable(io->session, now);
        else
            web_link_on_writable(io->link, now);
    } else if (what == 1 && !io->half) {
        if (io->is_client)
            web_session_on_end(io->session, now);
        else
            web_link_on_end(io->link, now);
    } else if (what == 2) {
        io->gone = true;
        if (io->is_client)
            web_session_on_closed(io->session, now);
        else
            web_link_on_closed(io->link, -ECONNRESET, now);
    }
}

static void step(unsigned what, unsigned which, struct span data)
{
    struct io *io = &ios[which % IOS];

    switch (what % 10) {
    case 0:
        step_accept();
        break;
    case 1:
        step_dialled(which % 4 != 0);
        break;
    case 2:
        now += (uint64_t)which * which * 10;
        web_core_on_timer(core, now);
        break;
    case 3:
        blocked = which % 2;
        break;
    case 4:
    case 5:
    case 6:
        if (io->used)
            step_event(io, what % 10 - 4);
        break;
    default:
        if (io->used)
            step_data(io, data);
        break;
    }
}

static struct web_route routes[] = {
    {.prefix = {(const uint8_t *)"/ws", 3}, .websocket = 1, .token = "token"},
    {.prefix = {(const uint8_t *)"/t", 2},
     .check = WEB_TOKEN_FORMAT,
     .token = "token"},
    {.prefix = {(const uint8_t *)"/", 1}, .token = "token"},
};
static struct web_upstream upstream;
static struct web_backend backends[2] = {
    {.upstream = &upstream, .host = "a", .port = 1, .weight = 2},
    {.upstream = &upstream, .host = "b", .port = 2, .weight = 1},
};
static struct web_upstream upstream = {.name = "a",
                                       .backends = backends,
                                       .n_backends = 2,
                                       .rule = {2, 1000, 500},
                                       .check = {.path = "/",
                                                 .interval_ms = 700,
                                                 .timeout_ms = 300,
                                                 .fall = 2,
                                                 .rise = 2},
                                       .connect_ms = 1000,
                                       .idle_max = 4,
                                       .idle_ms = 1000,
                                       .links_max = 8};
static struct web_site site = {.limits = {.head_max = 4096,
                                          .headers_max = 40,
                                          .answer_head_max = 4096,
                                          .head_ms = 1000,
                                          .keepalive_ms = 5000,
                                          .body_ms = 1000,
                                          .write_ms = 1000,
                                          .requests_max = 20,
                                          .sessions_max = 16,
                                          .delayed_max = 4,
                                          .queue_max = 4096},
                               .routes = routes,
                               .n_routes = 3,
                               .upstreams = &upstream,
                               .n_upstreams = 1,
                               .n_backends = 2,
                               .refs = 1};

static void start(struct web_stats *stats)
{
    struct web_core_options options = {
        .site = &site,
        .env = {.write = env_write,
                .queued = env_queued,
                .unacked = env_unacked,
                .pause = env_pause,
                .resume = env_pause,
                .shutdown = env_shutdown,
                .end = env_shutdown,
                .close = env_close,
                .abort = env_close,
                .dial = env_dial,
                .undial = env_undial,
                .date = env_date,
                .wall = env_wall},
        .stats = stats,
    };

    n_ios = n_dialling = 0;
    blocked = false;
    now = 1000;
    memset(ios, 0, sizeof(ios));
    for (size_t i = 0; i < 3; i++) {
        routes[i].body_max = 5000;
        routes[i].first_byte_ms = routes[i].idle_ms = 1000;
        routes[i].tunnel_ms = 3000;
    }
    require(web_core_new(&core, &options) == 0);
    for (size_t i = 0; i < 2; i++)
        require((backends[i].health = web_health_new()) != NULL);
    step_accept();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct web_stats stats = {0};
    long blocks = mem_live_blocks();

    start(&stats);
    while (size >= 3) {
        unsigned what = data[0], which = data[1];
        size_t len = data[2] < size - 3 ? data[2] : size - 3;

        if (what % 10 < 7)
            len = 0;
        step(what, which, span_of(data + 3, len));
        data += 3 + len;
        size -= 3 + len;
    }
    web_core_free(core);
    for (size_t i = 0; i < 2; i++)
        web_health_unref(backends[i].health);
    for (size_t i = 0; i < n_ios; i++) {
        require(ios[i].gone);
        http_parser_free(ios[i].parser);
        http_parser_free(ios[i].asks);
    }
    require(n_dialling == 0 && site.refs == 1);
    require(stats.sessions == 0 && stats.links == 0 && stats.exchanges == 0 &&
            stats.tunnels == 0 && stats.idle_links == 0);
    require(mem_live_blocks() == blocks);
    return 0;
}
