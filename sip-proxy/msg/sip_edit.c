/* SPDX-License-Identifier: MIT */
#include "msg/sip_edit.h"

#include "base/err.h"
#include "base/text.h"
#include "msg/sip_build.h"
#include "msg/sip_char.h"

void sip_edit_init(struct sip_edit *edit)
{
    edit->msg = NULL;
    edit->n = 0;
    edit->err = 0;
    buf_init(&edit->text, SIP_EDIT_MAX_TEXT);
}

void sip_edit_deinit(struct sip_edit *edit)
{
    buf_deinit(&edit->text);
    edit->msg = NULL;
    edit->n = 0;
}

void sip_edit_begin(struct sip_edit *edit, const struct sip_msg *msg)
{
    edit->msg = msg;
    edit->n = 0;
    edit->err = 0;
    buf_reset(&edit->text);
}

/* --- the list of changes --- */

/* A change whose text is what is written to edit->text until change_end().
 * NULL after an error: nothing more is to be done. */
static struct sip_change *change_begin(struct sip_edit *edit, struct span at)
{
    struct span raw = edit->msg->raw;
    struct sip_change *c;

    if (edit->err < 0)
        return NULL;
    if (at.ptr < raw.ptr || at.ptr > raw.ptr + raw.len ||
        at.len > (size_t)(raw.ptr + raw.len - at.ptr)) {
        edit->err = ERR_STATE;
        return NULL;
    }
    if (edit->n == SIP_EDIT_MAX_CHANGES) {
        edit->err = ERR_LIMIT;
        return NULL;
    }
    c = &edit->changes[edit->n];
    c->at = (size_t)(at.ptr - raw.ptr);
    c->remove = at.len;
    c->text_off = buf_len(&edit->text);
    c->serial = edit->n;
    return c;
}

static void change_end(struct sip_edit *edit, struct sip_change *c)
{
    if (buf_err(&edit->text) < 0) {
        edit->err = buf_err(&edit->text);
        return;
    }
    c->text_len = buf_len(&edit->text) - c->text_off;
    edit->n++;
}

static bool is_before(const struct sip_change *a, const struct sip_change *b)
{
    if (a->at != b->at)
        return a->at < b->at;
    if ((a->remove == 0) != (b->remove == 0))
        return a->remove == 0;
    return a->serial < b->serial;
}

/* Insertion sort: a dozen changes, mostly in order already. */
static void sort_changes(struct sip_edit *edit)
{
    for (unsigned i = 1; i < edit->n; i++) {
        struct sip_change c = edit->changes[i];
        unsigned k = i;

        for (; k > 0 && is_before(&c, &edit->changes[k - 1]); k--)
            edit->changes[k] = edit->changes[k - 1];
        edit->changes[k] = c;
    }
}

int sip_edit_write(struct sip_edit *edit, struct buf *out)
{
    struct span text = buf_span(&edit->text);
    struct span raw = edit->msg->raw;
    size_t pos = 0;

    if (edit->err < 0)
        return edit->err;
    sort_changes(edit);
    for (unsigned i = 0; i < edit->n; i++) {
        const struct sip_change *c = &edit->changes[i];

        if (c->at < pos) {
            if (c->text_len == 0 && c->at + c->remove <= pos)
                continue; /* it is gone already */
            edit->err = ERR_STATE;
            return ERR_STATE;
        }
        buf_put_span(out, span_of(raw.ptr + pos, c->at - pos));
        buf_put_span(out, span_head(span_from(text, c->text_off), c->text_len));
        pos = c->at + c->remove;
    }
    buf_put_span(out, span_from(raw, pos));
    return buf_err(out);
}

size_t sip_edit_size(const struct sip_edit *edit)
{
    size_t size = edit->msg->raw.len;

    for (unsigned i = 0; i < edit->n; i++)
        size = size + edit->changes[i].text_len - edit->changes[i].remove;
    return size;
}

/* --- primitives --- */

void sip_edit_replace(struct sip_edit *edit, struct span at, struct span text)
{
    struct sip_change *c = change_begin(edit, at);

    if (!c)
        return;
    buf_put_span(&edit->text, text);
    change_end(edit, c);
}

