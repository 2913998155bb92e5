/* SPDX-License-Identifier: MIT */
#include "app/config_internal.h"

#include "app/json.h"
#include "base/mem.h"

/* What every list field is: CONFIG_LIST(type) and the named lists. */
struct any_list {
    const void *items;
    size_t n;
};

_Static_assert(sizeof(struct any_list) == sizeof(struct cidr_list) &&
                   offsetof(struct any_list, n) ==
                       offsetof(struct cidr_list, n),
               "all lists look the same");

enum { LIST_FIRST_CAP = 4 };

static struct any_list list_of(const void *field)
{
    struct any_list list;

    memcpy(&list, field, sizeof(list));
    return list;
}

size_t option_item_size(const struct option_def *def)
{
    switch (def->type) {
    case OPT_BOOL:
        return sizeof(bool);
    case OPT_U16:
        return sizeof(uint16_t);
    case OPT_U32:
        return sizeof(uint32_t);
    case OPT_U64:
    case OPT_SIZE:
    case OPT_DURATION:
        return sizeof(uint64_t);
    case OPT_STRING:
    case OPT_FILE:
        return sizeof(char *);
    case OPT_ENUM:
        return sizeof(int);
    case OPT_SECRET_FILE:
        return sizeof(struct option_secret);
    case OPT_ADDR:
        return sizeof(struct addr);
    case OPT_CIDR:
        return sizeof(struct cidr);
    case OPT_ENDPOINT:
        return sizeof(struct endpoint);
    case OPT_PORTS:
        return sizeof(struct port_range);
    case OPT_OBJECT:
        return def->object->size;
    }
    return 0;
}

/* The capacity is not stored: it is 4, 8, 16 … and full when n equals it. */
static bool list_is_full(size_t n)
{
    return n == 0 || (n >= LIST_FIRST_CAP && (n & (n - 1)) == 0);
}

void *option_list_grow(struct config_build *build, const struct option_def *def,
                       void *field)
{
    struct any_list list = list_of(field);
    size_t size = option_item_size(def);
    uint8_t *items;

    if (list.n >= CONFIG_ITEMS_MAX) {
        config_fail(build, "more than %d items", CONFIG_ITEMS_MAX);
        return NULL;
    }
    if (list_is_full(list.n)) {
        items =
            config_memory(build, (list.n ? 2 * list.n : LIST_FIRST_CAP) * size);
        if (!items)
            return NULL;
        if (list.n)
            memcpy(items, list.items, list.n * size);
        list.items = items;
    }
    /* The array was made here; const is for those who read it. */
    memcpy(&items, &list.items, sizeof(items));
    items += list.n * size;
    list.n++;
    memcpy(field, &list, sizeof(list));
    return items;
}

static const void *item_at(const struct option_def *def,
                           const struct any_list *list, size_t index)
{
    return (const uint8_t *)list->items + index * option_item_size(def);
}

static const char *text_at(const void *item)
{
    const char *text;

    memcpy(&text, item, sizeof(text));
    return text;
}

/* ---- equality ---- */

static bool text_equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool item_equal(const struct option_def *def, const void *a,
                       const void *b);

static bool object_equal(const struct option_table *table, const void *a,
                         const void *b)
{
    for (size_t i = 0; i < table->n; i++) {
        const struct option_def *def = &table->options[i];

        if (!option_equal(def, (const uint8_t *)a + def->offset,
                          (const uint8_t *)b + def->offset))
            return false;
    }
    return true;
}

static bool secret_equal(const struct option_secret *a,
                         const struct option_secret *b)
{
    return text_equal(a->path, b->path) && span_equal(a->value, b->value);
}

static bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
    return a->transport == b->transport && a->port == b->port &&
           text_equal(a->host, b->host);
}

static bool cidr_equal(const struct cidr *a, const struct cidr *b)
{
    return addr_equal(&a->net, &b->net) && a->prefix == b->prefix &&
           a->port_first == b->port_first && a->port_last == b->port_last;
}

