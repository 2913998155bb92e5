/* SPDX-License-Identifier: MIT */
#include "web_tokens.h"

#include "base/err.h"
#include "base/mem.h"
#include "proxy/web_forward.h"
#include "web_config_file.h"

#include <errno.h>
#include <stdio.h>

enum {
    FILE_MAX = 64 * 1024,
    KEY_TEXT = 64,
};

/* ---- settings ---- */

#define FIELD(f) offsetof(struct web_config_token, f)
static const struct option_def token_options[] = {
    {.name = "name",
     .type = OPT_STRING,
     .offset = FIELD(name),
     .min = 1,
     .max = 64,
     .flags = OPT_REQUIRED,
     .help = "what routes call it"},
    {.name = "secret-file",
     .type = OPT_SECRET_FILE,
     .offset = FIELD(secret),
     .min = JWT_SECRET_MIN,
     .max = 1024,
     .help = "HS256: file with the shared secret"},
    {.name = "key-file",
     .type = OPT_FILE,
     .offset = FIELD(key_file),
     .help = "RS256 or ES256: PEM file of the public key"},
    {.name = "jwks-file",
     .type = OPT_FILE,
     .offset = FIELD(jwks_file),
     .help = "keys as a JSON Web Key Set, chosen by kid"},
    {.name = "source",
     .type = OPT_ENUM,
     .offset = FIELD(source),
     .values = "query|header|cookie",
     .fallback = "query",
     .help = "where the token is"},
    {.name = "source-name",
     .type = OPT_STRING,
     .offset = FIELD(source_name),
     .min = 1,
     .max = 64,
     .help = "name of the argument, field or cookie; otherwise token, and "
             "Authorization (Bearer) for header"},
    {.name = "strip",
     .type = OPT_BOOL,
     .offset = FIELD(strip),
     .fallback = "false",
     .help = "do not pass the token on to the back end"},
    {.name = "issuer",
     .type = OPT_STRING,
     .offset = FIELD(issuer),
     .min = 1,
     .max = 255,
     .help = "what iss has to be"},
    {.name = "audience",
     .type = OPT_STRING,
     .offset = FIELD(audiences),
     .min = 1,
     .max = 255,
     .flags = OPT_LIST,
     .help = "of which aud has to have one"},
    {.name = "leeway",
     .type = OPT_DURATION,
     .offset = FIELD(leeway),
     .max = 600000,
     .fallback = "30s",
     .help = "how far clocks may differ for exp and nbf"},
    {.name = "expires",
     .type = OPT_BOOL,
     .offset = FIELD(expires),
     .fallback = "true",
     .help = "refuse tokens without exp"},
    {.name = "claim",
     .type = OPT_STRING,
     .offset = FIELD(claim),
     .min = 1,
     .max = 64,
     .help = "a claim that has to be there; told to the back end in field, "
             "or bound to the path by a route's token-segment"},
    {.name = "field",
     .type = OPT_STRING,
     .offset = FIELD(field),
     .min = 1,
     .max = 64,
     .help = "header field for the claim; clients' own is dropped on all "
             "routes"},
};
#undef FIELD

const struct option_table web_tokens_table = {
    token_options, ARRAY_SIZE(token_options), sizeof(struct web_config_token),
    "name"};

static const char *key_of(char out[KEY_TEXT], size_t i, const char *name)
{
    (void)snprintf(out, KEY_TEXT, "token-policy[%zu].%s", i, name);
    return out;
}

/* Only fields that mean nothing to us; '_' would make two names of one. */
static bool is_free_field(const char *field)
{
    struct span name = span_str(field);

    return http_is_token(name) && span_find(name, '_') < 0 &&
           http_field_of(name) == HTTP_FIELD_OTHER &&
           !web_forward_is_ours(name);
}

static void check_policy(struct config_build *build, const struct web_config *c,
                         size_t i)
{
    const struct web_config_token *t = &c->tokens.items[i];
    char key[KEY_TEXT];

    for (size_t k = 0; k < i; k++) {
        if (strcmp(t->name, c->tokens.items[k].name) == 0)
            config_error(build, key_of(key, i, "name"), "\"%s\" is there twice",
                         t->name);
    }
    if (!t->secret.path && !t->key_file && !t->jwks_file)
        config_error(build, key_of(key, i, "name"),
                     "\"%s\" needs secret-file, key-file or jwks-file",
                     t->name);
    if (t->source_name && !http_is_token(span_str(t->source_name)))
        config_error(build, key_of(key, i, "source-name"),
                     "\"%s\" has characters that no name has", t->source_name);
    if (t->field && !t->claim)
        config_error(build, key_of(key, i, "field"),
                     "needs a claim to tell the back end");
    if (t->field && !is_free_field(t->field))
        config_error(build, key_of(key, i, "field"),
                     "\"%s\" is no field name, or has a meaning of its own",
                     t->field);
}

