/* SPDX-License-Identifier: MIT */
#include "support_message.h"

static struct http_parser *parser;

void message_free(void)
{
    http_parser_free(parser);
    parser = NULL;
}

static const struct http_msg *parse(const char *text)
{
    struct span in = span_str(text);
    struct span body;

    ck_assert_msg(http_parser_next(parser, &in, &body) == HTTP_EVENT_HEAD,
                  "not a head: %s", text);
    return http_parser_msg(parser);
}

const struct http_msg *message_request(const char *text)
{
    message_free();
    ck_assert_int_eq(
        http_parser_new(&parser, HTTP_KIND_REQUEST, &http_limits_default), 0);
    return parse(text);
}

const struct http_msg *message_answer(const char *text, enum http_method method)
{
    message_free();
    ck_assert_int_eq(
        http_parser_new(&parser, HTTP_KIND_RESPONSE, &http_limits_default), 0);
    http_parser_set_request(parser, method);
    return parse(text);
}
