/* SPDX-License-Identifier: MIT */
/* A path is refused, or has a normal form that is its own normal form and
 * hides nothing. */
#include "proxy/web_host.h"
#include "proxy/web_path.h"
#include "proxy/web_token.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* No empty or dot segment, only printable ASCII, no backslash, no escape of a
 * slash, of a control or of an unreserved character. */
static void check_normal(struct span path)
{
    require(path.len > 0 && path.ptr[0] == '/');
    for (size_t i = 0; i < path.len; i++) {
        struct span rest = span_from(path, i);

        require(path.ptr[i] > 0x20 && path.ptr[i] < 0x7F);
        require(path.ptr[i] != '\\' && path.ptr[i] != '?' &&
                path.ptr[i] != '#');
        if (path.ptr[i] == '/')
            require(!span_starts(rest, "//") && !span_starts(rest, "/./") &&
                    !span_starts(rest, "/../") && !span_is(rest, "/.") &&
                    !span_is(rest, "/.."));
        if (path.ptr[i] == '%')
            require(rest.len >= 3 && !span_starts_nocase(rest, "%2f") &&
                    !span_starts_nocase(rest, "%5c") &&
                    !span_starts_nocase(rest, "%2e") &&
                    !span_starts(rest, "%0") && !span_starts(rest, "%1"));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = span_of(data, size);
    char once[4096], twice[4096], log[128];
    struct web_host host, again;
    int len = web_path_normalise(in, once, sizeof(once));

    if (len >= 0) {
        struct span path = span_of(once, (size_t)len);

        check_normal(path);
        require(web_path_normalise(path, twice, sizeof(twice)) == len);
        require(span_equal(path, span_of(twice, (size_t)len)));
    }
    if (web_host_parse(in, &host) == 0)
        require(web_host_parse(web_host_name(&host), &again) == 0 &&
                span_equal(web_host_name(&host), web_host_name(&again)));
    if (web_token_judge(in, "token", WEB_TOKEN_FORMAT) == WEB_TOKEN_OK)
        require(web_token_judge(in, "token", WEB_TOKEN_PRESENT) ==
                WEB_TOKEN_OK);
    (void)web_path_query_is_clean(in);
    web_token_redact(in, log, sizeof(log));
    require(strlen(log) < sizeof(log));
    return 0;
}
