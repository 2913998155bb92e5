/* SPDX-License-Identifier: MIT */
#include "app/config_internal.h"

#include "base/mem.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit size_units[] = {
    {"k", UINT64_C(1) << 10},
    {"m", UINT64_C(1) << 20},
    {"g", UINT64_C(1) << 30},
    {"t", UINT64_C(1) << 40},
    {"", 1},
};

static const struct unit time_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000},
};

bool option_value_at(const char *values, size_t n, struct span *ret_name,
                     struct span *ret_rest)
{
    struct span rest = span_str(values ? values : "");
    struct span item;

    while (span_next(&rest, '|', &item)) {
        if (n-- > 0)
            continue;
        *ret_rest = span_of(NULL, 0);
        *ret_name = item;
        (void)span_cut(item, '=', ret_name, ret_rest);
        return true;
    }
    return false;
}

static int find_value(const char *values, struct span text,
                      struct span *ret_rest)
{
    struct span name, rest;

    for (size_t i = 0; option_value_at(values, i, &name, &rest); i++) {
        if (span_equal_nocase(name, text)) {
            *ret_rest = rest;
            return (int)i;
        }
    }
    return -1;
}

/* ---- what is allowed ---- */

static uint64_t largest(const struct option_def *def)
{
    uint64_t type_max = UINT64_MAX;

    if (def->type == OPT_U16)
        type_max = UINT16_MAX;
    else if (def->type == OPT_U32)
        type_max = UINT32_MAX;
    else if (def->type == OPT_SIZE || def->type == OPT_DURATION)
        type_max = INT64_MAX;
    return def->max && def->max < type_max ? def->max : type_max;
}

static void put_unit(struct buf *out, uint64_t value, const struct unit *units,
                     size_t n)
{
    const struct unit *best = NULL;

    for (size_t i = 0; i < n; i++) {
        if (value % units[i].factor == 0 &&
            (!best || units[i].factor > best->factor) && value)
            best = &units[i];
    }
    buf_put_u64(out, best ? value / best->factor : 0);
    buf_put_str(out, best ? best->name : "");
}

void option_put_size(struct buf *out, uint64_t bytes)
{
    put_unit(out, bytes, size_units, ARRAY_SIZE(size_units));
}

void option_put_time(struct buf *out, uint64_t ms)
{
    put_unit(out, ms, time_units, ARRAY_SIZE(time_units));
}

static void put_number(const struct option_def *def, struct buf *out,
                       uint64_t value)
{
    if (def->type == OPT_SIZE)
        option_put_size(out, value);
    else if (def->type == OPT_DURATION)
        option_put_time(out, value);
    else
        buf_put_u64(out, value);
}

static void allowed_number(const struct option_def *def, struct buf *out)
{
    if (def->type == OPT_SIZE)
        buf_put_str(out, "a size such as 4096, 64k or 1m");
    else if (def->type == OPT_DURATION)
        buf_put_str(out, "a time such as 500ms, 30s, 5m or 1h");
    else
        buf_put_str(out, "a number");
    if (def->min == 0 && def->max == 0 && def->type >= OPT_U64)
        return;
    buf_put_str(out, " from ");
    put_number(def, out, def->min);
    if (def->max || def->type < OPT_U64) {
        buf_put_str(out, " to ");
        put_number(def, out, largest(def));
    }
}

static void allowed_values(const struct option_def *def, struct buf *out)
{
    struct span name, rest;

    for (size_t i = 0; option_value_at(def->values, i, &name, &rest); i++) {
        if (i)
            buf_put_str(out, ", ");
        buf_put_span(out, name);
    }
}

static void allowed_length(const struct option_def *def, struct buf *out)
{
    buf_put_str(out, "text");
    if (def->min && def->max)
        buf_printf(out, " of %llu to %llu bytes", (unsigned long long)def->min,
                   (unsigned long long)def->max);
    else if (def->min)
        buf_printf(out, " of at least %llu bytes",
                   (unsigned long long)def->min);
    else
        buf_printf(out, " of at most %llu bytes",
                   (unsigned long long)(def->max ? def->max : CONFIG_TEXT_MAX));
    buf_put_str(out, " without control characters");
}

static void allowed_endpoint(const struct option_def *def, struct buf *out)
{
    buf_put_str(out, def->values ? "transport:host:port" : "host:port");
    buf_put_str(out, def->flags & OPT_NUMERIC
                         ? " with an IP address as host"
                         : " with a name or IP address as host");
    buf_put_str(out, " (IPv6 in brackets)");
    if (def->values) {
        buf_put_str(out, "; transports: ");
        allowed_values(def, out);
    }
}

