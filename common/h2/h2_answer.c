/* SPDX-License-Identifier: MIT */
#include "h2/h2_private.h"

#include "base/err.h"

#include <errno.h>

static nghttp2_nv nv_of(struct span name, struct span value)
{
    /* nghttp2 copies both; its struct only lacks the const. */
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name.ptr,
                        .namelen = name.len,
                        .value = (uint8_t *)(uintptr_t)value.ptr,
                        .valuelen = value.len,
                        .flags = NGHTTP2_NV_FLAG_NONE};
}

/* An HTTP/1 head as a list; the status, or an error. */
static int list_of(struct h2_server *h2, struct span head,
                   nghttp2_nv list[H2_FIELDS_MAX], size_t *ret_n)
{
    struct h2_field fields[H2_FIELDS_MAX];
    int status = h2_head_split(head, &h2->scratch, fields, ret_n);

    for (size_t i = 0; status > 0 && i < *ret_n; i++)
        list[i] = nv_of(fields[i].name, fields[i].value);
    return status;
}

static int err_of(int code)
{
    if (code == 0)
        return 0;
    return code == NGHTTP2_ERR_NOMEM ? -ENOMEM : ERR_STATE;
}

int h2_server_interim(struct h2_server *h2, int32_t id, struct span head)
{
    nghttp2_nv list[H2_FIELDS_MAX];
    size_t n;
    int status = list_of(h2, head, list, &n);

    if (status < 0)
        return status;
    return err_of(nghttp2_submit_headers(h2->session, NGHTTP2_FLAG_NONE, id,
                                         NULL, list, n, NULL));
}

/* The end of the content is not the end of the stream then. */
static int send_trailers(struct h2_server *h2, int32_t id, struct span lines)
{
    struct h2_field fields[H2_FIELDS_MAX];
    nghttp2_nv list[H2_FIELDS_MAX];
    size_t n;

    if (h2_lines_split(lines, &h2->scratch, fields, &n) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        list[i] = nv_of(fields[i].name, fields[i].value);
    return nghttp2_submit_trailer(h2->session, id, list, n);
}

/* NOLINTNEXTLINE(readability-function-size): nghttp2 calls it so */
static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *out,
                       size_t size, uint32_t *flags,
                       nghttp2_data_source *source, void *user)
{
    struct h2_server *h2 = user;
    void *owner = nghttp2_session_get_stream_user_data(session, id);
    struct span trailers = {NULL, 0};
    bool end = false;
    size_t n;

    (void)source;
    if (!owner)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    n = h2->events.on_take(h2->events.arg, owner, out, size, &end, &trailers);
    if (end)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (end && trailers.len > 0 && send_trailers(h2, id, trailers) == 0)
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    else if (!end && n == 0)
        return NGHTTP2_ERR_DEFERRED;
    return (ssize_t)n;
}

int h2_server_answer(struct h2_server *h2, int32_t id, struct span head,
                     bool ends)
{
    nghttp2_data_provider content = {.read_callback = on_read};
    nghttp2_nv list[H2_FIELDS_MAX];
    size_t n;
    int status = list_of(h2, head, list, &n);

    if (status < 0)
        return status;
    return err_of(nghttp2_submit_response(h2->session, id, list, n,
                                          ends ? NULL : &content));
}

void h2_server_resume(struct h2_server *h2, int32_t id)
{
    /* Not deferred: it is asked for anyway. */
    (void)nghttp2_session_resume_data(h2->session, id);
}

void h2_server_consume(struct h2_server *h2, int32_t id, size_t len)
{
    if (id == 0)
        (void)nghttp2_session_consume_connection(h2->session, len);
    else
        (void)nghttp2_session_consume(h2->session, id, len);
}

void h2_server_reset(struct h2_server *h2, int32_t id, enum h2_reason reason)
{
    (void)nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, id,
                                    (uint32_t)reason);
}

void h2_server_forget(struct h2_server *h2, int32_t id)
{
    (void)nghttp2_session_set_stream_user_data(h2->session, id, NULL);
}

void h2_server_announce_end(struct h2_server *h2)
{
    (void)nghttp2_submit_shutdown_notice(h2->session);
}

void h2_server_take_no_more(struct h2_server *h2)
{
    (void)nghttp2_submit_goaway(
        h2->session, NGHTTP2_FLAG_NONE,
        nghttp2_session_get_last_proc_stream_id(h2->session), NGHTTP2_NO_ERROR,
        NULL, 0);
}

void h2_server_terminate(struct h2_server *h2)
{
    (void)nghttp2_session_terminate_session(h2->session, NGHTTP2_NO_ERROR);
}

void h2_server_ping(struct h2_server *h2)
{
    (void)nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, NULL);
}
