/* SPDX-License-Identifier: MIT */
#include "web_config.h"

#include "base/mem.h"
#include "proxy/web_egress.h"

#define FIELD(f) offsetof(struct web_config_egress, f)
static const struct option_def egress_options[] = {
    {.name = "to",
     .type = OPT_STRING,
     .offset = FIELD(to),
     .min = 3,
     .max = 260,
     .flags = OPT_REQUIRED,
     .help = "host:port as clients write it; *.example.com:443 for one more "
             "label"},
    {.name = "nets",
     .type = OPT_CIDR,
     .offset = FIELD(nets),
     .flags = OPT_LIST,
     .help = "its address has to be in one of these; never in a private or "
             "special network, whatever is written here"},
};
#undef FIELD

const struct option_table web_config_egress_table = {
    egress_options, ARRAY_SIZE(egress_options),
    sizeof(struct web_config_egress), "to"};

static bool has_listener(const struct web_config *c)
{
    for (size_t i = 0; i < c->listen.n; i++) {
        if (c->listen.items[i].transport == WEB_LISTEN_CONNECT)
            return true;
    }
    return false;
}

void web_config_egress_check(struct config_build *build,
                             const struct web_config *c)
{
    char key[WEB_CONFIG_KEY_SIZE];
    bool open = has_listener(c);

    if (open && c->egress_limits.from.n == 0)
        config_error(build, "egress-from",
                     "needed for a listener connect: who may use it");
    if (open && c->egress.n == 0)
        config_error(build, "egress",
                     "needed for a listener connect: where it leads");
    if (!open && c->egress.n > 0)
        config_error(build, "egress", "there is no listener connect:");
    for (size_t i = 0; i < c->egress.n; i++) {
        struct web_egress_rule rule;

        if (web_egress_parse(span_str(c->egress.items[i].to), &rule) < 0)
            config_error(build, web_config_key(key, "egress", i, "to"),
                         "\"%s\" is not host:port", c->egress.items[i].to);
    }
}
