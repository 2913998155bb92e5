/* SPDX-License-Identifier: MIT */
/* web_jwt.h - a request's JSON Web Token: found, checked, taken out, and what
 * it says about the client made a header field.
 *
 * Browsers cannot set header fields of a WebSocket: hence the query argument
 * and the cookie besides "Authorization: Bearer". A token that two readers
 * could find in two places (written twice, an escaped or underscore name) is
 * refused. base/jwt.h judges the token itself.
 *
 * Policies are immutable; any thread.
 */
#ifndef WEB_JWT_H
#define WEB_JWT_H

#include "proxy/web_request.h"

enum web_jwt_source {
    WEB_JWT_QUERY,
    WEB_JWT_HEADER,
    WEB_JWT_COOKIE,
};

struct web_jwt {
    enum web_jwt_source source;
    const char *name; /* of argument, field or cookie. Of "Authorization" only
                         Bearer credentials are looked at */
    bool strip;       /* not for the back end's eyes */
    struct jwt_policy policy;
    const char *field; /* where policy.claim goes; NULL: nowhere */
};

enum web_jwt_verdict {
    WEB_JWT_OK,
    WEB_JWT_MISSING,
    WEB_JWT_AMBIGUOUS,
#define WEB_JWT_ENUM(id, name) WEB_JWT_##id,
    JWT_VERDICTS(WEB_JWT_ENUM)
#undef WEB_JWT_ENUM
};

/* `wall_s` is Unix time. When it passes, what is to be forwarded otherwise is
 * noted in `rq`. */
enum web_jwt_verdict web_jwt_judge(const struct web_jwt *jwt,
                                   struct web_request *rq, uint64_t wall_s);

#endif /* WEB_JWT_H */
