/* SPDX-License-Identifier: MIT */
#include "proxy/web_jwt.h"

#include "base/map.h"
#include "proxy/web_forward.h"
#include "proxy/web_token.h"

/* Where the token is, and what has to go for it to be gone. */
struct finding {
    struct span token;
    struct span cut;
};

/* ---- query ---- */

static enum web_jwt_verdict find_in_query(const struct web_jwt *jwt,
                                          const struct web_request *rq,
                                          struct finding *f)
{
    const uint8_t *begin = rq->query.ptr, *end = begin + rq->query.len, *from;

    switch (web_token_find(rq->query, jwt->name, &f->token)) {
    case WEB_TOKEN_OK:
        break;
    case WEB_TOKEN_MISSING:
        return WEB_JWT_MISSING;
    default:
        return WEB_JWT_AMBIGUOUS;
    }
    if (f->token.len == 0)
        return WEB_JWT_MISSING;
    from = f->token.ptr - strlen(jwt->name) - 1;
    /* Behind a ';' some readers see more of the value. */
    if (f->token.ptr + f->token.len < end && f->token.ptr[f->token.len] != '&')
        return WEB_JWT_AMBIGUOUS;
    if (f->token.ptr + f->token.len < end)
        f->cut =
            span_of(from, (size_t)(f->token.ptr - from) + f->token.len + 1);
    else
        f->cut = span_of(from > begin ? from - 1 : from,
                         (size_t)(end - from) + (from > begin ? 1 : 0));
    return WEB_JWT_OK;
}

/* The argument is not forwarded: the query is written anew. */
static void cut_query(struct web_request *rq, struct span cut)
{
    size_t before = (size_t)(cut.ptr - rq->query.ptr);
    struct span after = span_from(rq->query, before + cut.len);

    memcpy(rq->query_text, rq->query.ptr, before);
    if (after.len > 0)
        memcpy(rq->query_text + before, after.ptr, after.len);
    rq->query = span_of(rq->query_text, before + after.len);
    rq->has_query = rq->query.len > 0;
}

/* ---- header ---- */

static bool is_bearer(struct span value, struct span *ret_token)
{
    if (!span_starts_nocase(value, "bearer "))
        return false;
    *ret_token = span_trim(span_from(value, strlen("bearer ")));
    return true;
}

static enum web_jwt_verdict find_in_header(const struct web_jwt *jwt,
                                           const struct web_request *rq,
                                           struct finding *f)
{
    const struct http_header *found = NULL;

    for (size_t i = 0; i < rq->msg->headers_n; i++) {
        const struct http_header *h = &rq->msg->headers[i];

        if (!web_forward_is_field(h->name, jwt->name))
            continue;
        if (found || h->name.len != strlen(jwt->name) ||
            !span_is_nocase(h->name, jwt->name))
            return WEB_JWT_AMBIGUOUS;
        found = h;
    }
    if (!found)
        return WEB_JWT_MISSING;
    f->cut = f->token = found->value;
    if (found->field == HTTP_FIELD_AUTHORIZATION &&
        !is_bearer(found->value, &f->token))
        return WEB_JWT_MISSING;
    return f->token.len > 0 ? WEB_JWT_OK : WEB_JWT_MISSING;
}

/* ---- cookie ---- */

/* One cookie of a list, with what divides it from the next, or, being the
 * last, from the one before. */
static struct span cookie_cut(struct span list, struct span pair)
{
    size_t from = (size_t)(pair.ptr - list.ptr), to = from + pair.len;

    if (to < list.len) {
        for (to++; to < list.len && list.ptr[to] == ' ';)
            to++;
    } else {
        while (from > 0 && list.ptr[from] != ';')
            from--;
    }
    return span_of(list.ptr + from, to - from);
}

/* Look through one Cookie field (RFC 6265 4.2.1). */
static int find_cookies(const char *name, struct span list, struct finding *f)
{
    struct span rest = list, pair, key, value;
    int n = 0;

    while (span_next(&rest, ';', &pair)) {
        while (pair.len > 0 && (pair.ptr[0] == ' ' || pair.ptr[0] == '\t'))
            pair = span_from(pair, 1);
        if (!span_cut(pair, '=', &key, &value) ||
            !span_is(span_trim(key), name))
            continue;
        f->token = span_trim(value);
        f->cut = cookie_cut(list, pair);
        n++;
    }
    return n;
}

static enum web_jwt_verdict find_in_cookies(const struct web_jwt *jwt,
                                            const struct web_request *rq,
                                            struct finding *f)
{
    int n = 0;

    for (size_t i = 0; i < rq->msg->headers_n; i++) {
        if (rq->msg->headers[i].field == HTTP_FIELD_COOKIE)
            n += find_cookies(jwt->name, rq->msg->headers[i].value, f);
    }
    if (n > 1)
        return WEB_JWT_AMBIGUOUS;
    return n == 1 && f->token.len > 0 ? WEB_JWT_OK : WEB_JWT_MISSING;
}

/* ---- judgement ---- */

static enum web_jwt_verdict
find(const struct web_jwt *jwt, const struct web_request *rq, struct finding *f)
{
    switch (jwt->source) {
    case WEB_JWT_HEADER:
        return find_in_header(jwt, rq, f);
    case WEB_JWT_COOKIE:
        return find_in_cookies(jwt, rq, f);
    default:
        return find_in_query(jwt, rq, f);
    }
}

/* By the claim where the policy names one, so that a new token of the same
 * holder is nobody new. Nobody can make up what hashes alike: it is signed. */
static uint64_t key_of(const struct web_jwt *jwt, const struct web_request *rq,
                       struct span token)
{
    static const uint64_t seed[2] = {0};

    if (jwt->policy.claim)
        token = span_of(rq->identity.text, rq->identity.len);
    return map_hash(seed, token);
}

enum web_jwt_verdict web_jwt_judge(const struct web_jwt *jwt,
                                   struct web_request *rq, uint64_t wall_s)
{
    struct finding f = {.token = {NULL, 0}};
    enum web_jwt_verdict verdict = find(jwt, rq, &f);
    enum jwt_verdict is;

    if (verdict != WEB_JWT_OK)
        return verdict;
    is = jwt_check(&jwt->policy, f.token, wall_s, &rq->identity);
    if (is != JWT_OK)
        return (enum web_jwt_verdict)(WEB_JWT_MALFORMED + (is - JWT_MALFORMED));
    rq->token_key = key_of(jwt, rq, f.token);
    if (jwt->field)
        rq->identity_field = jwt->field;
    if (!jwt->strip)
        return WEB_JWT_OK;
    if (jwt->source != WEB_JWT_QUERY)
        rq->stripped = f.cut;
    else if (rq->query.len <= sizeof(rq->query_text))
        cut_query(rq, f.cut);
    else
        return WEB_JWT_AMBIGUOUS;
    return WEB_JWT_OK;
}
