/* SPDX-License-Identifier: MIT */
#include "base/dns.h"

#include "base/err.h"
#include "base/wire.h"

#include <ctype.h>

enum {
    HEADER = 12,
    STEPS_MAX = 128, /* labels and jumps of one name */
    TYPE_SOA = 6,
    CLASS_IN = 1,
};

/* --- names --- */

static bool add_label(struct span label, char *out, size_t *len)
{
    size_t need = label.len + (*len > 0);

    if (*len + need > DNS_NAME_MAX)
        return false;
    if (*len > 0)
        out[(*len)++] = '.';
    for (size_t i = 0; i < label.len; i++) {
        uint8_t c = label.ptr[i];

        /* Anything else belongs into no host name, and a NUL or a dot would
         * make one name look like another. */
        if (!isalnum(c) && c != '-' && c != '_')
            return false;
        out[(*len)++] = (char)tolower(c);
    }
    return true;
}

/* A label of `size` bytes; that of 0 ends the name. */
static int take_label(struct wire_reader *at, uint8_t size, char *out,
                      size_t *len)
{
    struct span label = wire_take(at, size);

    if (at->err)
        return ERR_PARSE;
    if (!out)
        return 0;
    if (size && !add_label(label, out, len))
        return ERR_PARSE;
    out[*len] = '\0';
    return 0;
}

/* A name at the reader's place, which goes on behind it. `out` may be NULL to
 * pass over it; else DNS_NAME_MAX + 1 bytes. Jumps go backwards only, so they
 * end (RFC 1035 4.1.4). */
static int take_name(struct span message, struct wire_reader *r, char *out)
{
    struct wire_reader at = *r;
    bool jumped = false;
    size_t len = 0, limit = (size_t)(r->pos - message.ptr);

    for (unsigned step = 0; step < STEPS_MAX; step++) {
        uint8_t size = wire_u8(&at);
        size_t to;

        if (at.err || (size & 0xC0) == 0x40 || (size & 0xC0) == 0x80)
            return ERR_PARSE;
        if ((size & 0xC0) == 0) {
            if (take_label(&at, size, out, &len) < 0)
                return ERR_PARSE;
            if (!jumped)
                *r = at;
            if (size == 0)
                return 0;
            continue;
        }
        to = (size_t)(size & 0x3F) << 8 | wire_u8(&at);
        if (at.err || to >= limit)
            return ERR_PARSE;
        if (!jumped)
            *r = at;
        jumped = true;
        if (!out)
            return 0;
        limit = to;
        at = wire_reader(message);
        (void)wire_take(&at, to);
    }
    return ERR_PARSE;
}

/* --- records --- */

struct record {
    uint16_t type;
    uint16_t class;
    uint32_t ttl;
    struct span data;
    struct wire_reader at; /* at its data, for names in it */
};

static int take_record(struct span message, struct wire_reader *r,
                       struct record *rec)
{
    if (take_name(message, r, NULL) < 0)
        return ERR_PARSE;
    rec->type = wire_u16(r);
    rec->class = wire_u16(r);
    rec->ttl = wire_u32(r);
    /* RFC 2181 8: a TTL with the highest bit set is none. */
    if (rec->ttl > INT32_MAX)
        rec->ttl = 0;
    rec->data.len = wire_u16(r);
    rec->at = *r;
    rec->data = wire_take(r, rec->data.len);
    return r->err ? ERR_PARSE : 0;
}

static int take_srv(struct span message, struct record *rec,
                    struct dns_srv *srv)
{
    struct wire_reader r = rec->at;

    if (rec->data.len < 7)
        return ERR_PARSE;
    srv->priority = wire_u16(&r);
    srv->weight = wire_u16(&r);
    srv->port = wire_u16(&r);
    return take_name(message, &r, srv->target);
}

static struct span take_string(struct wire_reader *r)
{
    return wire_take(r, wire_u8(r));
}

/* 1: it counts, 0: it does not. */
static int take_naptr(struct span message, struct record *rec,
                      struct dns_naptr *naptr)
{
    struct wire_reader r = wire_reader(rec->data);
    struct wire_reader name = rec->at;
    struct span flags, service, regexp;

    naptr->order = wire_u16(&r);
    naptr->preference = wire_u16(&r);
    flags = take_string(&r);
    service = take_string(&r);
    regexp = take_string(&r);
    if (r.err)
        return ERR_PARSE;
    (void)wire_take(&name, (size_t)(r.pos - rec->data.ptr));
    if (take_name(message, &name, naptr->replacement) < 0)
        return ERR_PARSE;
    if (flags.len > 1 || service.len > DNS_SERVICE_MAX || regexp.len > 0 ||
        naptr->replacement[0] == '\0')
        return 0;
    naptr->flag = (char)(flags.len ? tolower(flags.ptr[0]) : 0);
    for (size_t i = 0; i < service.len; i++)
        naptr->service[i] = (char)toupper(service.ptr[i]);
    naptr->service[service.len] = '\0';
    return 1;
}

