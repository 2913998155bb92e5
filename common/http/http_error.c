/* SPDX-License-Identifier: MIT */
#include "http/http_parse.h"

int http_error_status(enum http_error error)
{
    static const int statuses[] = {
#define ERROR_STATUS(name, status, text) [HTTP_ERROR_##name] = (status),
        HTTP_ERROR_MAP(ERROR_STATUS)
#undef ERROR_STATUS
    };

    return statuses[error];
}

const char *http_error_str(enum http_error error)
{
    static const char *const texts[] = {
#define ERROR_TEXT(name, status, text) [HTTP_ERROR_##name] = (text),
        HTTP_ERROR_MAP(ERROR_TEXT)
#undef ERROR_TEXT
    };

    return texts[error];
}
