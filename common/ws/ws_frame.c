/* SPDX-License-Identifier: MIT */
#include "ws/ws_frame.h"

#include "base/err.h"
#include "base/text.h"

#include <assert.h>

enum {
    BIT_FIN = 0x80,
    BITS_RSV = 0x70,
    BITS_OPCODE = 0x0F,
    BIT_MASK = 0x80,
    BITS_LEN = 0x7F,
    LEN_16 = 126,
    LEN_64 = 127,
};

static bool is_control(unsigned opcode)
{
    return (opcode & 0x8) != 0;
}

static bool is_known(unsigned opcode)
{
    return opcode <= WS_BINARY || (opcode >= WS_CLOSE && opcode <= WS_PONG);
}

void ws_reader_init(struct ws_reader *reader, enum ws_role role,
                    size_t max_message)
{
    *reader = (struct ws_reader){.role = role};
    buf_init(&reader->message, max_message);
}

void ws_reader_deinit(struct ws_reader *reader)
{
    buf_deinit(&reader->message);
}

uint16_t ws_reader_close_code(const struct ws_reader *reader)
{
    return reader->close_code;
}

bool ws_reader_is_inside(const struct ws_reader *reader)
{
    return reader->header_len > 0 || reader->in_payload ||
           reader->data_opcode != 0;
}

size_t ws_reader_pending(const struct ws_reader *reader)
{
    return reader->delivered ? 0 : buf_len(&reader->message);
}

static int fail(struct ws_reader *reader, int err, uint16_t close_code)
{
    reader->ended = 1;
    reader->close_code = close_code;
    buf_deinit(&reader->message);
    return err;
}

static int fail_protocol(struct ws_reader *reader)
{
    return fail(reader, ERR_PARSE, WS_CLOSE_PROTOCOL);
}

/* How long the header is, known from its first two bytes. */
static size_t header_size(const uint8_t *header)
{
    size_t size = 2;

    if ((header[1] & BITS_LEN) == LEN_16)
        size += 2;
    else if ((header[1] & BITS_LEN) == LEN_64)
        size += 8;
    return header[1] & BIT_MASK ? size + 4 : size;
}

/* RFC 6455 5.2: the shortest form must be used, the top bit must be 0. */
static bool read_length(const uint8_t *header, uint64_t *ret_len)
{
    unsigned short_len = header[1] & BITS_LEN;
    uint64_t len = 0;

    if (short_len < LEN_16) {
        *ret_len = short_len;
        return true;
    }
    for (unsigned i = 0; i < (short_len == LEN_16 ? 2u : 8u); i++)
        len = len << 8 | header[2 + i];
    *ret_len = len;
    return short_len == LEN_16 ? len >= LEN_16 : len > 0xFFFF && !(len >> 63);
}

static bool first_bytes_are_valid(const struct ws_reader *reader)
{
    unsigned opcode = reader->header[0] & BITS_OPCODE;
    bool fin = (reader->header[0] & BIT_FIN) != 0;
    bool masked = (reader->header[1] & BIT_MASK) != 0;

    if ((reader->header[0] & BITS_RSV) || !is_known(opcode))
        return false;
    if (masked != (reader->role == WS_SERVER)) /* RFC 6455 5.1 */
        return false;
    if (is_control(opcode)) /* RFC 6455 5.5 */
        return fin && (reader->header[1] & BITS_LEN) <= WS_CONTROL_MAX;
    /* RFC 6455 5.4: a message at a time */
    return (opcode == WS_CONTINUATION) == (reader->data_opcode != 0);
}

/* Take header bytes. 1 when the header is whole, 0 when bytes are missing. */
static int read_header(struct ws_reader *reader, uint8_t **data, size_t *len)
{
    size_t size = reader->header_len < 2 ? 2 : header_size(reader->header);

    while (reader->header_len < size) {
        if (*len == 0)
            return 0;
        reader->header[reader->header_len++] = **data;
        (*data)++;
        (*len)--;
        if (reader->header_len < 2)
            continue;
        if (reader->header_len == 2 && !first_bytes_are_valid(reader))
            return fail_protocol(reader);
        size = header_size(reader->header);
    }
    return 1;
}

