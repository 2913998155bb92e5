/* SPDX-License-Identifier: MIT */
/* err.h - the one error space of the project.
 *
 * A function that can fail returns int: 0 or a count on success, negative on
 * failure. A failure of the system is -errno (which are libuv's codes too);
 * our own codes are listed here, far below both. A protocol answer (STUN 437,
 * SIP 486, HTTP 403) is a value, never an error code.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define ERR_MAP(X)                                                             \
    X(ERR_PARSE, -10000, "malformed message")                                  \
    X(ERR_TRUNCATED, -10001, "more bytes needed")                              \
    X(ERR_LIMIT, -10002, "configured limit reached")                           \
    X(ERR_STATE, -10003, "not allowed in this state")                          \
    X(ERR_AUTH, -10004, "authentication failed")                               \
    X(ERR_DENIED, -10005, "refused by policy")                                 \
    X(ERR_CLOSED, -10006, "closed by the peer")                                \
    X(ERR_RESOLVE, -10007, "name not resolved")                                \
    X(ERR_TLS, -10008, "TLS failure")                                          \
    X(ERR_CONFIG, -10009, "configuration refused")

enum err_code {
#define ERR_ENUM(name, code, text) name = code,
    ERR_MAP(ERR_ENUM)
#undef ERR_ENUM
};

/* The text of any code, ours or -errno. Never NULL; static storage or the
 * thread's own buffer, valid until the thread's next call. */
const char *err_str(int err);

#endif /* BASE_ERR_H */