static bool item_equal(const struct option_def *def, const void *a,
                       const void *b)
{
    switch (def->type) {
    case OPT_STRING:
    case OPT_FILE:
        return text_equal(text_at(a), text_at(b));
    case OPT_SECRET_FILE:
        return secret_equal(a, b);
    case OPT_ENDPOINT:
        return endpoint_equal(a, b);
    case OPT_CIDR:
        return cidr_equal(a, b);
    case OPT_OBJECT:
        return object_equal(def->object, a, b);
    default: /* without padding and pointers */
        return memcmp(a, b, option_item_size(def)) == 0;
    }
}

bool option_equal(const struct option_def *def, const void *a, const void *b)
{
    struct any_list left, right;

    if (!(def->flags & OPT_LIST))
        return item_equal(def, a, b);
    left = list_of(a);
    right = list_of(b);
    if (left.n != right.n)
        return false;
    for (size_t i = 0; i < left.n; i++) {
        if (!item_equal(def, item_at(def, &left, i), item_at(def, &right, i)))
            return false;
    }
    return true;
}

/* ---- copies ---- */

static const char *copy_text(struct config_build *build, const char *text)
{
    return text ? config_text(build, span_str(text)) : NULL;
}

static struct option_secret copy_secret(struct config_build *build,
                                        const struct option_secret *from)
{
    return (struct option_secret){
        copy_text(build, from->path),
        {(const uint8_t *)config_text(build, from->value), from->value.len}};
}

static void copy_item(struct config_build *build, const struct option_def *def,
                      const void *from, void *to)
{
    const char *text;
    struct option_secret secret;
    struct endpoint endpoint;

    memcpy(to, from, option_item_size(def));
    if (def->type == OPT_STRING || def->type == OPT_FILE) {
        text = copy_text(build, text_at(from));
        memcpy(to, &text, sizeof(text));
    } else if (def->type == OPT_SECRET_FILE) {
        secret = copy_secret(build, from);
        memcpy(to, &secret, sizeof(secret));
    } else if (def->type == OPT_ENDPOINT) {
        memcpy(&endpoint, from, sizeof(endpoint));
        endpoint.host = copy_text(build, endpoint.host);
        endpoint.scheme = copy_text(build, endpoint.scheme);
        memcpy(to, &endpoint, sizeof(endpoint));
    } else if (def->type == OPT_OBJECT) {
        for (size_t i = 0; i < def->object->n; i++) {
            const struct option_def *sub = &def->object->options[i];

            option_copy(build, sub, (const uint8_t *)from + sub->offset,
                        (uint8_t *)to + sub->offset);
        }
    }
}

void option_copy(struct config_build *build, const struct option_def *def,
                 const void *from, void *to)
{
    struct any_list list;

    if (!(def->flags & OPT_LIST)) {
        copy_item(build, def, from, to);
        return;
    }
    list = list_of(from);
    memset(to, 0, sizeof(list));
    for (size_t i = 0; i < list.n; i++) {
        void *item = option_list_grow(build, def, to);

        if (!item)
            return;
        copy_item(build, def, item_at(def, &list, i), item);
    }
}

/* ---- JSON ---- */

static void print_quoted(struct buf *out, void (*put)(struct buf *, uint64_t),
                         uint64_t value)
{
    struct buf text;

    buf_init(&text, 64);
    put(&text, value);
    json_string(out, buf_span(&text));
    buf_deinit(&text);
}

static void print_number(const struct option_def *def, const void *item,
                         struct buf *out)
{
    uint64_t value = 0;
    uint16_t u16;
    uint32_t u32;

    if (def->type == OPT_U16) {
        memcpy(&u16, item, sizeof(u16));
        value = u16;
    } else if (def->type == OPT_U32) {
        memcpy(&u32, item, sizeof(u32));
        value = u32;
    } else {
        memcpy(&value, item, sizeof(value));
    }
    if (def->type == OPT_SIZE)
        print_quoted(out, option_put_size, value);
    else if (def->type == OPT_DURATION)
        print_quoted(out, option_put_time, value);
    else
        json_u64(out, value);
}