void option_allowed(const struct option_def *def, struct buf *out)
{
    switch (def->type) {
    case OPT_BOOL:
        buf_put_str(out, "true or false");
        break;
    case OPT_U16:
    case OPT_U32:
    case OPT_U64:
    case OPT_SIZE:
    case OPT_DURATION:
        allowed_number(def, out);
        break;
    case OPT_STRING:
        allowed_length(def, out);
        break;
    case OPT_ENUM:
        buf_put_str(out, "one of ");
        allowed_values(def, out);
        break;
    case OPT_FILE:
    case OPT_SECRET_FILE:
        buf_put_str(out, "the path of a readable file");
        break;
    case OPT_ADDR:
        buf_put_str(out, "an IP address, with or without port "
                         "(IPv6 with port in brackets)");
        break;
    case OPT_CIDR:
        buf_put_str(out, "a network such as 10.0.0.0/24 or "
                         "10.0.0.0/24:10000-20000, no bits set behind the "
                         "prefix");
        break;
    case OPT_ENDPOINT:
        allowed_endpoint(def, out);
        break;
    case OPT_PORTS:
        buf_put_str(out, "a port or first-last, from 1 to 65535");
        break;
    case OPT_OBJECT:
        buf_put_str(out, "an object");
        break;
    }
}

static bool refuse(struct config_build *build, const struct option_def *def,
                   struct span text)
{
    char quoted[CONFIG_PATH_MAX];
    struct buf allowed;

    buf_init(&allowed, 1024);
    option_allowed(def, &allowed);
    config_fail(build, "%s is not allowed; expected %.*s",
                config_quote(def, text, quoted), SPAN_FMT(buf_span(&allowed)));
    buf_deinit(&allowed);
    return false;
}

/* ---- each type ---- */

static bool parse_bool(struct span text, bool *ret_value)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0"};

    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        if (span_is_nocase(text, yes[i])) {
            *ret_value = true;
            return true;
        }
        if (span_is_nocase(text, no[i])) {
            *ret_value = false;
            return true;
        }
    }
    return false;
}

static bool parse_unit(struct span text, const struct unit *units, size_t n,
                       uint64_t max, uint64_t *ret_value)
{
    size_t digits = 0;
    struct span name;
    uint64_t value;

    while (digits < text.len && text.ptr[digits] >= '0' &&
           text.ptr[digits] <= '9')
        digits++;
    name = span_from(text, digits);
    if (span_to_u64(span_head(text, digits), UINT64_MAX, &value) < 0)
        return false;
    if (value == 0 && name.len == 0) {
        *ret_value = 0;
        return true;
    }
    for (size_t i = 0; i < n; i++) {
        if (!span_is_nocase(name, units[i].name))
            continue;
        if (value > max / units[i].factor)
            return false;
        *ret_value = value * units[i].factor;
        return true;
    }
    return false;
}

static bool parse_number(const struct option_def *def, struct span text,
                         void *item)
{
    uint64_t max = largest(def);
    uint64_t value;
    uint16_t u16;
    uint32_t u32;
    bool good;

    if (def->type == OPT_SIZE)
        good =
            parse_unit(text, size_units, ARRAY_SIZE(size_units), max, &value);
    else if (def->type == OPT_DURATION)
        good =
            parse_unit(text, time_units, ARRAY_SIZE(time_units), max, &value);
    else
        good = span_to_u64(text, max, &value) == 0;
    if (!good || value < def->min)
        return false;

    u16 = (uint16_t)value;
    u32 = (uint32_t)value;
    if (def->type == OPT_U16)
        memcpy(item, &u16, sizeof(u16));
    else if (def->type == OPT_U32)
        memcpy(item, &u32, sizeof(u32));
    else
        memcpy(item, &value, sizeof(value));
    return true;
}

static bool is_plain_text(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7F)
            return false;
    }
    return text_is_utf8(text);
}

static bool parse_string(struct config_build *build,
                         const struct option_def *def, struct span text,
                         void *item)
{
    uint64_t max = def->max ? def->max : CONFIG_TEXT_MAX;
    char *copy;

    if (text.len < def->min || text.len > max || !is_plain_text(text))
        return false;
    copy = config_text(build, text);
    memcpy(item, &copy, sizeof(copy));
    return true;
}

/* Relative to the configuration file when written there. */
static const char *file_path(struct config_build *build, struct span text)
{
    const char *slash = build->file ? strrchr(build->file, '/') : NULL;
    size_t folder;
    char *path;

    if (build->stage != STAGE_FILE || !slash || text.ptr[0] == '/')
        return config_text(build, text);
    folder = (size_t)(slash - build->file) + 1;
    path = config_memory(build, folder + text.len + 1);
    if (!path)
        return NULL;
    memcpy(path, build->file, folder);
    memcpy(path + folder, text.ptr, text.len);
    return path;
}

