/* SPDX-License-Identifier: MIT */
#include "proxy/web_edit.h"

#include "base/err.h"

/* Framing, connection, and what we say ourselves. */
static bool is_ours(enum http_field field)
{
    return field == HTTP_FIELD_CONTENT_LENGTH ||
           field == HTTP_FIELD_SEC_WEBSOCKET_ACCEPT ||
           field == HTTP_FIELD_DATE ||
           (field != HTTP_FIELD_OTHER && http_field_is_hop(field));
}

static bool is_value(struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        if ((value.ptr[i] < ' ' && value.ptr[i] != '\t') ||
            value.ptr[i] == 0x7f)
            return false;
    }
    return value.len > 0;
}

int web_edit_parse(struct span text, struct web_edit *ret_edit)
{
    struct web_edit edit = {.kind = WEB_EDIT_SET};
    struct span value = span_of(NULL, 0);

    if (span_starts(text, "-") || span_starts(text, "+")) {
        edit.kind = text.ptr[0] == '-' ? WEB_EDIT_REMOVE : WEB_EDIT_ADD;
        text = span_from(text, 1);
    }
    if (span_cut(text, ':', &text, &value) == (edit.kind == WEB_EDIT_REMOVE))
        return ERR_PARSE;
    value = span_trim(value);
    if (!http_is_token(text) ||
        (edit.kind != WEB_EDIT_REMOVE && !is_value(value)))
        return ERR_PARSE;
    edit.name = text;
    edit.value = value;
    edit.field = http_field_of(text);
    if (is_ours(edit.field))
        return ERR_DENIED;
    *ret_edit = edit;
    return 0;
}

bool web_edit_replaces(const struct web_edit *edit,
                       const struct web_edit *other)
{
    return edit->kind != WEB_EDIT_ADD &&
           span_equal_nocase(edit->name, other->name);
}

bool web_edits_drop(const struct web_edits *edits, struct span name)
{
    for (size_t i = 0; i < edits->n; i++) {
        if (edits->items[i].kind != WEB_EDIT_ADD &&
            span_equal_nocase(edits->items[i].name, name))
            return true;
    }
    return false;
}

bool web_edits_say(const struct web_edits *edits, enum http_field field)
{
    for (size_t i = 0; i < edits->n; i++) {
        if (edits->items[i].kind != WEB_EDIT_REMOVE &&
            edits->items[i].field == field)
            return true;
    }
    return false;
}

bool web_edit_is_said(const struct web_edit *edit, bool secure)
{
    return edit->kind != WEB_EDIT_REMOVE &&
           (secure || edit->field != HTTP_FIELD_STRICT_TRANSPORT_SECURITY);
}

void web_edits_put(struct buf *out, const struct web_edits *edits, bool secure)
{
    for (size_t i = 0; i < edits->n; i++) {
        if (!web_edit_is_said(&edits->items[i], secure))
            continue;
        buf_put_span(out, edits->items[i].name);
        buf_put_str(out, ": ");
        buf_put_span(out, edits->items[i].value);
        buf_put_str(out, "\r\n");
    }
}
