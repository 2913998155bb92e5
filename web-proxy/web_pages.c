/* SPDX-License-Identifier: MIT */
#include "web_pages.h"

#include "base/err.h"
#include "base/mem.h"
#include "web_config_file.h"

#include <errno.h>

struct web_pages {
    struct buf *texts; /* two for each page: HTML, JSON */
    size_t n_texts;
    struct web_error_page *pages;
    size_t n;
};

static int load(struct web_pages *p, const char *path, struct buf *error,
                struct span *ret_content)
{
    struct buf *text = &p->texts[p->n_texts++];
    int err;

    buf_init(text, WEB_ERROR_PAGE_MAX);
    if (!path)
        return 0;
    err = web_config_read_file(path, text);
    if (err < 0) {
        buf_printf(error, "error-page: %s: %s\n", err_str(err), path);
        return err == -ENOMEM ? err : ERR_CONFIG;
    }
    *ret_content = buf_span(text);
    return 0;
}

static int load_all(struct web_pages *p, const struct web_config *c,
                    struct buf *error)
{
    for (size_t i = 0; i < c->pages.n; i++) {
        const struct web_config_page *from = &c->pages.items[i];
        struct web_error_page *page = &p->pages[i];
        int err = load(p, from->file, error, &page->html);

        if (err == 0)
            err = load(p, from->json_file, error, &page->json);
        if (err < 0)
            return err;
        /* Checked with the settings. */
        (void)web_errors_parse_status(span_str(from->status), &page->first,
                                      &page->last);
        p->n++;
    }
    return 0;
}

int web_pages_new(struct web_pages **ret_pages, const struct web_config *c,
                  struct buf *error)
{
    struct web_pages *p = mem_zalloc(sizeof(*p));
    int err = -ENOMEM;

    if (!p)
        return err;
    p->texts = mem_zarray(2 * c->pages.n + 1, sizeof(*p->texts));
    p->pages = mem_zarray(c->pages.n + 1, sizeof(*p->pages));
    if (p->texts && p->pages)
        err = load_all(p, c, error);
    if (err < 0) {
        web_pages_free(p);
        return err;
    }
    *ret_pages = p;
    return 0;
}

void web_pages_free(struct web_pages *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_texts; i++)
        buf_deinit(&p->texts[i]);
    mem_free(p->texts);
    mem_free(p->pages);
    mem_free(p);
}

struct web_errors web_pages_errors(const struct web_pages *p)
{
    return (struct web_errors){p->pages, p->n};
}
