/* SPDX-License-Identifier: MIT */
#include "support_fake.h"

#include "base/err.h"

#include <errno.h>
#include <stdlib.h>

struct fake fake;

/* ---- the environment ---- */

static int env_write(void *arg, void *handle, const struct span *parts,
                     size_t n)
{
    struct fake_io *io = handle;

    (void)arg;
    ck_assert(!io->closed && !io->aborted && !io->shut && !io->ended);
    if (io->fails)
        return ERR_STATE;
    for (size_t i = 0; i < n; i++) {
        ck_assert_uint_lt(io->len + parts[i].len, FAKE_OUT);
        if (parts[i].len > 0)
            memcpy(io->out + io->len, parts[i].ptr, parts[i].len);
        io->len += parts[i].len;
        if (io->blocked)
            io->queued += parts[i].len;
    }
    io->out[io->len] = '\0';
    return 0;
}

static size_t env_queued(void *arg, void *handle)
{
    (void)arg;
    return ((struct fake_io *)handle)->queued;
}

static size_t env_unacked(void *arg, void *handle)
{
    (void)arg;
    return ((struct fake_io *)handle)->unacked;
}

static void env_pause(void *arg, void *handle)
{
    (void)arg;
    ((struct fake_io *)handle)->paused = true;
}

static void env_resume(void *arg, void *handle)
{
    (void)arg;
    ((struct fake_io *)handle)->paused = false;
}

static void env_shutdown(void *arg, void *handle)
{
    struct fake_io *io = handle;

    (void)arg;
    ck_assert(!io->closed && !io->aborted);
    io->shut = true;
}

static void env_end(void *arg, void *handle)
{
    (void)arg;
    ((struct fake_io *)handle)->ended = true;
}

static void env_close(void *arg, void *handle)
{
    struct fake_io *io = handle;

    (void)arg;
    ck_assert(!io->closed && !io->aborted);
    io->closed = true;
}

static void env_abort(void *arg, void *handle)
{
    struct fake_io *io = handle;

    (void)arg;
    ck_assert(!io->closed && !io->aborted);
    io->aborted = true;
}

static void *env_dial(void *arg, struct web_link *link,
                      const struct web_backend *backend)
{
    struct fake_dial *dial = &fake.dials[fake.n_dials++];

    (void)arg;
    ck_assert_uint_le(fake.n_dials, FAKE_IOS);
    *dial = (struct fake_dial){link, backend, true};
    return dial;
}

static void env_undial(void *arg, void *handle)
{
    struct fake_dial *dial = handle;

    (void)arg;
    ck_assert(dial->open);
    dial->open = false;
}

static const char *env_date(void *arg)
{
    (void)arg;
    return "Sun, 06 Nov 1994 08:49:37 GMT";
}

static uint64_t env_wall(void *arg)
{
    (void)arg;
    return 784111777; /* the same moment */
}

/* ---- set-up ---- */

static void set_limits(struct web_limits *l)
{
    *l = (struct web_limits){
        .head_max = 8192,
        .headers_max = 50,
        .answer_head_max = 8192,
        .head_ms = 10000,
        .keepalive_ms = 75000,
        .body_ms = 20000,
        .write_ms = 30000,
        .requests_max = 1000,
        .sessions_max = 32,
        .delayed_max = 4,
        .queue_max = 65536,
        .h2_streams = 20,
        .h2_window = 65536,
        .h2_resets = 20,
        .h2_frames = 100,
    };
}

struct web_route *fake_route(const char *path, uint32_t upstream)
{
    struct web_route *r = &fake.routes[fake.site.n_routes];

    memset(r, 0, sizeof(*r));
    r->id = (uint32_t)fake.site.n_routes++;
    ck_assert_int_eq(web_route_set_path(r, path), 0);
    r->upstream = upstream;
    r->token = "token";
    r->body_max = 1024 * 1024;
    r->first_byte_ms = 60000;
    r->idle_ms = 40000;
    r->tunnel_ms = 600000;
    return r;
}

void fake_zone(struct web_route *route, const char *rate, uint32_t burst,
               enum web_zone_pace pace)
{
    static const uint8_t seed[16];
    struct web_zone_spec spec = {.clients = 64};

    ck_assert_int_eq(web_zone_parse_rate(span_str(rate), &spec.rate_milli), 0);
    ck_assert_int_eq(web_zone_new(&fake.zones[fake.n_zones], &spec, seed), 0);
    route->zone = fake.zones[fake.n_zones++];
    route->rule = (struct web_zone_rule){burst, pace};
}