static void print_endpoint(const struct endpoint *endpoint, struct buf *out)
{
    bool bracket = endpoint->addr.family == ADDR_V6;
    struct buf text;

    buf_init(&text, 512);
    buf_printf(&text, "%s%s%s%s%s:%u", endpoint->scheme,
               endpoint->scheme[0] ? ":" : "", bracket ? "[" : "",
               endpoint->host, bracket ? "]" : "", (unsigned)endpoint->port);
    json_string(out, buf_span(&text));
    buf_deinit(&text);
}

static void print_ports(const struct port_range *range, struct buf *out)
{
    struct buf text;

    buf_init(&text, 64);
    buf_printf(&text, "%u-%u", (unsigned)range->first, (unsigned)range->last);
    json_string(out, buf_span(&text));
    buf_deinit(&text);
}

static void print_enum(const struct option_def *def, const void *item,
                       struct buf *out)
{
    struct span name = {NULL, 0};
    struct span rest;
    int value;

    memcpy(&value, item, sizeof(value));
    (void)option_value_at(def->values, (size_t)value, &name, &rest);
    json_string(out, name);
}

static void print_address(const struct addr *a, struct buf *out)
{
    char text[ADDR_TEXT_SIZE];

    json_str(out, a->port ? addr_str(a, text) : addr_ip_str(a, text));
}

static void print_object(const struct option_table *table, const void *item,
                         struct buf *out)
{
    struct buf value;

    json_open(out, '{');
    for (size_t i = 0; i < table->n; i++) {
        const struct option_def *def = &table->options[i];

        buf_init(&value, out->max);
        if (option_print(def, (const uint8_t *)item + def->offset, &value)) {
            json_key(out, def->name);
            buf_put_span(out, buf_span(&value));
        }
        buf_deinit(&value);
    }
    json_close(out, '}');
}

static void print_item(const struct option_def *def, const void *item,
                       struct buf *out)
{
    const struct option_secret *secret = item;
    char text[CIDR_TEXT_SIZE];

    switch (def->type) {
    case OPT_BOOL:
        json_bool(out, *(const bool *)item);
        break;
    case OPT_STRING:
    case OPT_FILE:
        json_str(out, text_at(item));
        break;
    case OPT_SECRET_FILE:
        json_str(out, secret->path);
        break;
    case OPT_ENUM:
        print_enum(def, item, out);
        break;
    case OPT_ADDR:
        print_address(item, out);
        break;
    case OPT_CIDR:
        json_str(out, cidr_str(item, text));
        break;
    case OPT_ENDPOINT:
        print_endpoint(item, out);
        break;
    case OPT_PORTS:
        print_ports(item, out);
        break;
    case OPT_OBJECT:
        print_object(def->object, item, out);
        break;
    default:
        print_number(def, item, out);
        break;
    }
}

bool option_is_set(const struct option_def *def, const void *field)
{
    if (def->flags & OPT_LIST)
        return list_of(field).n > 0;
    switch (def->type) {
    case OPT_STRING:
    case OPT_FILE:
    case OPT_SECRET_FILE: /* begins with the path */
        return text_at(field) != NULL;
    case OPT_ADDR:
        return ((const struct addr *)field)->family != ADDR_NONE;
    case OPT_CIDR:
        return ((const struct cidr *)field)->net.family != ADDR_NONE;
    case OPT_ENDPOINT:
        return ((const struct endpoint *)field)->host != NULL;
    case OPT_PORTS:
        return ((const struct port_range *)field)->first != 0;
    default:
        return true;
    }
}

bool option_print(const struct option_def *def, const void *field,
                  struct buf *out)
{
    struct any_list list;

    if (def->flags & OPT_SECRET)
        return false;
    if (!(def->flags & OPT_LIST)) {
        if (!option_is_set(def, field))
            return false;
        print_item(def, field, out);
        return true;
    }
    list = list_of(field);
    json_open(out, '[');
    for (size_t i = 0; i < list.n; i++)
        print_item(def, item_at(def, &list, i), out);
    json_close(out, ']');
    return true;
}
