/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <stdio.h>
#include <string.h>

enum { ERR_TEXT_SIZE = 96 };

static const char *own_text(int err)
{
#define ERR_CASE(name, code, text)                                             \
    case code:                                                                 \
        return text;

    switch (err) {
    case 0:
        return "success";
        ERR_MAP(ERR_CASE)
    default:
        return NULL;
    }
#undef ERR_CASE
}

const char *err_str(int err)
{
    static _Thread_local char text[ERR_TEXT_SIZE];
    const char *own = own_text(err);

    if (own)
        return own;
    /* -INT_MIN does not exist; no errno reaches 4096. */
    if (err >= 0 || err <= -4096) {
        snprintf(text, sizeof(text), "unknown error %d", err);
        return text;
    }
    return strerror_r(-err, text, sizeof(text));
}