void fake_servers(uint32_t n)
{
    ck_assert_uint_lt(n, FAKE_BACKENDS);
    fake.upstreams[0].backends = fake.backends;
    fake.upstreams[0].n_backends = n;
    fake.upstreams[1].backends = &fake.backends[n];
    fake.upstreams[1].n_backends = 1;
    fake.upstreams[1].first = n;
    fake.site.n_backends = n + 1;
    for (uint32_t i = 0; i < n + 1; i++) {
        struct web_backend *b = &fake.backends[i];

        b->upstream = &fake.upstreams[i == n];
        b->host = "127.0.0.1";
        b->port = (uint16_t)(8000 + i);
        b->hash = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
        b->weight = 1;
        if (!b->health)
            b->health = web_health_new();
        ck_assert_ptr_nonnull(b->health);
    }
}

void fake_setup(void)
{
    memset(&fake, 0, sizeof(fake));
    fake.now = 1000000;
    fake.https = (struct web_entry){.secure = true};
    fake.redirect = (struct web_entry){.redirect = true};
    for (int i = 0; i < 2; i++) {
        fake.upstreams[i].name = i == 0 ? "a" : "b";
        fake.upstreams[i].rule = (struct web_health_rule){3, 10000, 5000};
        fake.upstreams[i].connect_ms = 5000;
        fake.upstreams[i].idle_max = 4;
        fake.upstreams[i].idle_ms = 50000;
        fake.upstreams[i].links_max = 16;
    }
    fake.site.routes = fake.routes;
    fake.site.upstreams = fake.upstreams;
    fake.site.n_upstreams = 2;
    fake_servers(1);
    fake.site.refs = 1;
    fake.site.https_port = 8443;
    set_limits(&fake.site.limits);
}

static void *env_file_open(void *arg, struct web_reader *reader,
                           const struct web_folder *folder, struct span name,
                           unsigned forms)
{
    struct fake_file *f = &fake.file;

    (void)arg;
    (void)folder;
    ck_assert(!f->open);
    ck_assert_uint_lt(name.len, sizeof(f->name));
    f->open = true;
    f->reader = reader;
    f->forms = forms;
    memcpy(f->name, name.ptr, name.len);
    f->name[name.len] = '\0';
    return f;
}

static struct span file_piece(uint64_t offset, size_t len)
{
    return span_head(span_from(fake.file.content, (size_t)offset), len);
}

static int env_file_read(void *arg, void *file, uint64_t offset, size_t len,
                         bool wait, struct span *ret_piece)
{
    struct fake_file *f = file;

    (void)arg;
    ck_assert(f->open && !f->reading);
    if (f->fails)
        return -5;
    if (wait || f->slow) {
        f->reading = true;
        f->offset = offset;
        f->len = len;
        return 0;
    }
    *ret_piece = file_piece(offset, len);
    return ret_piece->len > 0 ? 1 : -5;
}

static void env_file_close(void *arg, void *file)
{
    struct fake_file *f = file;

    (void)arg;
    ck_assert(f->open);
    f->open = f->reading = false;
}

void fake_file_found(const char *content)
{
    struct web_file_info info = {strlen(content), 784111777, 5, -1};

    fake.file.content = span_str(content);
    web_reader_on_open(fake.file.reader, 0, &info, fake.now);
}

void fake_file_missing(int err)
{
    struct web_file_info info = {0};

    web_reader_on_open(fake.file.reader, err, &info, fake.now);
}

void fake_file_read(int err)
{
    ck_assert(fake.file.reading);
    fake.file.reading = false;
    web_reader_on_piece(fake.file.reader, err,
                        file_piece(fake.file.offset, fake.file.len), fake.now);
}

void fake_start(void)
{
    struct web_core_options options = {
        .site = &fake.site,
        .env = {.write = env_write,
                .queued = env_queued,
                .unacked = env_unacked,
                .pause = env_pause,
                .resume = env_resume,
                .shutdown = env_shutdown,
                .end = env_end,
                .close = env_close,
                .abort = env_abort,
                .dial = env_dial,
                .undial = env_undial,
                .file_open = env_file_open,
                .file_read = env_file_read,
                .file_close = env_file_close,
                .date = env_date,
                .wall = env_wall},
        .stats = &fake.stats,
    };
    uint32_t a, b;

    if (fake.site.n_routes == 0)
        fake_route("/", 0);
    ck_assert(web_route_sort(fake.routes, fake.site.n_routes, &a, &b));
    ck_assert_int_eq(web_core_new(&fake.core, &options), 0);
}

void fake_teardown(void)
{
    web_core_free(fake.core);
    for (size_t i = 0; i < fake.n_zones; i++)
        web_zone_unref(fake.zones[i]);
    for (size_t i = 0; i < FAKE_BACKENDS; i++)
        web_health_unref(fake.backends[i].health);
    for (size_t i = 0; i < fake.n_ios; i++)
        free(fake.ios[i].out);
    ck_assert_uint_eq(fake.site.refs, 1);
    ck_assert_uint_eq(fake.stats.sessions, 0);
    ck_assert_uint_eq(fake.stats.links, 0);
    ck_assert_uint_eq(fake.stats.idle_links, 0);
    ck_assert_uint_eq(fake.stats.exchanges, 0);
    ck_assert_uint_eq(fake.stats.tunnels, 0);
    for (size_t i = 0; i < fake.n_dials; i++)
        ck_assert(!fake.dials[i].open);
    ck_assert_no_blocks();
}