void sip_edit_remove(struct sip_edit *edit, struct span at)
{
    sip_edit_replace(edit, at, span_of(NULL, 0));
}

void sip_edit_insert_before(struct sip_edit *edit, struct span at,
                            struct span text)
{
    sip_edit_replace(edit, span_head(at, 0), text);
}

void sip_edit_insert_after(struct sip_edit *edit, struct span at,
                           struct span text)
{
    sip_edit_replace(edit, span_from(at, at.len), text);
}

/* --- header fields --- */

/* Replace `at` by one header line. */
static void put_line(struct sip_edit *edit, struct span at, const char *name,
                     struct span value)
{
    struct sip_change *c = change_begin(edit, at);

    if (!c)
        return;
    buf_put_str(&edit->text, name);
    buf_put_str(&edit->text, ": ");
    buf_put_span(&edit->text, value);
    buf_put_str(&edit->text, "\r\n");
    change_end(edit, c);
}

/* The place of the empty line. */
static struct span headers_end(const struct sip_edit *edit)
{
    return span_head(span_from(edit->msg->raw, edit->msg->hdrs_end), 0);
}

void sip_edit_remove_all(struct sip_edit *edit, enum sip_hdr_id id)
{
    const struct sip_hdr *hdr = sip_msg_find(edit->msg, id);

    for (; hdr; hdr = sip_msg_next(edit->msg, hdr))
        sip_edit_remove(edit, hdr->line);
}

void sip_edit_remove_name(struct sip_edit *edit, struct span name)
{
    enum sip_hdr_id id = sip_hdr_lookup(name);

    if (id != SIP_HDR_OTHER) {
        sip_edit_remove_all(edit, id);
        return;
    }
    for (unsigned i = 0; i < edit->msg->n_hdrs; i++) {
        if (span_equal_nocase(edit->msg->hdrs[i].name, name))
            sip_edit_remove(edit, edit->msg->hdrs[i].line);
    }
}

/* Where a field of that name goes that is not there yet: routing fields
 * below the Vias, where people look for them, others at the end. */
static struct span place_of_new(const struct sip_edit *edit, enum sip_hdr_id id)
{
    const struct sip_hdr *hdr = sip_msg_find(edit->msg, SIP_HDR_VIA);
    const struct sip_hdr *last = NULL;

    if (id == SIP_HDR_VIA)
        return span_from(edit->msg->start, edit->msg->start.len);
    if (id != SIP_HDR_ROUTE && id != SIP_HDR_RECORD_ROUTE && id != SIP_HDR_PATH)
        return headers_end(edit);
    for (; hdr; hdr = sip_msg_next(edit->msg, hdr))
        last = hdr;
    return last ? span_from(last->line, last->line.len)
                : span_from(edit->msg->start, edit->msg->start.len);
}

void sip_edit_push(struct sip_edit *edit, enum sip_hdr_id id, struct span value)
{
    const struct sip_hdr *hdr = sip_msg_find(edit->msg, id);

    put_line(edit, hdr ? span_head(hdr->line, 0) : place_of_new(edit, id),
             sip_hdr_name(id), value);
}

void sip_edit_add(struct sip_edit *edit, const char *name, struct span value)
{
    put_line(edit, headers_end(edit), name, value);
}

void sip_edit_set(struct sip_edit *edit, enum sip_hdr_id id, struct span value)
{
    const struct sip_hdr *hdr = sip_msg_find(edit->msg, id);

    put_line(edit, hdr ? hdr->line : place_of_new(edit, id), sip_hdr_name(id),
             value);
    if (!hdr)
        return;
    while ((hdr = sip_msg_next(edit->msg, hdr)) != NULL)
        sip_edit_remove(edit, hdr->line);
}

/* From `start` to `end`, both inside the message. */
static struct span between(const uint8_t *start, const uint8_t *end)
{
    return span_of(start, (size_t)(end - start));
}

