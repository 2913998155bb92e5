/* SPDX-License-Identifier: MIT */
#include "web_config.h"

#include "base/mem.h"
#include "proxy/web_forward.h"
#include "proxy/web_host.h"

#define FIELD(f) offsetof(struct web_config_client, f)
static const struct option_def client_options[] = {
    {.name = "host",
     .type = OPT_STRING,
     .offset = FIELD(host),
     .min = 1,
     .max = 253,
     .flags = OPT_REQUIRED,
     .help = "name that clients ask for; *.example.com for one more label"},
    {.name = "ca-file",
     .type = OPT_FILE,
     .offset = FIELD(ca_file),
     .flags = OPT_REQUIRED,
     .help = "PEM file of the authorities that sign their certificates"},
    {.name = "crl-file",
     .type = OPT_FILE,
     .offset = FIELD(crl_file),
     .help = "PEM file of certificates these have revoked; lists that have "
             "ended refuse everybody"},
    {.name = "mode",
     .type = OPT_ENUM,
     .offset = FIELD(mode),
     .values = "required|optional",
     .fallback = "required",
     .help = "no connection without a certificate that holds, or only the "
             "routes that ask for one refuse"},
    {.name = "field",
     .type = OPT_STRING,
     .offset = FIELD(field),
     .min = 1,
     .max = 64,
     .help = "header field that tells back ends the certificate's subject; "
             "clients' own is dropped on all routes"},
};
#undef FIELD

const struct option_table web_config_clients_table = {
    client_options, ARRAY_SIZE(client_options),
    sizeof(struct web_config_client), "host=ca-file"};

static bool is_pattern(const char *text)
{
    struct span s = span_str(text);
    struct web_host host;

    if (span_starts(s, "*."))
        s = span_from(s, 2);
    return web_host_parse(s, &host) == 0 && host.port == 0 &&
           span_equal(web_host_name(&host), s);
}

static bool is_field_name(const char *text)
{
    for (const char *c = text; *c; c++) {
        if (!(*c >= 'a' && *c <= 'z') && !(*c >= 'A' && *c <= 'Z') &&
            !(*c >= '0' && *c <= '9') && *c != '-')
            return false;
    }
    return text[0] == 'X' && text[1] == '-';
}

void web_config_clients_check(struct config_build *build,
                              const struct web_config *c)
{
    char key[WEB_CONFIG_KEY_SIZE];

    for (size_t i = 0; i < c->clients.n; i++) {
        const struct web_config_client *a = &c->clients.items[i];

        web_config_key(key, "client-auth", i, "host");
        if (!is_pattern(a->host))
            config_error(build, key, "\"%s\" is not a host name in lower case",
                         a->host);
        for (size_t k = 0; k < i; k++) {
            if (strcmp(a->host, c->clients.items[k].host) == 0)
                config_error(build, key, "\"%s\" is there twice", a->host);
        }
        if (a->field && (!is_field_name(a->field) ||
                         web_forward_is_ours(span_str(a->field))))
            config_error(build, web_config_key(key, "client-auth", i, "field"),
                         "\"%s\" is not a field of its own beginning with X-",
                         a->field);
    }
}
