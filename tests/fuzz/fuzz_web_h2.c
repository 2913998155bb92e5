/* SPDX-License-Identifier: MIT */
/* A client of HTTP/2 that sends any frames, and back ends that say anything
 * and end whenever they like. What reaches a back end has to be messages a
 * strict parser accepts; what reaches the client has to be frames, in bounds,
 * whose heads decode and carry nothing of HTTP/1's connections.
 *
 * The input is a list of steps: which, an argument, a length, and as many
 * bytes of data. A step can send one frame whose header is right, so that the
 * fuzzer need not find out about lengths.
 */
#include "base/mem.h"
#include "http/http_parse.h"
#include "proxy/web_core.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINKS = 24, OUT_MAX = 4 * 1024 * 1024, QUEUE_LIMIT = 512 * 1024 };

struct io {
    bool gone, half, tunnel;
    size_t queued;
    struct http_parser *parser; /* of what is written to a back end */
    struct web_link *link;
};

static struct io client, links[LINKS];
static size_t n_links;
static struct web_link *dialling[LINKS];
static size_t n_dialling;
static struct web_session *session;
static nghttp2_hd_inflater *inflater;
static struct buf out; /* to the client, not yet a whole frame */
static bool blocked;
static struct web_core *core;
static uint64_t now;

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* ---- what the client gets ---- */

static void check_field(const nghttp2_nv *nv, bool first)
{
    static const char *const never[] = {"connection", "transfer-encoding",
                                        "upgrade", "keep-alive",
                                        "sec-websocket-accept"};
    struct span name = span_of(nv->name, nv->namelen);

    require(!first || span_is(name, ":status") || name.ptr[0] != ':');
    for (size_t i = 0; i < name.len; i++)
        require(name.ptr[i] > ' ' && (name.ptr[i] < 'A' || name.ptr[i] > 'Z'));
    for (size_t i = 0; i < ARRAY_SIZE(never) - 1; i++)
        require(!span_is(name, never[i]));
    for (size_t i = 0; i < nv->valuelen; i++)
        require(nv->value[i] != '\r' && nv->value[i] != '\n' && nv->value[i]);
}

static void check_block(struct span in, bool last)
{
    bool first = true;

    for (;;) {
        nghttp2_nv nv;
        int flags = 0;
        ssize_t n =
            nghttp2_hd_inflate_hd2(inflater, &nv, &flags, in.ptr, in.len, last);

        require(n >= 0);
        in = span_from(in, (size_t)n);
        if (flags & NGHTTP2_HD_INFLATE_EMIT) {
            check_field(&nv, first);
            first = false;
        }
        if (flags & NGHTTP2_HD_INFLATE_FINAL) {
            nghttp2_hd_inflate_end_headers(inflater);
            return;
        }
        if (in.len == 0 && !(flags & NGHTTP2_HD_INFLATE_EMIT))
            return;
    }
}

static void check_frames(void)
{
    for (;;) {
        struct span in = buf_span(&out);
        size_t len;

        if (in.len < 9)
            return;
        len = (size_t)in.ptr[0] << 16 | (size_t)in.ptr[1] << 8 | in.ptr[2];
        require(len <= 16384 && in.ptr[3] <= NGHTTP2_CONTINUATION);
        if (in.len < 9 + len)
            return;
        if (in.ptr[3] == NGHTTP2_HEADERS || in.ptr[3] == NGHTTP2_CONTINUATION)
            check_block(span_head(span_from(in, 9), len),
                        in.ptr[4] & NGHTTP2_FLAG_END_HEADERS);
        buf_consume(&out, 9 + len);
    }
}

/* ---- what a back end gets ---- */

static void check_request(struct io *io, struct span in)
{
    struct span body;

    while (!io->tunnel) {
        switch (http_parser_next(io->parser, &in, &body)) {
        case HTTP_EVENT_ERROR:
            abort();
        case HTTP_EVENT_HEAD:
            io->tunnel = http_parser_msg(io->parser)->has_upgrade;
            break;
        case HTTP_EVENT_MORE:
            return;
        default:
            break;
        }
    }
}

/* ---- the environment ---- */

