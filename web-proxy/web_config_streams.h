/* SPDX-License-Identifier: MIT */
/* web_config_streams.h - the settings of stream routes. */
#ifndef WEB_CONFIG_STREAMS_H
#define WEB_CONFIG_STREAMS_H

#include "app/config.h"

struct web_config_stream {
    const char *name;
    const char *upstream;
    uint16_t port;
    struct string_list server_names;
    struct string_list alpn;
    bool nameless;
    int plain; /* 0: none, then enum first_kind from FIRST_STUN on */
    bool send_proxy;
    uint32_t connections;
    uint32_t connections_per_address;
    uint64_t idle_timeout;
};

struct web_config;

extern const struct option_table web_config_streams_table;

/* What the rows of the settings cannot say. */
void web_config_streams_check(struct config_build *build,
                              const struct web_config *c);

#endif /* WEB_CONFIG_STREAMS_H */
