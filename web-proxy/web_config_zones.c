/* SPDX-License-Identifier: MIT */
#include "web_config.h"

#include "base/mem.h"

#define FIELD(f) offsetof(struct web_config_zone, f)
static const struct option_def zone_options[] = {
    {.name = "name",
     .type = OPT_STRING,
     .offset = FIELD(name),
     .min = 1,
     .max = 64,
     .flags = OPT_REQUIRED,
     .help = "what routes call it"},
    {.name = "rate",
     .type = OPT_STRING,
     .offset = FIELD(rate),
     .min = 4,
     .max = 32,
     .flags = OPT_REQUIRED,
     .help = "requests of one client: 30r/s, 20r/m"},
    {.name = "clients",
     .type = OPT_U32,
     .offset = FIELD(clients),
     .min = 16,
     .max = 10000000,
     .fallback = "20000",
     .help = "clients remembered; the one not seen for longest is forgotten"},
};
#undef FIELD

const struct option_table web_config_zones_table = {
    zone_options, ARRAY_SIZE(zone_options), sizeof(struct web_config_zone),
    "name=rate"};

/* ---- what the rows cannot say ---- */

bool web_config_has_zone(const struct web_config *c, const char *name)
{
    for (size_t i = 0; i < c->zones.n; i++) {
        if (strcmp(c->zones.items[i].name, name) == 0)
            return true;
    }
    return false;
}

void web_config_zones_check(struct config_build *build,
                            const struct web_config *c)
{
    char key[WEB_CONFIG_KEY_SIZE];
    uint32_t rate;

    for (size_t i = 0; i < c->zones.n; i++) {
        const struct web_config_zone *z = &c->zones.items[i];

        for (size_t k = 0; k < i; k++) {
            if (strcmp(z->name, c->zones.items[k].name) == 0)
                config_error(build, web_config_key(key, "zone", i, "name"),
                             "\"%s\" is there twice", z->name);
        }
        if (web_zone_parse_rate(span_str(z->rate), &rate) < 0)
            config_error(build, web_config_key(key, "zone", i, "rate"),
                         "\"%s\" is not like 30r/s or 20r/m", z->rate);
    }
}