static int add_record(struct span message, struct record *rec,
                      struct dns_records *out)
{
    int kept = 1, err;

    if (rec->type != (uint16_t)out->type || rec->class != CLASS_IN ||
        out->n == DNS_RECORDS_MAX)
        return 0;
    if (out->type == DNS_SRV) {
        err = take_srv(message, rec, &out->srv[out->n]);
    } else {
        kept = take_naptr(message, rec, &out->naptr[out->n]);
        err = kept < 0 ? kept : 0;
    }
    if (err < 0)
        return err;
    if (out->n == 0 || rec->ttl < out->ttl)
        out->ttl = rec->ttl;
    out->n += kept > 0;
    return 0;
}

/* How long "there is none" is good for: the smaller of the SOA's TTL and its
 * last field (RFC 2308 5). */
static void note_negative(const struct record *rec, struct dns_records *out)
{
    struct wire_reader r;
    uint32_t minimum;

    if (rec->type != TYPE_SOA || rec->data.len < 22)
        return;
    r = wire_reader(span_from(rec->data, rec->data.len - 4));
    minimum = wire_u32(&r);
    out->ttl = minimum < rec->ttl ? minimum : rec->ttl;
}

int dns_records_read(struct span message, enum dns_type type,
                     struct dns_records *ret_records)
{
    struct wire_reader r = wire_reader(message);
    unsigned questions, answers, authorities;
    struct record rec;

    memset(ret_records, 0, sizeof(*ret_records));
    ret_records->type = type;
    (void)wire_take(&r, 4);
    questions = wire_u16(&r);
    answers = wire_u16(&r);
    authorities = wire_u16(&r);
    (void)wire_take(&r, 2);
    if (r.err)
        return ERR_PARSE;
    for (unsigned i = 0; i < questions; i++) {
        if (take_name(message, &r, NULL) < 0)
            return ERR_PARSE;
        (void)wire_take(&r, 4);
    }
    for (unsigned i = 0; i < answers; i++) {
        if (take_record(message, &r, &rec) < 0 ||
            add_record(message, &rec, ret_records) < 0)
            return ERR_PARSE;
    }
    for (unsigned i = 0; ret_records->n == 0 && i < authorities; i++) {
        if (take_record(message, &r, &rec) < 0)
            return ERR_PARSE;
        note_negative(&rec, ret_records);
    }
    return 0;
}

/* --- order --- */

static void swap_srv(struct dns_srv *a, struct dns_srv *b)
{
    struct dns_srv t = *a;

    *a = *b;
    *b = t;
}

/* Bring the next one of srv[from … to) to `from`. */
static void draw_srv(struct dns_srv *srv, size_t from, size_t to,
                     uint32_t chance)
{
    uint32_t sum = 0, pick, running = 0;

    for (size_t i = from; i < to; i++)
        sum += srv[i].weight;
    pick = (uint32_t)(((uint64_t)sum + 1) * chance >> 32); /* 0 … sum */
    /* Those of weight 0 come first in the running sum. */
    for (size_t i = from, zeros = from; i < to; i++) {
        if (srv[i].weight == 0)
            swap_srv(&srv[i], &srv[zeros++]);
    }
    for (size_t i = from; i < to; i++) {
        running += srv[i].weight;
        if (running >= pick) {
            swap_srv(&srv[from], &srv[i]);
            return;
        }
    }
}

void dns_srv_order(struct dns_records *records, uint32_t (*random)(void *arg),
                   void *arg)
{
    struct dns_srv *srv = records->srv;
    size_t end;

    for (size_t i = 1; i < records->n; i++) {
        for (size_t k = i; k > 0 && srv[k].priority < srv[k - 1].priority; k--)
            swap_srv(&srv[k], &srv[k - 1]);
    }
    for (size_t from = 0; from < records->n; from = end) {
        for (end = from;
             end < records->n && srv[end].priority == srv[from].priority; end++)
            ;
        for (size_t i = from; i + 1 < end; i++)
            draw_srv(srv, i, end, random(arg));
    }
}

static bool naptr_before(const struct dns_naptr *a, const struct dns_naptr *b)
{
    return a->order != b->order ? a->order < b->order
                                : a->preference < b->preference;
}

void dns_naptr_order(struct dns_records *records)
{
    struct dns_naptr *naptr = records->naptr;

    for (size_t i = 1; i < records->n; i++) {
        for (size_t k = i; k > 0 && naptr_before(&naptr[k], &naptr[k - 1]);
             k--) {
            struct dns_naptr t = naptr[k];

            naptr[k] = naptr[k - 1];
            naptr[k - 1] = t;
        }
    }
}