static int env_write(void *arg, void *handle, const struct span *parts,
                     size_t n)
{
    struct io *io = handle;

    (void)arg;
    require(!io->gone);
    if (io->half)
        return -EPIPE;
    for (size_t i = 0; i < n; i++) {
        if (io == &client)
            buf_put_span(&out, parts[i]);
        else
            check_request(io, parts[i]);
        if (blocked)
            io->queued += parts[i].len;
    }
    if (io == &client)
        check_frames();
    require(buf_err(&out) == 0);
    return io->queued > QUEUE_LIMIT ? -ENOBUFS : 0;
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
    if (n_dialling == LINKS)
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

/* ---- steps ---- */

static void send_client(struct span data)
{
    /* A private copy, so that a view kept too long is found. */
    uint8_t *copy = mem_dup(data.ptr, data.len);

    if (!client.gone && !client.half && data.len > 0)
        web_session_on_data(session, span_of(copy, data.len), now);
    mem_free(copy);
}

static void send_frame(uint8_t type, unsigned which, struct span data)
{
    uint8_t frame[9 + 256] = {0};

    frame[2] = (uint8_t)data.len;
    frame[3] = type;
    frame[4] = (uint8_t)(which & 0x2d);
    /* The few streams that are used, and the connection. */
    frame[8] = (uint8_t)(which >> 6 ? ((which >> 6) & 3) * 2 - 1 : which & 1);
    if (data.len > 0)
        memcpy(frame + 9, data.ptr, data.len);
    send_client(span_of(frame, 9 + data.len));
}

static void step_dialled(bool success)
{
    struct web_link *link;
    struct io *io;

    if (n_dialling == 0 || (success && n_links == LINKS))
        return;
    link = dialling[--n_dialling];
    if (!success) {
        web_link_on_dial_failed(link, -ECONNREFUSED, now);
        return;
    }
    io = &links[n_links++];
    io->link = link;
    require(http_parser_new(&io->parser, HTTP_KIND_REQUEST,
                            &http_limits_default) == 0);
    web_link_on_dialled(link, io, now);
}

static void step_link(struct io *io, unsigned what, struct span data)
{
    uint8_t *copy = mem_dup(data.ptr, data.len);

    if (io->gone || !io->link) {
        mem_free(copy);
        return;
    }
    if (what == 0 && data.len > 0 && !io->half)
        web_link_on_data(io->link, span_of(copy, data.len), now);
    else if (what == 1 && !io->half)
        web_link_on_end(io->link, now);
    else if (what == 2) {
        io->gone = true;
        web_link_on_closed(io->link, -ECONNRESET, now);
    } else if (what == 3) {
        io->queued = 0;
        web_link_on_writable(io->link, now);
    }
    mem_free(copy);
}

static void step(unsigned what, unsigned which, struct span data)
{
    switch (what % 16) {
    case 0:
        step_dialled(which % 4 != 0);
        break;
    case 1:
        now += (uint64_t)which * which * 10;
        web_core_on_timer(core, now);
        break;
    case 2:
        blocked = which % 2;
        break;
    case 3:
        client.queued = 0;
        if (!client.gone)
            web_session_on_writable(session, now);
        break;
    case 4:
        send_client(data);
        break;
    case 5:
        step_link(&links[which % LINKS], which / 64, data);
        break;
    case 6:
        if (which == 7)
            web_core_drain(core);
        break;
    default:
        send_frame((uint8_t)(what % 16 - 7), which, data);
        break;
    }
}

static struct web_route routes[] = {
    {.prefix = {(const uint8_t *)"/ws", 3}, .websocket = 1, .token = "token"},
    {.prefix = {(const uint8_t *)"/", 1}, .token = "token"},
};
static struct web_upstream upstream;
static struct web_backend backend = {
    .upstream = &upstream, .host = "a", .port = 1, .weight = 1};
static struct web_upstream upstream = {.name = "a",
                                       .backends = &backend,
                                       .n_backends = 1,
                                       .rule = {2, 1000, 500},
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
                                          .sessions_max = 4,
                                          .h2_streams = 8,
                                          .h2_window = 16384,
                                          .h2_resets = 10,
                                          .h2_frames = 50,
                                          .delayed_max = 4,
                                          .queue_max = 4096},
                               .routes = routes,
                               .n_routes = 2,
                               .upstreams = &upstream,
                               .n_upstreams = 1,
                               .n_backends = 1,
                               .refs = 1};

static void start(struct web_stats *stats)
{
    static const struct web_entry entry = {.secure = true};
    struct addr address = addr_v4(0xC6336407, 1000);
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

    n_links = n_dialling = 0;
    blocked = false;
    now = 1000;
    memset(&client, 0, sizeof(client));
    memset(links, 0, sizeof(links));
    for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
        routes[i].body_max = 5000;
        routes[i].first_byte_ms = routes[i].idle_ms = 1000;
        routes[i].tunnel_ms = 3000;
    }
    buf_init(&out, OUT_MAX);
    require(nghttp2_hd_inflate_new(&inflater) == 0);
    require((backend.health = web_health_new()) != NULL);
    require(web_core_new(&core, &options) == 0);
    session = web_core_on_accept_h2(core, &client, &address, &entry, now);
    require(session != NULL);
    send_client(span_str("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct web_stats stats = {0};
    long blocks = mem_live_blocks();

    start(&stats);
    while (size >= 3) {
        unsigned what = data[0], which = data[1];
        size_t len = data[2] < size - 3 ? data[2] : size - 3;

        step(what, which, span_of(data + 3, len));
        data += 3 + len;
        size -= 3 + len;
    }
    web_core_free(core);
    require(client.gone);
    for (size_t i = 0; i < n_links; i++) {
        require(links[i].gone);
        http_parser_free(links[i].parser);
    }
    web_health_unref(backend.health);
    nghttp2_hd_inflate_del(inflater);
    buf_deinit(&out);
    require(n_dialling == 0 && site.refs == 1);
    require(stats.sessions == 0 && stats.links == 0 && stats.exchanges == 0 &&
            stats.tunnels == 0 && stats.h2_streams == 0);
    require(mem_live_blocks() == blocks);
    return 0;
}
