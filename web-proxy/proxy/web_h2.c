/* SPDX-License-Identifier: MIT */
#include "proxy/web_internal.h"

#include <errno.h>

struct web_session *h2_session_new(struct web_core *core)
{
    (void)core;
    return NULL;
}

int h2_session_start(struct web_session *s)
{
    (void)s;
    return -ENOTSUP;
}

void h2_flush_all(struct web_core *core)
{
    (void)core;
}
