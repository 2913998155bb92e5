/* SPDX-License-Identifier: MIT */
#include "proxy/web_shown.h"

enum {
    TEXT_MAX = 256 * 1024,
    GROWTH_MAX = 1024, /* of a value: our host and a prefix */
};

void web_shown_init(struct web_shown *shown)
{
    buf_init(&shown->text, TEXT_MAX);
}

void web_shown_deinit(struct web_shown *shown)
{
    buf_deinit(&shown->text);
}

static bool has_address(const struct http_header *h)
{
    return h->field == HTTP_FIELD_LOCATION ||
           h->field == HTTP_FIELD_SET_COOKIE ||
           (h->field == HTTP_FIELD_OTHER &&
            span_is_nocase(h->name, "content-location"));
}

/* How much room the values that may change need at most; 0: none does. */
static size_t room_for(const struct http_msg *msg)
{
    size_t room = 0;

    for (size_t i = 0; i < msg->headers_n; i++) {
        if (has_address(&msg->headers[i]))
            room += 2 * msg->headers[i].value.len + GROWTH_MAX;
    }
    return room;
}

static void put_right(struct web_shown *shown, const struct web_url_view *view,
                      struct http_header *h)
{
    size_t before = buf_len(&shown->text);
    bool changed = h->field == HTTP_FIELD_SET_COOKIE
                       ? web_url_cookie(&shown->text, view, h->value)
                       : web_url_location(&shown->text, view, h->value);

    if (!changed)
        return;
    h->value = span_from(buf_span(&shown->text), before);
    shown->extra += h->name.len + h->value.len + 4;
}

static bool add(struct web_shown *shown, const struct http_header *h)
{
    if (shown->msg.headers_n == WEB_SHOWN_FIELDS)
        return false;
    shown->headers[shown->msg.headers_n++] = *h;
    return true;
}

static bool add_edits(struct web_shown *shown, const struct web_url_view *view)
{
    const struct web_edits *edits = &view->route->edits;

    for (size_t i = 0; i < edits->n; i++) {
        const struct web_edit *e = &edits->items[i];
        struct http_header h = {e->name, e->value, e->field};

        if (!web_edit_is_said(e, view->secure))
            continue;
        if (!add(shown, &h))
            return false;
        shown->extra += h.name.len + h.value.len + 4;
    }
    return true;
}

const struct http_msg *web_shown_make(struct web_shown *shown,
                                      const struct http_msg *msg,
                                      const struct web_url_view *view)
{
    const struct web_edits *edits = &view->route->edits;
    size_t room = view->route->put_right ? room_for(msg) : 0;

    shown->extra = 0;
    if (edits->n == 0 && room == 0)
        return msg;
    shown->msg = *msg;
    shown->msg.headers = shown->headers;
    shown->msg.headers_n = 0;
    buf_reset(&shown->text);
    /* At once, so that views of it stay where they are. */
    if (room > 0 && !buf_reserve(&shown->text, room))
        return NULL;
    for (size_t i = 0; i < msg->headers_n; i++) {
        struct http_header h = msg->headers[i];

        if (web_edits_drop(edits, h.name))
            continue;
        if (room > 0 && has_address(&h))
            put_right(shown, view, &h);
        if (!add(shown, &h))
            return NULL;
    }
    if (!add_edits(shown, view) || buf_err(&shown->text) < 0)
        return NULL;
    return &shown->msg;
}
