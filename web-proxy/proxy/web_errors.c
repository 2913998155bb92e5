/* SPDX-License-Identifier: MIT */
#include "proxy/web_errors.h"

#include "base/err.h"
#include "http/http_head.h"

#include <stdio.h>

int web_errors_parse_status(struct span text, int *ret_first, int *ret_last)
{
    uint32_t status;

    if (span_is(text, "all")) {
        *ret_first = 400;
        *ret_last = 599;
        return 0;
    }
    if (span_is(text, "4xx") || span_is(text, "5xx")) {
        *ret_first = (text.ptr[0] - '0') * 100;
        *ret_last = *ret_first + 99;
        return 0;
    }
    if (span_to_u32(text, 599, &status) < 0 || status < 400)
        return ERR_PARSE;
    *ret_first = *ret_last = (int)status;
    return 0;
}

/* "0.7" as 700; 1000 when it is not a weight (RFC 9110 12.4.2). */
static unsigned weight_of(struct span parameters)
{
    struct span part;

    while (span_next(&parameters, ';', &part)) {
        unsigned value = 0, digit = 100;

        part = span_trim(part);
        if (!span_starts_nocase(part, "q=") || part.len < 3)
            continue;
        if (part.ptr[2] != '0')
            return 1000;
        for (size_t i = 4; i < part.len && i < 7; i++, digit /= 10) {
            if (part.ptr[i] < '0' || part.ptr[i] > '9')
                break;
            value += (unsigned)(part.ptr[i] - '0') * digit;
        }
        return value;
    }
    return 1000;
}

/* How precisely a range of media types names `type`: 0 not at all. */
static int precision_of(struct span range, const char *type, const char *group)
{
    if (span_is_nocase(range, type))
        return 3;
    if (span_is_nocase(range, group))
        return 2;
    return span_is(range, "*/*") ? 1 : 0;
}

struct preference {
    int precision;
    unsigned weight;
};

static void prefer(struct preference *p, int precision, unsigned weight)
{
    if (precision > p->precision) {
        p->precision = precision;
        p->weight = weight;
    }
}

/* Most clients do not speak of it. */
static bool may_want_json(const struct http_msg *msg)
{
    for (size_t i = 0; i < msg->headers_n; i++) {
        if (msg->headers[i].field == HTTP_FIELD_ACCEPT &&
            (span_search(msg->headers[i].value, span_str("json")) >= 0 ||
             span_search(msg->headers[i].value, span_str("JSON")) >= 0 ||
             span_search(msg->headers[i].value, span_str("n/*")) >= 0))
            return true;
    }
    return false;
}

bool web_errors_wants_json(const struct http_msg *msg)
{
    struct preference html = {0}, json = {0};

    if (!may_want_json(msg))
        return false;

    for (size_t i = 0; i < msg->headers_n; i++) {
        struct span list = msg->headers[i].value;
        struct span item, parameters;

        if (msg->headers[i].field != HTTP_FIELD_ACCEPT)
            continue;
        while (http_list_next(&list, &item)) {
            struct span range = item;
            unsigned weight = 1000;

            if (span_cut(item, ';', &range, &parameters))
                weight = weight_of(parameters);
            range = span_trim(range);
            prefer(&html, precision_of(range, "text/html", "text/*"), weight);
            prefer(&json,
                   precision_of(range, "application/json", "application/*"),
                   weight);
        }
    }
    return json.weight > html.weight;
}

struct span web_errors_content(const struct web_errors *errors, int status,
                               bool json, char text[WEB_ERROR_TEXT_SIZE])
{
    const char *reason = http_status_text(status);
    int len;

    for (size_t i = 0; errors && i < errors->n; i++) {
        const struct web_error_page *page = &errors->pages[i];
        struct span content = json ? page->json : page->html;

        if (status >= page->first && status <= page->last && content.len > 0)
            return content;
    }
    if (json)
        len = snprintf(text, WEB_ERROR_TEXT_SIZE,
                       "{\"status\":%d,\"error\":\"%s\"}\n", status, reason);
    else
        len = snprintf(text, WEB_ERROR_TEXT_SIZE,
                       "<!DOCTYPE html><html lang=\"en\"><title>%d %s</title>"
                       "<h1>%d %s</h1></html>\n",
                       status, reason, status, reason);
    return span_of(text, (size_t)len);
}