void sip_edit_pop(struct sip_edit *edit, enum sip_hdr_id id, unsigned n)
{
    const struct sip_hdr *hdr = sip_msg_find(edit->msg, id);
    struct span rest;
    struct span item;

    for (; hdr && n > 0; hdr = sip_msg_next(edit->msg, hdr)) {
        rest = hdr->value;
        while (n > 0 && sip_list_next(&rest, &item))
            n--;
        if (n == 0 && sip_list_next(&rest, &item)) {
            /* `item` is the first value that stays. */
            sip_edit_remove(edit, between(hdr->value.ptr, item.ptr));
            return;
        }
        sip_edit_remove(edit, hdr->line);
    }
}

static bool is_blank_list(struct span s)
{
    struct span item;

    return !sip_list_next(&s, &item);
}

void sip_edit_remove_value(struct sip_edit *edit, const struct sip_values *at)
{
    const uint8_t *end = at->item.ptr + at->item.len;
    const uint8_t *start = at->item.ptr;
    struct span rest = at->rest;
    struct span item;

    if (sip_list_next(&rest, &item)) {
        sip_edit_remove(edit, between(start, item.ptr));
        return;
    }
    if (is_blank_list(between(at->hdr->value.ptr, start))) {
        sip_edit_remove(edit, at->hdr->line);
        return;
    }
    while (start[-1] == ',' || sip_char_is(start[-1], SIP_CHAR_SPACE))
        start--;
    sip_edit_remove(edit, between(start, end));
}

/* --- what a proxy does --- */

void sip_edit_via_source(struct sip_edit *edit, const struct addr *source,
                         bool force_rport)
{
    struct sip_change *c = change_begin(edit, edit->msg->via.text);

    if (!c)
        return;
    sip_via_put(&edit->text, &edit->msg->via, source, force_rport);
    change_end(edit, c);
}

void sip_edit_push_via(struct sip_edit *edit, enum sip_transport transport,
                       struct span sent_by, struct span branch,
                       struct span params)
{
    const struct sip_hdr *hdr = sip_msg_find(edit->msg, SIP_HDR_VIA);
    struct sip_change *c;

    c = change_begin(edit, hdr ? span_head(hdr->line, 0)
                               : place_of_new(edit, SIP_HDR_VIA));
    if (!c)
        return;
    buf_put_str(&edit->text, "Via: SIP/2.0/");
    buf_put_str(&edit->text, sip_transport_str(transport));
    buf_put_byte(&edit->text, ' ');
    buf_put_span(&edit->text, sent_by);
    buf_put_str(&edit->text, ";branch=");
    buf_put_span(&edit->text, branch);
    if (params.len > 0) {
        buf_put_byte(&edit->text, ';');
        buf_put_span(&edit->text, params);
    }
    buf_put_str(&edit->text, "\r\n");
    change_end(edit, c);
}

void sip_edit_set_uri(struct sip_edit *edit, struct span uri)
{
    sip_edit_replace(edit, edit->msg->uri_text, uri);
}

void sip_edit_set_max_forwards(struct sip_edit *edit, uint32_t value)
{
    const struct sip_hdr *hdr = sip_msg_find(edit->msg, SIP_HDR_MAX_FORWARDS);
    uint8_t text[TEXT_DECIMAL_SIZE];

    if (hdr && hdr->value.len > 0)
        sip_edit_replace(edit, hdr->value, text_decimal(value, text));
    else
        sip_edit_set(edit, SIP_HDR_MAX_FORWARDS, text_decimal(value, text));
}

void sip_edit_add_option(struct sip_edit *edit, enum sip_hdr_id id,
                         const char *tag)
{
    if (!sip_msg_has_option(edit->msg, id, tag))
        sip_edit_add(edit, sip_hdr_name(id), span_str(tag));
}

void sip_edit_ensure_content_length(struct sip_edit *edit)
{
    struct span value = sip_msg_value(edit->msg, SIP_HDR_CONTENT_LENGTH);
    uint8_t digits[TEXT_DECIMAL_SIZE];
    struct span text = text_decimal(edit->msg->body.len, digits);

    if (!span_equal(value, text))
        sip_edit_set(edit, SIP_HDR_CONTENT_LENGTH, text);
}
