/* SPDX-License-Identifier: MIT */
#include "web_config.h"

#include "base/mem.h"
#include "proxy/web_errors.h"

#define FIELD(f) offsetof(struct web_config_page, f)
static const struct option_def page_options[] = {
    {.name = "status",
     .type = OPT_STRING,
     .offset = FIELD(status),
     .min = 1,
     .max = 8,
     .flags = OPT_REQUIRED,
     .help = "of which answers of ours: 503, 4xx, 5xx or all"},
    {.name = "file",
     .type = OPT_FILE,
     .offset = FIELD(file),
     .help = "HTML in UTF-8, at most 64 KiB"},
    {.name = "json-file",
     .type = OPT_FILE,
     .offset = FIELD(json_file),
     .help = "the same for clients that rather accept JSON"},
};
#undef FIELD

const struct option_table web_config_pages_table = {
    page_options, ARRAY_SIZE(page_options), sizeof(struct web_config_page),
    "status=file"};

/* ---- what the rows cannot say ---- */

void web_config_pages_check(struct config_build *build,
                            const struct web_config *c)
{
    char key[WEB_CONFIG_KEY_SIZE];
    int first, last;

    for (size_t i = 0; i < c->pages.n; i++) {
        const struct web_config_page *p = &c->pages.items[i];

        if (web_errors_parse_status(span_str(p->status), &first, &last) < 0)
            config_error(build, web_config_key(key, "error-page", i, "status"),
                         "\"%s\" is not 400 to 599, 4xx, 5xx or all",
                         p->status);
        if (!p->file && !p->json_file)
            config_error(build, web_config_key(key, "error-page", i, "file"),
                         "needs one of file and json-file");
    }
}
