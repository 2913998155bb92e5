/* SPDX-License-Identifier: MIT */
#include "app/admin_internal.h"
#include "app/page/page_files.h"

/* The page of common/app/page. It needs nothing but these files and
 * /page.json, all from here, as the Content-Security-Policy demands. */

static const struct {
    const char *path;
    const char *type;
    const unsigned char *bytes;
    const size_t *len;
} files[] = {
    {"/", "text/html; charset=utf-8", page_html, &page_html_len},
    {"/page.css", "text/css; charset=utf-8", page_css, &page_css_len},
    {"/page.js", "text/javascript; charset=utf-8", page_js, &page_js_len},
    {"/figures.js", "text/javascript; charset=utf-8", figures_js,
     &figures_js_len},
    {"/page.svg", "image/svg+xml", page_svg, &page_svg_len},
};

bool admin_page(struct span path, struct buf *body, const char **ret_type)
{
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        if (!span_is(path, files[i].path))
            continue;
        buf_put_span(body, span_of(files[i].bytes, *files[i].len));
        *ret_type = files[i].type;
        return true;
    }
    return false;
}
