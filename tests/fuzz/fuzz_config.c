/* SPDX-License-Identifier: MIT */
/* A configuration file with every type of setting. What is accepted is
 * printed, read again and printed the same. */
#include "app/config.h"
#include "base/mem.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct item {
    const char *name;
    struct endpoint target;
    struct cidr_list allow;
    bool on;
};

struct all {
    struct config_common common;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    uint64_t size;
    uint64_t time;
    bool on;
    const char *text;
    const char *file;
    struct option_secret secret;
    int choice;
    struct addr_list addresses;
    struct cidr_list networks;
    struct endpoint_list listen;
    struct port_range ports;
    CONFIG_LIST(struct item) items;
    struct item one;
};

#define ITEM(f) offsetof(struct item, f)
static const struct option_def item_options[] = {
    {.name = "name",
     .type = OPT_STRING,
     .offset = ITEM(name),
     .min = 1,
     .fallback = "default"},
    {.name = "target",
     .type = OPT_ENDPOINT,
     .offset = ITEM(target),
     .values = "http=80|https=443"},
    {.name = "allow",
     .type = OPT_CIDR,
     .offset = ITEM(allow),
     .flags = OPT_LIST},
    {.name = "on", .type = OPT_BOOL, .offset = ITEM(on)},
};
static const struct option_table item_table = {
    item_options, ARRAY_SIZE(item_options), sizeof(struct item), "name=target"};

#define FIELD(f) offsetof(struct all, f)
static const struct option_def options[] = {
    {.name = "u16", .type = OPT_U16, .offset = FIELD(u16)},
    {.name = "u32", .type = OPT_U32, .offset = FIELD(u32), .max = 1000},
    {.name = "u64", .type = OPT_U64, .offset = FIELD(u64)},
    {.name = "size", .type = OPT_SIZE, .offset = FIELD(size)},
    {.name = "time", .type = OPT_DURATION, .offset = FIELD(time)},
    {.name = "on", .type = OPT_BOOL, .offset = FIELD(on)},
    {.name = "text", .type = OPT_STRING, .offset = FIELD(text)},
    {.name = "file", .type = OPT_FILE, .offset = FIELD(file)},
    {.name = "secret", .type = OPT_SECRET_FILE, .offset = FIELD(secret)},
    {.name = "choice",
     .type = OPT_ENUM,
     .offset = FIELD(choice),
     .values = "a|b|c"},
    {.name = "address",
     .type = OPT_ADDR,
     .offset = FIELD(addresses),
     .flags = OPT_LIST},
    {.name = "network",
     .type = OPT_CIDR,
     .offset = FIELD(networks),
     .flags = OPT_LIST},
    {.name = "listen",
     .type = OPT_ENDPOINT,
     .offset = FIELD(listen),
     .values = "udp|tcp",
     .flags = OPT_LIST | OPT_NUMERIC},
    {.name = "ports", .type = OPT_PORTS, .offset = FIELD(ports)},
    {.name = "item",
     .type = OPT_OBJECT,
     .offset = FIELD(items),
     .object = &item_table,
     .flags = OPT_LIST},
    {.name = "one",
     .type = OPT_OBJECT,
     .offset = FIELD(one),
     .object = &item_table},
};

static const struct config_spec spec = {
    .program = "fuzz",
    .summary = "x",
    .table = {options, ARRAY_SIZE(options), sizeof(struct all), NULL},
};

static struct config *read_text(struct span text)
{
    struct config *config = NULL;
    struct buf report;
    int err;

    buf_init(&report, 1 << 20);
    err = config_read_json(&spec, text, &report, &config);
    if (err < 0 && buf_len(&report) == 0)
        abort(); /* refused without a word */
    buf_deinit(&report);
    return config;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *config = read_text(span_of(data, size));
    struct buf first, second;

    buf_init(&first, 1 << 22);
    buf_init(&second, 1 << 22);
    if (config) {
        config_dump(config, &first);
        config_unref(config);
        config = read_text(buf_span(&first));
        if (!config)
            abort(); /* our own text is refused */
        config_dump(config, &second);
        config_unref(config);
        if (!span_equal(buf_span(&first), buf_span(&second)))
            abort();
    }
    buf_deinit(&first);
    buf_deinit(&second);
    if (mem_live_blocks())
        abort();
    return 0;
}