static int begin_frame(struct ws_reader *reader)
{
    uint64_t len;

    if (!read_length(reader->header, &len))
        return fail_protocol(reader);

    reader->opcode = reader->header[0] & BITS_OPCODE;
    reader->fin = (reader->header[0] & BIT_FIN) != 0;
    reader->frame_len = len;
    reader->frame_done = 0;
    reader->in_payload = 1;
    if (reader->role == WS_SERVER)
        memcpy(reader->mask, reader->header + reader->header_len - 4, 4);
    reader->header_len = 0;

    if (is_control(reader->opcode)) {
        reader->control_len = 0;
        return 0;
    }
    if (len > buf_room(&reader->message))
        return fail(reader, ERR_LIMIT, WS_CLOSE_TOO_BIG);
    if (reader->opcode != WS_CONTINUATION)
        reader->data_opcode = reader->opcode;
    return 0;
}

bool ws_close_code_is_valid(uint16_t code)
{
    if (code >= 3000 && code <= 4999)
        return true;
    /* 1004 is reserved, 1005, 1006 and 1015 never stand in a frame. */
    return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 &&
           code != 1006;
}

static int deliver_close(struct ws_reader *reader, struct span payload,
                         struct ws_message *ret_message)
{
    struct ws_message message = {WS_CLOSE, {NULL, 0}, WS_CLOSE_NONE};

    if (payload.len == 1)
        return fail_protocol(reader);
    if (payload.ptr && payload.len >= 2) {
        message.close_code = (uint16_t)(payload.ptr[0] << 8 | payload.ptr[1]);
        message.payload = span_from(payload, 2);
        if (!ws_close_code_is_valid(message.close_code))
            return fail_protocol(reader);
        if (!text_is_utf8(message.payload))
            return fail(reader, ERR_PARSE, WS_CLOSE_BAD_DATA);
    }
    reader->ended = 1;
    *ret_message = message;
    return 1;
}

static int deliver(struct ws_reader *reader, enum ws_opcode opcode,
                   struct span payload, struct ws_message *ret_message)
{
    if (opcode == WS_CLOSE)
        return deliver_close(reader, payload, ret_message);
    if (opcode == WS_TEXT && !text_is_utf8(payload))
        return fail(reader, ERR_PARSE, WS_CLOSE_BAD_DATA);
    *ret_message = (struct ws_message){opcode, payload, 0};
    return 1;
}

/* The frame's payload is in. 1 and a message, 0 when more frames follow. */
static int end_frame(struct ws_reader *reader, struct span view,
                     struct ws_message *ret_message)
{
    enum ws_opcode opcode = (enum ws_opcode)reader->opcode;

    reader->in_payload = 0;
    if (is_control(reader->opcode)) {
        if (!view.ptr)
            view = span_of(reader->control, reader->control_len);
        return deliver(reader, opcode, view, ret_message);
    }
    if (!reader->fin)
        return 0;

    opcode = (enum ws_opcode)reader->data_opcode;
    reader->data_opcode = 0;
    if (!view.ptr) {
        view = buf_span(&reader->message);
        reader->delivered = 1;
    }
    return deliver(reader, opcode, view, ret_message);
}

/* True when a payload of the current frame can be handed out where it lies. */
static bool can_view(const struct ws_reader *reader, size_t len)
{
    if (reader->frame_done != 0 || len < reader->frame_len)
        return false;
    return is_control(reader->opcode) ||
           (reader->fin && reader->opcode != WS_CONTINUATION);
}

static int store(struct ws_reader *reader, const uint8_t *data, size_t len)
{
    if (is_control(reader->opcode)) {
        assert(reader->control_len + len <= WS_CONTROL_MAX);
        memcpy(reader->control + reader->control_len, data, len);
        reader->control_len = (uint8_t)(reader->control_len + len);
        return 0;
    }
    buf_put(&reader->message, data, len);
    if (buf_err(&reader->message))
        return fail(reader, buf_err(&reader->message), WS_CLOSE_INTERNAL);
    return 0;
}

/* Take payload bytes. 1 and a message; 0 when the frame, or the message, goes
 * on. */
static int read_payload(struct ws_reader *reader, uint8_t **data, size_t *len,
                        struct ws_message *ret_message)
{
    uint64_t left = reader->frame_len - reader->frame_done;
    size_t n = *len < left ? *len : (size_t)left;
    bool in_place = can_view(reader, *len);
    uint8_t *start = *data;
    int err;