/* Open for reading what must be an ordinary file. -1 after reporting. */
static int open_file(struct config_build *build, const char *path,
                     struct stat *ret_stat)
{
    char quoted[CONFIG_PATH_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    config_quote(NULL, span_str(path), quoted);
    if (fd < 0) {
        config_fail(build, "%s cannot be read: %s", quoted, strerror(errno));
        return -1;
    }
    if (fstat(fd, ret_stat) < 0 || S_ISDIR(ret_stat->st_mode)) {
        config_fail(build, "%s is a folder, not a file", quoted);
        close(fd);
        return -1;
    }
    return fd;
}

static bool parse_file(struct config_build *build, const struct option_def *def,
                       struct span text, void *item)
{
    const char *path;
    struct stat st;
    int fd;

    if (text.len == 0 || text.len > CONFIG_TEXT_MAX || !is_plain_text(text))
        return refuse(build, def, text);
    path = file_path(build, text);
    if (!path)
        return false;
    memcpy(item, &path, sizeof(path));
    if (!build->open_files)
        return true;
    fd = open_file(build, path, &st);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

/* Read at most `max` bytes; the rest counts. -1 after reporting. */
static ssize_t read_all(struct config_build *build, int fd, uint8_t *out,
                        size_t max)
{
    size_t n = 0;

    while (n < max) {
        ssize_t got = read(fd, out + n, max - n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            config_fail(build, "cannot be read: %s", strerror(errno));
            return -1;
        }
        if (got == 0)
            break;
        n += (size_t)got;
    }
    return (ssize_t)n;
}

static struct span without_newline(struct span s)
{
    if (s.len && s.ptr[s.len - 1] == '\n')
        s.len--;
    if (s.len && s.ptr[s.len - 1] == '\r')
        s.len--;
    return s;
}

static bool read_secret(struct config_build *build,
                        const struct option_def *def, int fd,
                        struct option_secret *secret)
{
    size_t max = def->max && def->max < CONFIG_SECRET_MAX ? (size_t)def->max
                                                          : CONFIG_SECRET_MAX;
    uint8_t *data = config_memory(build, max + 3); /* with newline, and more */
    size_t min = def->min ? (size_t)def->min : 1;
    ssize_t n;

    if (!data)
        return false;
    n = read_all(build, fd, data, max + 3);
    if (n < 0)
        return false;
    secret->value = without_newline(span_of(data, (size_t)n));
    if (secret->value.len >= min && secret->value.len <= max)
        return true;
    config_fail(build, "the content of %s must have %zu to %zu bytes",
                secret->path, min, max);
    return false;
}

static bool parse_secret(struct config_build *build,
                         const struct option_def *def, struct span text,
                         void *item)
{
    struct option_secret secret = {NULL, {NULL, 0}};
    struct stat st;
    bool good;
    int fd;

    if (text.len == 0 || text.len > CONFIG_TEXT_MAX || !is_plain_text(text))
        return refuse(build, def, text);
    secret.path = file_path(build, text);
    if (!secret.path)
        return false;
    memcpy(item, &secret, sizeof(secret));
    if (!build->open_files)
        return true;
    fd = open_file(build, secret.path, &st);
    if (fd < 0)
        return false;
    good = read_secret(build, def, fd, &secret);
    close(fd);
    if (st.st_mode & S_IROTH)
        buf_printf(build->report,
                   "warning: %s: %s: every user of this machine can read it\n",
                   build->source, secret.path);
    memcpy(item, &secret, sizeof(secret));
    return good;
}

static bool parse_ports(struct span text, struct port_range *ret_range)
{
    struct span first = text, last = text;
    uint32_t from, to;

    (void)span_cut(text, '-', &first, &last);
    if (span_to_u32(first, UINT16_MAX, &from) < 0 ||
        span_to_u32(last, UINT16_MAX, &to) < 0 || from == 0 || from > to)
        return false;
    *ret_range = (struct port_range){(uint16_t)from, (uint16_t)to};
    return true;
}

/* ---- endpoints ---- */

/* RFC 1123 2.1, with '_' since DNS has it; the last label is no number, else
 * "10.0.0.300" would be a name. */
static bool is_host_name(struct span host)
{
    size_t label = 0;
    bool digits = true;

    if (host.len == 0 || host.len > 253)
        return false;
    for (size_t i = 0; i < host.len; i++) {
        char c = (char)host.ptr[i];
        bool digit = c >= '0' && c <= '9';
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (c == '.') {
            if (label == 0 || host.ptr[i - 1] == '-')
                return false;
            if (i + 1 == host.len)
                break; /* a dot at the very end is fine */
            label = 0;
            digits = true;
            continue;
        }
        if (!digit && !letter && c != '_' && (c != '-' || label == 0))
            return false;
        digits &= digit;
        if (++label > 63)
            return false;
    }
    return !digits && host.ptr[host.len - 1] != '-';
}

/* "host:port", "[v6]:port", each without port. */
static bool split_host(struct span text, struct span *ret_host,
                       struct span *ret_port)
{
    ptrdiff_t end;