/* ---- connections ---- */

static struct fake_io *new_io(void)
{
    struct fake_io *io = &fake.ios[fake.n_ios++];

    ck_assert_uint_le(fake.n_ios, FAKE_IOS);
    io->out = calloc(1, FAKE_OUT);
    ck_assert_ptr_nonnull(io->out);
    io->used = true;
    return io;
}

struct fake_io *fake_client_at(const struct web_entry *entry,
                               const char *address)
{
    struct fake_io *io = new_io();
    struct addr client;

    ck_assert_int_eq(addr_parse(span_str(address), &client), 0);
    io->session =
        entry ? web_core_on_accept(fake.core, io, &client, entry, fake.now)
              : web_core_on_accept_h2(fake.core, io, &client, &fake.https,
                                      fake.now);
    return io;
}

struct fake_io *fake_client(void)
{
    struct fake_io *io = fake_client_at(&fake.https, "198.51.100.7:40000");

    ck_assert_ptr_nonnull(io->session);
    return io;
}

static struct fake_dial *oldest_dial(void)
{
    for (size_t i = 0; i < fake.n_dials; i++) {
        if (fake.dials[i].open)
            return &fake.dials[i];
    }
    ck_abort_msg("nothing is being dialled");
    return NULL;
}

size_t fake_open_dials(void)
{
    size_t n = 0;

    for (size_t i = 0; i < fake.n_dials; i++)
        n += fake.dials[i].open;
    return n;
}

struct fake_io *fake_dialled(void)
{
    struct fake_dial *dial = oldest_dial();
    struct fake_io *io = new_io();

    dial->open = false;
    io->link = dial->link;
    web_link_on_dialled(dial->link, io, fake.now);
    return io;
}

size_t fake_dialling(void)
{
    return (size_t)(oldest_dial()->backend - fake.backends);
}

void fake_dial_failed(int err)
{
    struct fake_dial *dial = oldest_dial();

    dial->open = false;
    web_link_on_dial_failed(dial->link, err, fake.now);
}

/* ---- events ---- */

bool fake_is_over(const struct fake_io *io)
{
    return io->shut || io->closed || io->aborted;
}

/* In pieces of at most 16 KiB, as a socket gives them; a paused io gives
 * nothing, which is the test's business to know. */
void fake_send_span(struct fake_io *io, struct span data)
{
    while (data.len > 0 && !fake_is_over(io)) {
        struct span part = span_head(data, 16384);

        data = span_from(data, part.len);
        if (io->session)
            web_session_on_data(io->session, part, fake.now);
        else
            web_link_on_data(io->link, part, fake.now);
    }
}

void fake_send(struct fake_io *io, const char *text)
{
    /* A copy of its own, so that a view that outlives it is found. */
    size_t len = strlen(text);
    char *copy = malloc(len + 1);

    ck_assert_ptr_nonnull(copy);
    memcpy(copy, text, len);
    fake_send_span(io, span_of(copy, len));
    free(copy);
}

void fake_end(struct fake_io *io)
{
    if (io->session)
        web_session_on_end(io->session, fake.now);
    else
        web_link_on_end(io->link, fake.now);
}

void fake_close(struct fake_io *io, int err)
{
    struct web_session *session = io->session;
    struct web_link *link = io->link;

    ck_assert(!io->closed && !io->aborted);
    io->closed = true;
    if (session)
        web_session_on_closed(session, fake.now);
    else
        web_link_on_closed(link, err, fake.now);
}

void fake_block(struct fake_io *io)
{
    io->blocked = true;
}

void fake_unblock(struct fake_io *io)
{
    io->blocked = false;
    io->queued = 0;
    if (io->session)
        web_session_on_writable(io->session, fake.now);
    else
        web_link_on_writable(io->link, fake.now);
}

void fake_sleep(uint64_t ms)
{
    uint64_t until = fake.now + ms;
    uint64_t next;

    while ((next = web_core_next_deadline(fake.core)) <= until) {
        fake.now = next > fake.now ? next : fake.now;
        web_core_on_timer(fake.core, fake.now);
    }
    fake.now = until;
}

void fake_forget(void)
{
    for (size_t i = 0; i < fake.n_ios; i++) {
        ck_assert(fake.ios[i].closed || fake.ios[i].aborted);
        free(fake.ios[i].out);
    }
    ck_assert_uint_eq(fake_open_dials(), 0);
    memset(fake.ios, 0, sizeof(fake.ios));
    fake.n_ios = fake.n_dials = 0;
}

const char *fake_take(struct fake_io *io)
{
    static char taken[4][FAKE_OUT];
    static unsigned turn;
    char *out = taken[turn++ % 4];

    memcpy(out, io->out, io->len + 1);
    io->len = 0;
    io->out[0] = '\0';
    return out;
}
