/* SPDX-License-Identifier: MIT */
/* What edgectl takes from others: answers of admin sockets and STUN servers,
 * addresses, certificate files. The first byte says which. */
#include "base/mem.h"
#include "ctl/ctl_cert.h"
#include "ctl/ctl_check.h"
#include "ctl/ctl_reply.h"
#include "ctl/ctl_stun.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void try_reply(struct span bytes)
{
    struct span body = {NULL, 0};

    if (ctl_reply_parse(bytes, &body) >= 0)
        require(body.len <= bytes.len);
}

static void try_stun(struct span bytes)
{
    static const uint8_t tid[12] = "abcdefghijk";
    struct ctl_stun_answer answer;

    if (ctl_stun_read(bytes, tid, &answer) < 0)
        return;
    require(answer.code >= 0);
    require(memchr(answer.nonce, 0, sizeof(answer.nonce)) != NULL);
    require(memchr(answer.realm, 0, sizeof(answer.realm)) != NULL);
}

static void try_uri(struct span bytes)
{
    char *text = mem_dup(bytes.ptr, bytes.len);
    struct ctl_uri uri;

    if (text && ctl_uri_parse(text, &uri) == 0) {
        require(uri.port != 0 && uri.host[0] != 0);
        require(!uri.tls || uri.tcp);
        /* It goes into an HTTP request. */
        require(strpbrk(uri.host, " \r\n\t/") == NULL);
    }
    mem_free(text);
}

static void try_cert(struct span bytes)
{
    static const char *const names[] = {"localhost"};
    struct ctl_cert_question q = {.pem = bytes,
                                  .names = names,
                                  .n_names = 1,
                                  .days = 21,
                                  .now = 1800000000};
    struct ctl_cert_report *report = mem_zalloc(sizeof(*report));
    struct buf out;

    buf_init(&out, 1024 * 1024);
    if (report && ctl_cert_look(&q, report) == 0) {
        require(report->n > 0 || report->n_findings > 0);
        ctl_cert_print(report, "file", q.now, &out);
        ctl_cert_print_json(report, "file", q.now, &out);
        for (size_t i = 0; i < buf_len(&out); i++)
            require(out.data[i] >= ' ' || out.data[i] == '\n');
    }
    buf_deinit(&out);
    mem_free(report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const tries[])(struct span) = {try_reply, try_stun, try_uri,
                                                 try_cert};

    if (size > 0 && data[0] >= '0' && data[0] < '4')
        tries[data[0] - '0'](span_of(data + 1, size - 1));
    require(mem_live_blocks() == 0);
    return 0;
}
