/* SPDX-License-Identifier: MIT */
#include "turn_client.h"

#include "base/crypto.h"
#include "base/err.h"
#include "ctl_client.h"
#include "stun/stun_msg.h"

#include <errno.h>

enum { TRIES = 4, FIRST_WAIT_MS = 500 };

int turn_receive(struct ctl_link *link, bool stream, uint8_t *out,
                 unsigned wait_ms)
{
    size_t len = 0, want = stream ? CHANNEL_HEADER_SIZE : CTL_STUN_MAX;

    for (;;) {
        int n = ctl_link_receive(link, out + len, want - len, wait_ms);

        if (n <= 0)
            return n < 0 ? n : ERR_CLOSED;
        len += (size_t)n;
        if (!stream)
            return (int)len;
        wait_ms = CTL_LINK_TIMEOUT_MS; /* what has begun comes whole */
        if (len < want)
            continue;
        n = stun_frame_size(span_of(out, len));
        if (n < 0 || n > CTL_STUN_MAX)
            return ERR_PARSE;
        if (n > 0 && len >= (size_t)n)
            return n;
        want = n > 0 ? (size_t)n : STUN_HEADER_SIZE;
    }
}

/* The answer to this request; what a relay brings meanwhile is passed over. */
static int receive_answer(struct ctl_link *link, bool stream, unsigned wait_ms,
                          const uint8_t *tid, struct ctl_stun_answer *answer)
{
    uint64_t deadline = ctl_client_now() + wait_ms, now;
    uint8_t in[CTL_STUN_MAX];

    while ((now = ctl_client_now()) < deadline) {
        int n = turn_receive(link, stream, in, (unsigned)(deadline - now));
        int err =
            n < 0 ? n : ctl_stun_read(span_of(in, (size_t)n), tid, answer);

        if (err != ERR_STATE && (n < 0 || !(n > 0 && stun_is_channel(in[0]))))
            return err;
    }
    return -ETIMEDOUT;
}

int turn_exchange(struct ctl_link *link, const struct ctl_uri *uri,
                  struct span request, struct ctl_stun_answer *answer)
{
    unsigned wait = uri->tcp ? CTL_LINK_TIMEOUT_MS : FIRST_WAIT_MS;
    int err = -ETIMEDOUT;

    for (unsigned i = 0; i < (uri->tcp ? 1 : TRIES); i++, wait *= 2) {
        err = ctl_link_send(link, request);
        if (err < 0)
            return err;
        err = receive_answer(link, uri->tcp, wait, request.ptr + 8, answer);
        if (err != -ETIMEDOUT)
            return err;
    }
    return err;
}

int turn_allocate(struct ctl_link *link, const struct ctl_uri *uri,
                  const struct ctl_stun_user *user, uint32_t lifetime,
                  struct ctl_stun_answer *answer)
{
    uint8_t tid[STUN_TID_SIZE], out[CTL_STUN_MAX];
    int n;

    crypto_random(tid, sizeof(tid));
    n = ctl_stun_allocate(tid, user, lifetime, out);
    return n < 0 ? n
                 : turn_exchange(link, uri, span_of(out, (size_t)n), answer);
}

int turn_login(struct ctl_link *link, const struct ctl_uri *uri,
               struct turn_login *login)
{
    const struct ctl_stun_user nobody = {0};
    struct ctl_stun_answer answer;
    int err =
        turn_allocate(link, uri, &nobody, TURN_LIFETIME_S, &login->challenge);

    if (err < 0 || login->challenge.code != 401)
        return err < 0 ? err : ERR_AUTH;
    login->user.realm = span_str(login->challenge.realm);
    login->user.nonce = span_str(login->challenge.nonce);
    err = turn_allocate(link, uri, &login->user, TURN_LIFETIME_S, &answer);
    if (err < 0)
        return err;
    login->code = answer.code;
    login->relayed = answer.relayed;
    return answer.code == 0 ? 0 : ERR_AUTH;
}

static int ask_as_user(struct ctl_link *link, const struct ctl_uri *uri,
                       struct turn_login *login, int n, const uint8_t *request)
{
    struct ctl_stun_answer answer = {0};

    if (n > 0)
        n = turn_exchange(link, uri, span_of(request, (size_t)n), &answer);
    if (n < 0)
        return n;
    login->code = answer.code;
    return answer.code == 0 ? 0 : ERR_AUTH;
}

int turn_channel(struct ctl_link *link, const struct ctl_uri *uri,
                 struct turn_login *login, uint16_t number,
                 const struct addr *peer)
{
    uint8_t tid[STUN_TID_SIZE], out[CTL_STUN_MAX];

    crypto_random(tid, sizeof(tid));
    return ask_as_user(link, uri, login,
                       ctl_stun_channel(tid, &login->user, number, peer, out),
                       out);
}
