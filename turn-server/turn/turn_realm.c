/* SPDX-License-Identifier: MIT */
#include "turn/turn_realm.h"

#include "base/err.h"
#include "base/mem.h"
#include "turn/turn_prep.h"

#include <errno.h>
#include <stdio.h>

/* FNV-1a: no secret, only the same every time. Two names of one id are
 * refused when the rules are made. */
uint32_t turn_realm_id(struct span name)
{
    uint32_t id = 2166136261U;

    for (size_t i = 0; i < name.len; i++)
        id = (id ^ name.ptr[i]) * 16777619U;
    return id == TURN_REALM_DEFAULT ? 1 : id;
}

/* As clients will send it: prepared by RFC 8265. The id is that of the name
 * in the settings. */
static int set_name(struct turn_realm *realm, struct span name, char *error)
{
    uint8_t room[TURN_PREP_SIZE];
    int len = turn_prep(name, room);

    if (len < 0 || len > TURN_REALM_NAME_MAX) {
        snprintf(error, TURN_RULES_ERROR_SIZE,
                 "the realm has a character that RFC 8265 does not allow, or "
                 "is too long");
        return ERR_CONFIG;
    }
    realm->name_text = mem_dup(room, (size_t)len);
    if (!realm->name_text)
        return -ENOMEM;
    realm->name = span_of(realm->name_text, (size_t)len);
    realm->id = turn_realm_id(name);
    return 0;
}

static int copy_server_names(struct turn_realm *realm,
                             const struct turn_realm_options *options)
{
    realm->server_names =
        mem_zarray(options->n_server_names + 1, sizeof(*realm->server_names));
    if (!realm->server_names)
        return -ENOMEM;
    for (size_t i = 0; i < options->n_server_names; i++) {
        const char *name = options->server_names[i];

        realm->server_names[i] = mem_dup(name, strlen(name) + 1);
        if (!realm->server_names[i])
            return -ENOMEM;
        realm->n_server_names = i + 1;
    }
    return 0;
}

static int copy_quotas(struct turn_realm *realm,
                       const struct turn_realm_options *options)
{
    realm->quotas = mem_zarray(options->n_quotas + 1, sizeof(*realm->quotas));
    if (!realm->quotas)
        return -ENOMEM;
    for (size_t i = 0; i < options->n_quotas; i++) {
        struct turn_user_quota quota = options->quotas[i];

        quota.user.ptr = mem_dup(quota.user.ptr, quota.user.len);
        if (!quota.user.ptr)
            return -ENOMEM;
        realm->quotas[i] = quota;
        realm->n_quotas = i + 1;
    }
    return 0;
}

/* Made also when it is off: connections from before a reload ask it. */
static int make_tcp_policy(struct turn_realm *realm,
                           const struct turn_realm_options *options)
{
    struct turn_policy_options policy = options->policy;

    realm->has_tcp = options->has_tcp;
    policy.allow = options->allow_tcp;
    policy.n_allow = options->has_tcp ? options->n_allow_tcp : 0;
    policy.hairpin = options->has_tcp && policy.hairpin;
    policy.public_peers = false;
    return turn_policy_new(&realm->tcp_policy, &policy);
}

static int make_tokens(struct turn_realm *realm,
                       const struct turn_tokens_options *options, char *error)
{
    struct turn_tokens_options tokens = *options;

    if (!tokens.keys.ptr)
        return 0;
    if (tokens.server_name.len == 0)
        tokens.server_name = realm->name;
    return turn_tokens_new(&realm->tokens, &tokens, error,
                           TURN_RULES_ERROR_SIZE);
}

int turn_realm_init(struct turn_realm *realm,
                    const struct turn_realm_options *options,
                    char error[TURN_RULES_ERROR_SIZE])
{
    struct turn_users_options users = options->users;
    int err;

    if (options->name.len == 0 || options->name.len > TURN_REALM_NAME_MAX) {
        snprintf(error, TURN_RULES_ERROR_SIZE,
                 "the realm must have 1 to %d bytes", TURN_REALM_NAME_MAX);
        return ERR_CONFIG;
    }
    err = set_name(realm, options->name, error);
    if (err < 0)
        return err;
    realm->slot = options->slot;
    realm->limits = options->limits;
    err = copy_server_names(realm, options);
    if (err == 0)
        err = copy_quotas(realm, options);
    if (err < 0)
        return err;
    users.realm = realm->name;
    err = turn_users_new(&realm->users, &users, error, TURN_RULES_ERROR_SIZE);
    if (err == 0)
        err = make_tokens(realm, &options->tokens, error);
    if (err < 0)
        return err;
    err = turn_policy_new(&realm->policy, &options->policy);
    if (err < 0)
        return err;
    return make_tcp_policy(realm, options);
}

void turn_realm_deinit(struct turn_realm *realm)
{
    turn_users_free(realm->users);
    turn_tokens_free(realm->tokens);
    turn_policy_free(realm->policy);
    turn_policy_free(realm->tcp_policy);
    for (size_t i = 0; i < realm->n_server_names; i++)
        mem_free(realm->server_names[i]);
    mem_free(realm->server_names);
    for (size_t i = 0; i < realm->n_quotas; i++)
        mem_free((void *)(uintptr_t)realm->quotas[i].user.ptr);
    mem_free(realm->quotas);
    mem_free(realm->name_text);
}

bool turn_realm_user_quota(const struct turn_realm *realm, struct span user,
                           uint32_t *ret_max)
{
    for (size_t i = 0; i < realm->n_quotas; i++) {
        if (span_equal(realm->quotas[i].user, user)) {
            *ret_max = realm->quotas[i].max;
            return true;
        }
    }
    return false;
}

bool turn_realm_has_server_name(const struct turn_realm *realm,
                                struct span name)
{
    for (size_t i = 0; i < realm->n_server_names; i++) {
        if (span_equal_nocase(name, span_str(realm->server_names[i])))
            return true;
    }
    return false;
}
