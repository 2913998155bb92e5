/* SPDX-License-Identifier: MIT */
#include "turn/turn_rules.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>

/* Put the realm's name before the reason. */
static void name_realm(const struct turn_realm *realm, char *error)
{
    char reason[TURN_RULES_ERROR_SIZE];

    snprintf(reason, sizeof(reason), "%s", error);
    snprintf(error, TURN_RULES_ERROR_SIZE, "realm %.*s: %.100s",
             (int)(realm->name.len < 40 ? realm->name.len : 40),
             (const char *)realm->name.ptr, reason);
}

static int add_realm(struct turn_rules *rules,
                     const struct turn_realm_options *options, char *error)
{
    struct turn_realm *realm = &rules->realms[rules->n_realms++];
    int err = turn_realm_init(realm, options, error);

    if (err == 0) {
        for (struct turn_realm *r = rules->realms; r < realm && err == 0; r++) {
            if (!span_equal(r->name, realm->name) && r->id != realm->id)
                continue;
            snprintf(error, TURN_RULES_ERROR_SIZE,
                     "there is another realm of this name");
            err = ERR_CONFIG;
        }
    }
    if (err == ERR_CONFIG && realm != rules->realms)
        name_realm(realm, error);
    if (realm == rules->realms)
        realm->id = TURN_REALM_DEFAULT;
    return err;
}

static int build(struct turn_rules *rules,
                 const struct turn_rules_options *options,
                 char error[TURN_RULES_ERROR_SIZE])
{
    int err;

    rules->software_text =
        mem_dup(options->software.ptr, options->software.len);
    rules->realms = mem_zarray(options->n_more + 1, sizeof(*rules->realms));
    if (!rules->software_text || !rules->realms)
        return -ENOMEM;
    rules->software = span_of(rules->software_text, options->software.len);
    err = add_realm(rules, &options->realm, error);
    for (size_t i = 0; i < options->n_more && err == 0; i++)
        err = add_realm(rules, &options->more[i], error);
    return err;
}

int turn_rules_new(struct turn_rules **ret_rules,
                   const struct turn_rules_options *options,
                   char error[TURN_RULES_ERROR_SIZE])
{
    struct turn_rules *rules;
    int err;

    if (options->n_more >= TURN_REALMS_MAX) {
        snprintf(error, TURN_RULES_ERROR_SIZE, "more than %d realms",
                 TURN_REALMS_MAX);
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

const struct turn_realm *turn_rules_realm(const struct turn_rules *rules,
                                          uint32_t id)
{
    for (size_t i = 0; i < rules->n_realms; i++) {
        if (rules->realms[i].id == id)
            return &rules->realms[i];
    }
    return NULL;
}

uint32_t turn_rules_realm_of_server(const struct turn_rules *rules,
                                    struct span server_name)
{
    for (size_t i = 0; i < rules->n_realms; i++) {
        if (turn_realm_has_server_name(&rules->realms[i], server_name))
            return rules->realms[i].id;
    }
    return TURN_REALM_DEFAULT;
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
    for (size_t i = 0; i < rules->n_realms; i++)
        turn_realm_deinit(&rules->realms[i]);
    mem_free(rules->realms);
    mem_free(rules->software_text);
    mem_free(rules);
}
