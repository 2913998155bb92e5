/* SPDX-License-Identifier: MIT */
/* Lines "name: value" as the header fields of an upgrade. */
#include "ws/ws_handshake.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const origins[] = {"https://app.example"};
    const struct ws_policy policy = {"sip", origins, 1};
    struct span rest = span_of(data, size);
    struct ws_handshake hs = {0};
    struct ws_accepted accepted;
    struct span line, name, value;
    struct buf out;
    int status;

    while (span_next(&rest, '\n', &line)) {
        if (span_cut(line, ':', &name, &value))
            ws_handshake_on_header(&hs, name, value);
    }
    status = ws_handshake_check(&hs, span_str("GET"), &policy, &accepted);
    buf_init(&out, 1024);
    if (status == 101)
        ws_handshake_write(&accepted, &out);
    else
        ws_handshake_write_refusal(status, &out);
    if (buf_err(&out) || buf_len(&out) == 0)
        abort();
    buf_deinit(&out);
    return 0;
}