    if (reader->role == WS_SERVER)
        ws_mask(start, n, reader->mask, reader->frame_done);
    *data += n;
    *len -= n;

    if (in_place && n > 0) {
        return end_frame(reader, span_of(start, n), ret_message);
    }
    if (n > 0) {
        err = store(reader, start, n);
        if (err < 0)
            return err;
    }
    reader->frame_done += n;
    if (reader->frame_done < reader->frame_len)
        return 0;
    return end_frame(reader, (struct span){NULL, 0}, ret_message);
}

int ws_reader_next(struct ws_reader *reader, uint8_t **data, size_t *len,
                   struct ws_message *ret_message)
{
    if (reader->delivered) {
        reader->delivered = 0;
        buf_reset(&reader->message);
        buf_shrink(&reader->message);
    }
    for (;;) {
        int err;

        if (reader->ended)
            return *len ? ERR_CLOSED : 0;
        if (!reader->in_payload) {
            err = read_header(reader, data, len);
            if (err <= 0)
                return err;
            err = begin_frame(reader);
            if (err < 0)
                return err;
        }
        err = read_payload(reader, data, len, ret_message);
        if (err != 0)
            return err;
        if (reader->in_payload) /* all bytes are read */
            return 0;
    }
}

size_t ws_header_write(uint8_t out[WS_HEADER_MAX], enum ws_opcode opcode,
                       enum ws_fin fin, uint64_t len, const uint8_t *mask)
{
    size_t n = 2;

    out[0] = (uint8_t)(opcode | (fin == WS_FIN ? BIT_FIN : 0));
    if (len < LEN_16) {
        out[1] = (uint8_t)len;
    } else if (len <= 0xFFFF) {
        out[1] = LEN_16;
        out[2] = (uint8_t)(len >> 8);
        out[3] = (uint8_t)len;
        n = 4;
    } else {
        out[1] = LEN_64;
        for (unsigned i = 0; i < 8; i++)
            out[2 + i] = (uint8_t)(len >> (56 - 8 * i));
        n = 10;
    }
    if (mask) {
        out[1] |= BIT_MASK;
        memcpy(out + n, mask, 4);
        n += 4;
    }
    return n;
}

void ws_mask(uint8_t *data, size_t len, const uint8_t mask[4], uint64_t offset)
{
    uint8_t turned[8];
    uint64_t wide;
    size_t i = 0;

    for (unsigned k = 0; k < 8; k++)
        turned[k] = mask[(offset + k) & 3];
    memcpy(&wide, turned, 8);
    for (; i + 8 <= len; i += 8) {
        uint64_t word;

        memcpy(&word, data + i, 8);
        word ^= wide;
        memcpy(data + i, &word, 8);
    }
    for (; i < len; i++)
        data[i] ^= turned[i & 7];
}

/* The longest start of `text`, at most `max` bytes, that ends with a whole
 * UTF-8 character. */
static struct span cut_utf8(struct span text, size_t max)
{
    if (text.len <= max)
        return text;
    while (max > 0 && (text.ptr[max] & 0xC0) == 0x80)
        max--;
    return span_head(text, max);
}

size_t ws_close_write(uint8_t out[WS_CLOSE_FRAME_MAX], uint16_t code,
                      struct span reason, const uint8_t *mask)
{
    size_t len = 0;
    size_t n;

    if (code != WS_CLOSE_NONE) {
        reason = cut_utf8(reason, WS_CONTROL_MAX - 2);
        len = 2 + reason.len;
    }
    n = ws_header_write(out, WS_CLOSE, WS_FIN, len, mask);
    if (len == 0)
        return n;
    out[n] = (uint8_t)(code >> 8);
    out[n + 1] = (uint8_t)code;
    if (reason.len)
        memcpy(out + n + 2, reason.ptr, reason.len);
    if (mask)
        ws_mask(out + n, len, mask, 0);
    return n + len;
}

bool ws_closing_begin(struct ws_closing *closing)
{
    bool first = !closing->sent;

    closing->sent = true;
    return first;
}

enum ws_close_step ws_closing_on_close(struct ws_closing *closing)
{
    enum ws_close_step step = closing->sent ? WS_STEP_FINISH : WS_STEP_REPLY;

    closing->received = true;
    closing->sent = true;
    return step;
}
