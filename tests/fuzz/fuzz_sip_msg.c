/* SPDX-License-Identifier: MIT */
/* Any bytes as a message: what parses is indexed inside its own bytes, comes
 * out of an empty edit unchanged, and after the edits of a proxy is one
 * message again with the same body. The first byte picks the framing.
 */
#include "msg/sip_build.h"
#include "msg/sip_edit.h"

#include <stdlib.h>

#define CHECK(x)                                                               \
    do {                                                                       \
        if (!(x))                                                              \
            abort();                                                           \
    } while (0)

static struct sip_msg msg;
static struct sip_msg again;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(struct span s)
{
    return s.len == 0 ||
           (s.ptr >= msg.raw.ptr && s.ptr + s.len <= msg.raw.ptr + msg.raw.len);
}

static void check_index(void)
{
    struct span pos = span_from(msg.raw, msg.start.len);
    struct sip_values v;

    CHECK(msg.start.ptr == msg.raw.ptr);
    for (unsigned i = 0; i < msg.n_hdrs; i++) {
        const struct sip_hdr *hdr = &msg.hdrs[i];

        /* The lines follow each other without a gap. */
        CHECK(hdr->line.ptr == pos.ptr);
        pos = span_from(pos, hdr->line.len);
        CHECK(hdr->name.ptr == hdr->line.ptr);
        CHECK(is_inside(hdr->value) && is_inside(hdr->line));
        CHECK(sip_hdr_lookup(hdr->name) == hdr->id);
    }
    CHECK(pos.ptr == msg.raw.ptr + msg.hdrs_end);
    CHECK(is_inside(msg.body) && is_inside(msg.uri_text));
    CHECK(is_inside(msg.via.text) && is_inside(msg.via.branch));
    CHECK(is_inside(msg.from.uri) && is_inside(msg.to.tag));
    for (int id = SIP_HDR_OTHER + 1; id < SIP_HDR_COUNT; id++) {
        v = sip_values_of(&msg, (enum sip_hdr_id)id);
        while (sip_values_next(&v))
            CHECK(is_inside(v.item) && v.item.len > 0);
    }
}

static void check_copy(struct sip_edit *edit, struct buf *out)
{
    sip_edit_begin(edit, &msg);
    CHECK(sip_edit_write(edit, out) == 0);
    CHECK(span_equal(buf_span(out), msg.raw));
    buf_reset(out);
}

static void check_forward(struct sip_edit *edit, struct buf *out)
{
    struct addr source = addr_v4(0xC0000201, 4711);
    unsigned vias = msg.n_vias;

    sip_edit_begin(edit, &msg);
    if (msg.is_request) {
        sip_edit_via_source(edit, &source, true);
        sip_edit_push_via(edit, SIP_UDP, span_str("10.0.0.1"),
                          span_str("z9hG4bKx"), span_str(""));
        sip_edit_push(edit, SIP_HDR_RECORD_ROUTE, span_str("<sip:x;lr>"));
        sip_edit_pop(edit, SIP_HDR_ROUTE, 1);
        sip_edit_set_max_forwards(edit, 9);
        sip_edit_set_uri(edit, span_str("sip:x@y"));
        sip_edit_add_option(edit, SIP_HDR_SUPPORTED, "path");
        vias++;
    } else {
        sip_edit_pop(edit, SIP_HDR_VIA, 1);
        sip_edit_push_via(edit, SIP_UDP, span_str("10.0.0.1"),
                          span_str("z9hG4bKx"), span_str(""));
    }
    sip_edit_remove_name(edit, span_str("X-Secret"));
    sip_edit_ensure_content_length(edit);
    CHECK(sip_edit_write(edit, out) == 0);
    CHECK(sip_msg_parse(&again, buf_span(out), SIP_FRAMING_STREAM,
                        &sip_limits_own) == 0);
    CHECK(again.raw.len == buf_len(out));
    CHECK(span_equal(again.body, msg.body));
    CHECK(again.n_vias == vias);
    CHECK(!sip_msg_find_name(&again, "x-secret"));
    buf_reset(out);
}

static void check_response(struct buf *out, bool is_whole)
{
    struct addr source = addr_v4(0xC0000201, 4711);
    struct sip_reply reply = {
        .status = 400,
        .to_tag = span_str("tag"),
        .source = &source,
    };

    CHECK(sip_build_response(out, &msg, &reply) == 0);
    if (is_whole) {
        CHECK(sip_msg_parse(&again, buf_span(out), SIP_FRAMING_STREAM,
                            &sip_limits_own) == 0);
        CHECK(again.to.tag.len > 0);
    }
    buf_reset(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum sip_framing framing;
    struct sip_edit edit;
    struct buf out;
    int err;

    if (size == 0)
        return 0;
    framing = (enum sip_framing)(data[0] % 3);
    sip_edit_init(&edit);
    buf_init(&out, 1 << 20);
    err = sip_msg_parse(&msg, span_of(data + 1, size - 1), framing,
                        &sip_limits_default);
    CHECK((err == 0) == (msg.fault == SIP_FAULT_NONE));
    if (err == 0) {
        check_index();
        check_copy(&edit, &out);
        check_forward(&edit, &out);
        if (msg.is_request)
            check_response(&out, true);
    } else if (sip_msg_is_answerable(&msg)) {
        check_response(&out, false);
    }
    sip_edit_deinit(&edit);
    buf_deinit(&out);
    return 0;
}
