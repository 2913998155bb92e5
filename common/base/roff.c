/* SPDX-License-Identifier: MIT */
#include "base/roff.h"

void roff_put(struct buf *out, const char *text)
{
    bool first = true;

    for (; *text; text++, first = text[-1] == '\n') {
        if (first && (*text == '.' || *text == '\''))
            buf_put_str(out, "\\&");
        if (*text == '\\')
            buf_put_str(out, "\\e");
        else if (*text == '-')
            buf_put_str(out, "\\-");
        else
            buf_put_byte(out, (uint8_t)*text);
    }
}
