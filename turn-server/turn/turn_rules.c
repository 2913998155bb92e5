/* SPDX-License-Identifier: MIT */
#include "turn/turn_rules.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>

static int build(struct turn_rules *rules,
                 const struct turn_rules_options *options,
                 char error[TURN_RULES_ERROR_SIZE])
{
    struct turn_users_options users = options->users;
    int err;

    rules->realm_text = mem_dup(options->realm.ptr, options->realm.len);
    rules->software_text =
        mem_dup(options->software.ptr, options->software.len);
    if (!rules->realm_text || !rules->software_text)
        return -ENOMEM;
    rules->realm = span_of(rules->realm_text, options->realm.len);
    rules->software = span_of(rules->software_text, options->software.len);

    users.realm = rules->realm;
    err = turn_users_new(&rules->users, &users, error, TURN_RULES_ERROR_SIZE);
    if (err < 0)
        return err;
    return turn_policy_new(&rules->policy, &options->policy);
}

int turn_rules_new(struct turn_rules **ret_rules,
                   const struct turn_rules_options *options,
                   char error[TURN_RULES_ERROR_SIZE])
{
    struct turn_rules *rules;
    int err;

    if (options->realm.len == 0 || options->realm.len > 127) {
        snprintf(error, TURN_RULES_ERROR_SIZE,
                 "the realm must have 1 to 127 bytes");
        return ERR_CONFIG;
    }
    rules = mem_zalloc(sizeof(*rules));
    if (!rules)
        return -ENOMEM;
    rules->refs = 1;
    rules->limits = options->limits;
    rules->alternate_v4 = options->alternate_v4;
    rules->alternate_v6 = options->alternate_v6;
    rules->log_allocations = options->log_allocations;
    err = build(rules, options, error);
    if (err < 0) {
        turn_rules_unref(rules);
        return err;
    }
    *ret_rules = rules;
    return 0;
}

struct turn_rules *turn_rules_ref(struct turn_rules *rules)
{
    __atomic_add_fetch(&rules->refs, 1, __ATOMIC_RELAXED);
    return rules;
}

void turn_rules_unref(struct turn_rules *rules)
{
    if (!rules || __atomic_sub_fetch(&rules->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    turn_users_free(rules->users);
    turn_policy_free(rules->policy);
    mem_free(rules->realm_text);
    mem_free(rules->software_text);
    mem_free(rules);
}
