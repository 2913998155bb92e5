/* SPDX-License-Identifier: MIT */
/* web_config_clients.h - the settings of hosts whose clients show
 * certificates. */
#ifndef WEB_CONFIG_CLIENTS_H
#define WEB_CONFIG_CLIENTS_H

#include "app/config.h"

struct web_config_client {
    const char *host;
    const char *ca_file;
    const char *crl_file;
    int mode; /* 0: required, 1: optional */
    const char *field;
};

struct web_config;

extern const struct option_table web_config_clients_table;

/* What the rows of the settings cannot say. */
void web_config_clients_check(struct config_build *build,
                              const struct web_config *c);

#endif /* WEB_CONFIG_CLIENTS_H */
