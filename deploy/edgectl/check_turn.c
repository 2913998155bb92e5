/* SPDX-License-Identifier: MIT */
#include "ctl_checks.h"

#include "base/crypto.h"
#include "base/err.h"
#include "stun/stun_msg.h"
#include "turn_client.h"

#include <stdio.h>

enum { LIFETIME = 600 };

static bool check_binding(struct ctl_check_env *env, const struct ctl_uri *uri,
                          struct ctl_link *link)
{
    uint8_t tid[STUN_TID_SIZE], out[CTL_STUN_MAX];
    struct ctl_stun_answer answer;
    char text[ADDR_TEXT_SIZE];
    int err;

    crypto_random(tid, sizeof(tid));
    err = ctl_stun_binding(tid, out);
    if (err > 0)
        err = turn_exchange(link, uri, span_of(out, (size_t)err), &answer);
    if (err < 0) {
        ctl_checks_add(env->checks, uri->text, "TURN-STUN", CTL_CHECK_ERROR,
                       "no answer to STUN (%s): is it running, and does the "
                       "firewall let %s %u through?",
                       err_str(err), uri->tcp ? "TCP" : "UDP", uri->port);
        return false;
    }
    ctl_checks_add(env->checks, uri->text, "TURN-STUN", CTL_CHECK_OK,
                   "answers STUN; it sees us at %s",
                   addr_str(&answer.mapped, text));
    return true;
}

/* An address only the inside can reach, given to clients outside. */
static bool check_relayed(struct ctl_check_env *env, const struct ctl_uri *uri,
                          const struct ctl_link *link,
                          const struct addr *relayed)
{
    char text[ADDR_TEXT_SIZE];

    bool good =
        !addr_is_any(relayed) &&
        (!addr_is_private(relayed) || addr_is_private(ctl_link_peer(link)) ||
         addr_is_loopback(ctl_link_peer(link)));

    (void)addr_str(relayed, text);
    if (!good)
        ctl_checks_add(env->checks, uri->text, "TURN-RELAY-ADDRESS",
                       CTL_CHECK_ERROR,
                       "relays at %s, which nobody outside reaches: set "
                       "relay-address to ADDRESS=ADVERTISED",
                       text);
    else
        ctl_checks_add(env->checks, uri->text, "TURN-ALLOCATE", CTL_CHECK_OK,
                       "gives a relay at %s", text);
    return good;
}

static void check_refusal(struct ctl_check_env *env, const struct ctl_uri *uri,
                          int code)
{
    if (code == 401)
        ctl_checks_add(env->checks, uri->text, "TURN-CREDENTIAL",
                       CTL_CHECK_ERROR,
                       "refuses the credential: compare secret, realm, and "
                       "the clocks of both hosts");
    else
        ctl_checks_add(env->checks, uri->text, "TURN-ALLOCATE", CTL_CHECK_ERROR,
                       "gives no relay, code %d: %s", code,
                       code == 486   ? "a quota of this user or address"
                       : code == 508 ? "no capacity, or no relay address"
                                     : "see the log of turn-server");
}

static void check_user(struct ctl_check_env *env, const struct ctl_uri *uri,
                       struct ctl_link *link)
{
    const struct ctl_stun_user nobody = {0};
    struct ctl_stun_user user = env->user;
    struct ctl_stun_answer first, answer;
    bool reachable = false;
    int err = turn_allocate(link, uri, &nobody, LIFETIME, &first);

    if (err == 0 && first.code == 0) {
        ctl_checks_add(env->checks, uri->text, "TURN-OPEN", CTL_CHECK_ERROR,
                       "gives a relay to everybody: require credentials");
        return;
    }
    if (err == 0 && first.code == 401)
        ctl_checks_add(env->checks, uri->text, "TURN-OPEN", CTL_CHECK_OK,
                       "asks for credentials");
    if (err == 0 && (!user.name.len || first.code != 401)) {
        if (first.code != 401)
            check_refusal(env, uri, first.code);
        return;
    }
    user.realm = span_str(first.realm);
    user.nonce = span_str(first.nonce);
    if (err == 0)
        err = turn_allocate(link, uri, &user, LIFETIME, &answer);
    if (err < 0)
        ctl_checks_add(env->checks, uri->text, "TURN-ALLOCATE", CTL_CHECK_ERROR,
                       "no answer to Allocate: %s", err_str(err));
    else if (answer.code != 0)
        check_refusal(env, uri, answer.code);
    else
        reachable = check_relayed(env, uri, link, &answer.relayed);
    if (err == 0 && answer.code == 0) {
        struct turn_login login = {.user = user, .relayed = answer.relayed};

        if (reachable)
            check_relay(env, uri, link, &login);
        /* Give it back; it ends anyhow. */
        (void)turn_allocate(link, uri, &user, 0, &answer);
    }
}

void check_turn(struct ctl_check_env *env, const struct ctl_uri *uri)
{
    char error[CTL_LINK_ERROR];
    struct ctl_link *link;
    int err = ctl_link_open(&link, uri, env->address, true, error);

    if (err < 0) {
        ctl_checks_add(env->checks, uri->text,
                       err == ERR_TLS ? "TURN-TLS" : "TURN-CONNECT",
                       CTL_CHECK_ERROR, "%s: %s",
                       err == ERR_TLS ? "no TLS" : "no connection", error);
        return;
    }
    if (uri->tls) {
        ctl_checks_add(env->checks, uri->text, "TURN-TLS", CTL_CHECK_OK,
                       "speaks %s", ctl_link_version(link));
        check_certificate(env, uri, link);
    }
    if (check_binding(env, uri, link) && strcmp(uri->scheme, "stun") != 0)
        check_user(env, uri, link);
    ctl_link_close(link);
    if (uri->tls && uri->tcp) /* DTLS 1.0 our library cannot ask for */
        check_old_tls(env, uri);
}