void web_tokens_check(struct config_build *build, const struct web_config *c)
{
    for (size_t i = 0; i < c->tokens.n; i++)
        check_policy(build, c, i);
}

/* ---- keys ---- */

struct web_tokens {
    const struct web_config *config;
    struct web_jwt *items; /* in the order of the settings */
    struct jwt_keys **keys;
    const char **fields;
    size_t n, n_fields;
};

void web_tokens_free(struct web_tokens *tokens)
{
    if (!tokens)
        return;
    for (size_t i = 0; tokens->keys && i < tokens->n; i++)
        jwt_keys_free(tokens->keys[i]);
    mem_free(tokens->keys);
    mem_free(tokens->items);
    mem_free(tokens->fields);
    mem_free(tokens);
}

/* The whole file at the end of `out`. */
static int add_file(struct jwt_keys *keys, const char *path,
                    int (*add)(struct jwt_keys *keys, struct span text,
                               struct buf *why),
                    struct buf *why)
{
    struct buf text;
    int err;

    if (!path)
        return 0;
    buf_init(&text, FILE_MAX);
    err = web_config_read_file(path, &text);
    if (err < 0)
        buf_put_str(why, err_str(err));
    else
        err = add(keys, buf_span(&text), why);
    buf_deinit(&text);
    if (err < 0)
        buf_printf(why, ": %s", path);
    return err;
}

static int add_keys(struct jwt_keys *keys, const struct web_config_token *t,
                    struct buf *why)
{
    int err = 0;

    if (t->secret.path)
        err = jwt_keys_add_secret(keys, t->secret.value, why);
    if (err == 0)
        err = add_file(keys, t->key_file, jwt_keys_add_pem, why);
    if (err == 0)
        err = add_file(keys, t->jwks_file, jwt_keys_add_jwks, why);
    return err;
}

static void fill(struct web_jwt *jwt, const struct web_config_token *t,
                 const struct jwt_keys *keys)
{
    jwt->source = (enum web_jwt_source)t->source;
    jwt->name = t->source_name;
    if (!jwt->name)
        jwt->name = jwt->source == WEB_JWT_HEADER ? "authorization" : "token";
    jwt->strip = t->strip;
    jwt->policy.keys = keys;
    jwt->policy.issuer = t->issuer;
    jwt->policy.audiences = t->audiences.items;
    jwt->policy.n_audiences = t->audiences.n;
    jwt->policy.leeway_s = t->leeway / 1000;
    jwt->policy.forever = !t->expires;
    jwt->policy.claim = t->claim;
    jwt->field = t->field;
}

static int build_policy(struct web_tokens *tokens,
                        const struct web_config_token *t, struct buf *error)
{
    struct jwt_keys *keys = jwt_keys_new();
    struct buf why;
    int err;

    if (!keys)
        return -ENOMEM;
    tokens->keys[tokens->n] = keys;
    fill(&tokens->items[tokens->n++], t, keys);
    if (t->field)
        tokens->fields[tokens->n_fields++] = t->field;
    buf_init(&why, 1024);
    err = add_keys(keys, t, &why);
    if (err < 0 && err != -ENOMEM) {
        buf_printf(error, "token-policy \"%s\": %.*s\n", t->name,
                   SPAN_FMT(buf_span(&why)));
        err = ERR_CONFIG;
    }
    buf_deinit(&why);
    return err;
}

int web_tokens_new(struct web_tokens **ret_tokens, const struct web_config *c,
                   struct buf *error)
{
    struct web_tokens *tokens = mem_zalloc(sizeof(*tokens));
    int err = 0;

    if (!tokens)
        return -ENOMEM;
    tokens->config = c;
    tokens->items = mem_zarray(c->tokens.n + 1, sizeof(*tokens->items));
    tokens->keys = mem_zarray(c->tokens.n + 1, sizeof(struct jwt_keys *));
    tokens->fields = mem_zarray(c->tokens.n + 1, sizeof(const char *));
    if (!tokens->items || !tokens->keys || !tokens->fields)
        err = -ENOMEM;
    for (size_t i = 0; err == 0 && i < c->tokens.n; i++)
        err = build_policy(tokens, &c->tokens.items[i], error);
    if (err < 0) {
        web_tokens_free(tokens);
        return err;
    }
    *ret_tokens = tokens;
    return 0;
}

const struct web_jwt *web_tokens_find(const struct web_tokens *tokens,
                                      const char *name)
{
    for (size_t i = 0; name && i < tokens->n; i++) {
        if (strcmp(tokens->config->tokens.items[i].name, name) == 0)
            return &tokens->items[i];
    }
    return NULL;
}

const char *const *web_tokens_fields(const struct web_tokens *tokens,
                                     size_t *ret_n)
{
    *ret_n = tokens->n_fields;
    return tokens->fields;
}