    *ret_port = span_of(NULL, 0);
    if (text.len == 0 || text.ptr[0] != '[') {
        *ret_host = text;
        if (!span_cut(text, ':', ret_host, ret_port))
            return true;
        return ret_port->len > 0 && span_find(*ret_port, ':') < 0;
    }
    end = span_find(text, ']');
    if (end < 0)
        return false;
    *ret_host = span_of(text.ptr + 1, (size_t)end - 1);
    text = span_from(text, (size_t)end + 1);
    if (text.len == 0)
        return true;
    *ret_port = span_from(text, 1);
    return text.ptr[0] == ':' && ret_port->len > 0;
}

static bool parse_host(struct config_build *build, const struct option_def *def,
                       struct span text, struct span fallback_port,
                       struct endpoint *ret_endpoint)
{
    bool bracket = text.len > 0 && text.ptr[0] == '[';
    uint32_t number;
    struct span host, port;

    if (!split_host(text, &host, &port))
        return false;
    /* A default of 0 means that the port may be missing, for those who find
     * it in another way; written it must be one. */
    if (port.len == 0)
        port = fallback_port;
    else if (span_is(port, "0") && !(def->flags & OPT_NUMERIC))
        return false;
    if (span_to_u32(port, UINT16_MAX, &number) < 0)
        return false;

    if (addr_parse_ip(host, &ret_endpoint->addr) == 0) {
        if (bracket != (ret_endpoint->addr.family == ADDR_V6))
            return false;
    } else if (bracket || (def->flags & OPT_NUMERIC) || !is_host_name(host)) {
        return false;
    }
    ret_endpoint->port = (uint16_t)number;
    ret_endpoint->addr.port = (uint16_t)number;
    ret_endpoint->host = config_text(build, host);
    return true;
}

static bool parse_endpoint(struct config_build *build,
                           const struct option_def *def, struct span text,
                           void *item)
{
    struct endpoint endpoint = {.scheme = ""};
    struct span scheme, rest = text;
    struct span fallback_port = {NULL, 0};

    if (def->values) {
        if (!span_cut(text, ':', &scheme, &rest))
            return false;
        endpoint.transport = find_value(def->values, scheme, &fallback_port);
        if (endpoint.transport < 0)
            return false;
        (void)option_value_at(def->values, (size_t)endpoint.transport, &scheme,
                              &fallback_port);
        endpoint.scheme = config_text(build, scheme);
        if (span_starts(rest, "//")) {
            rest = span_from(rest, 2);
            if (rest.len && rest.ptr[rest.len - 1] == '/')
                rest.len--;
        }
    }
    if (!parse_host(build, def, rest, fallback_port, &endpoint))
        return false;
    memcpy(item, &endpoint, sizeof(endpoint));
    return true;
}

static bool parse_plain(struct config_build *build,
                        const struct option_def *def, struct span text,
                        void *item)
{
    struct span rest;
    int value;

    switch (def->type) {
    case OPT_BOOL:
        return parse_bool(text, item);
    case OPT_STRING:
        return parse_string(build, def, text, item);
    case OPT_ENUM:
        value = find_value(def->values, text, &rest);
        if (value >= 0)
            memcpy(item, &value, sizeof(value));
        return value >= 0;
    case OPT_ADDR:
        return addr_parse(text, item) == 0;
    case OPT_CIDR:
        return cidr_parse(text, item) == 0;
    case OPT_ENDPOINT:
        return parse_endpoint(build, def, text, item);
    case OPT_PORTS:
        return parse_ports(text, item);
    default:
        return parse_number(def, text, item);
    }
}

bool option_parse(struct config_build *build, const struct option_def *def,
                  struct span text, void *item)
{
    if (def->type == OPT_FILE)
        return parse_file(build, def, text, item);
    if (def->type == OPT_SECRET_FILE)
        return parse_secret(build, def, text, item);
    if (!parse_plain(build, def, text, item))
        return refuse(build, def, text);
    return true;
}
