/* SPDX-License-Identifier: MIT */
/* options.h - one row per setting, and the C types settings are read into.
 *
 * A daemon describes its settings once, in tables of rows. From them come the
 * configuration file, the command line, the environment, --help, --check,
 * --dump-config, the rules of reload and the table in the README; see
 * app/config.h. Rows are written with designated initialisers; what does not
 * apply is left out:
 *
 *   #define FIELD(f) offsetof(struct turn_config, f)
 *   static const struct option_def options[] = {
 *       {.name = "max-allocations", .type = OPT_U32,
 *        .offset = FIELD(max_allocations), .min = 1, .max = 1000000,
 *        .fallback = "1024", .flags = OPT_RELOAD,
 *        .help = "allocations alive at the same time"},
 *       {.name = "relay-address", .type = OPT_ADDR,
 *        .offset = FIELD(relay_address), .flags = OPT_LIST | OPT_REQUIRED,
 *        .help = "own addresses that relayed media comes from"},
 *   };
 *
 * A list of objects has a table of its own; `brief` says which of its
 * settings the short form on the command line fills:
 *
 *   static const struct option_def route_options[] = {
 *       {.name = "path", .type = OPT_STRING, .flags = OPT_REQUIRED, …},
 *       {.name = "upstream", .type = OPT_STRING, .flags = OPT_REQUIRED, …},
 *       {.name = "timeout", .type = OPT_DURATION, .fallback = "30s", …},
 *   };
 *   static const struct option_table route_table = {
 *       route_options, ARRAY_SIZE(route_options), sizeof(struct web_route),
 *       "path=upstream"};
 *   {.name = "route", .type = OPT_OBJECT, .flags = OPT_LIST,
 *    .object = &route_table, .offset = FIELD(routes), .help = "…"}
 *
 * is then, each the same:
 *
 *   --route /ucassistant=cc,timeout=5s
 *   --route path=/ucassistant,upstream=cc,timeout=5s
 *   "route": ["/ucassistant=cc,timeout=5s"]
 *   "route": [{"path": "/ucassistant", "upstream": "cc", "timeout": "5s"}]
 *
 * In the short form a list of addresses, endpoints or numbers goes on behind a
 * comma: "cc=https://a,https://b,weights=3,1".
 */
#ifndef APP_OPTIONS_H
#define APP_OPTIONS_H

#include "base/addr.h"
#include "base/cidr.h"

/* type of the row → C type of the field; how it is written */
enum option_type {
    OPT_BOOL,     /* bool; true, false (also yes/no, on/off outside JSON);
                     --name alone is true, --no-name false */
    OPT_U16,      /* uint16_t; decimal */
    OPT_U32,      /* uint32_t */
    OPT_U64,      /* uint64_t */
    OPT_SIZE,     /* uint64_t bytes; 4096, 64k, 1m, 2g (times 1024) */
    OPT_DURATION, /* uint64_t milliseconds; 500ms, 30s, 5m, 1h, 7d, 0 */
    OPT_STRING,   /* const char *, NULL when not set; UTF-8, no control
                     characters; min and max are its length in bytes */
    OPT_ENUM,     /* int: index in `values` */
    OPT_FILE,     /* const char *: path of a readable file; a relative path in
                     the configuration file starts at that file's folder */
    OPT_SECRET_FILE, /* struct option_secret: the file's content; min and max
                        are its length */
    OPT_ADDR,        /* struct addr; "192.0.2.1", "[2001:db8::1]:5060" */
    OPT_CIDR,        /* struct cidr; "10.0.0.0/24:10000-20000" */
    OPT_ENDPOINT,    /* struct endpoint; "udp:192.0.2.1:3478" */
    OPT_PORTS,       /* struct port_range; "30000-39999", "5060" */
    OPT_OBJECT,      /* the struct described by `object` */
};

enum option_flags {
    OPT_RELOAD = 1,   /* a reload may change it */
    OPT_LIST = 2,     /* many values: the field is a CONFIG_LIST(type) */
    OPT_REQUIRED = 4, /* refused when nothing sets it (and an empty list) */
    OPT_SECRET = 8,   /* OPT_STRING: only in the file, never printed */
    OPT_NUMERIC = 16, /* OPT_ENDPOINT: the host is an address, not a name, and
                         port 0 (any free port) is allowed: for listeners */
    OPT_HIDDEN = 32,  /* not in --help */
};

struct option_def {
    const char *name; /* "max-allocations": in the file, on the command line;
                         in the environment PREFIX_MAX_ALLOCATIONS */
    enum option_type type;
    size_t offset;        /* in the struct of the table */
    uint64_t min, max;    /* range; max 0: what the type can hold */
    const char *fallback; /* default as on the command line; NULL: not set
                             (0, false, NULL, empty list, ADDR_NONE) */
    unsigned flags;       /* enum option_flags */
    const char *help;     /* half a sentence, lower case, no full stop */
    const char *values;   /* OPT_ENUM: "error|warn|info"; OPT_ENDPOINT: the
                             transports, with default port if there is one:
                             "udp|tcp|tls=5349" */
    const struct option_table *object; /* OPT_OBJECT */
};

struct option_table {
    const struct option_def *options;
    size_t n;
    size_t size;       /* of the struct the rows' offsets are in */
    const char *brief; /* OPT_OBJECT: short form "a" or "a=b": names of the
                          settings that take the text, or what stands before
                          and behind its first '='; NULL: no short form */
};

/* The field of an OPT_LIST row; items live as long as the snapshot. Lists of
 * plain values have a name so that they can be passed on. */
#define CONFIG_LIST(type)                                                      \
    struct {                                                                   \
        const type *items;                                                     \
        size_t n;                                                              \
    }

struct string_list {
    const char *const *items;
    size_t n;
};

struct addr_list {
    const struct addr *items;
    size_t n;
};

struct cidr_list {
    const struct cidr *items;
    size_t n;
};

struct port_range {
    uint16_t first; /* 0: not set */
    uint16_t last;  /* >= first */
};

/* "transport:host:port", also "transport://host:port"; IPv6 in brackets;
 * ":port" may be missing when the transport has a default. */
struct endpoint {
    int transport;      /* index in the row's `values` */
    const char *scheme; /* its name */
    const char *host;   /* as written, without brackets; never NULL */
    struct addr addr;   /* family ADDR_NONE when `host` is a name; the port is
                           set in both cases */
    uint16_t port;
};

struct endpoint_list {
    const struct endpoint *items;
    size_t n;
};

struct option_secret {
    const char *path;  /* NULL: not set */
    struct span value; /* the content without the newline at its end */
};

#endif /* APP_OPTIONS_H */
