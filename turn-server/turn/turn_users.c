/* SPDX-License-Identifier: MIT */
#include "turn/turn_users.h"

#include "base/crypto.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"
#include "turn/turn_prep.h"

#include <errno.h>
#include <stdio.h>

enum {
    USERS_MAX = 1000000,
};

struct user {
    char *name;
    size_t name_len;
    struct stun_key md5; /* len 0: not known */
    struct stun_key sha256;
    uint8_t hash[CRYPTO_SHA256_SIZE];
};

struct turn_users {
    struct user *users;
    size_t n;
    struct map by_name;
    struct map by_hash;
    size_t without_sha256;
    struct span realm; /* borrowed from the rules */
    struct span secrets[TURN_SECRETS_MAX];
    char *secret_text; /* what the spans point into; wiped */
    size_t secret_len;
    size_t n_secrets;
};

static int refuse(char *error, size_t size, size_t line, const char *why)
{
    snprintf(error, size, "line %zu: %s", line, why);
    return ERR_CONFIG;
}

static struct span without_cr(struct span line)
{
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

static bool is_skipped(struct span line)
{
    return line.len == 0 || line.ptr[0] == '#';
}

static size_t count_lines(struct span text)
{
    struct span line;
    size_t n = 0;

    while (span_next(&text, '\n', &line))
        n += !is_skipped(without_cr(line));
    return n;
}

static bool is_key(struct span value, size_t size, struct stun_key *ret_key)
{
    uint8_t bytes[CRYPTO_SHA256_SIZE];

    if (value.len != 2 * size ||
        text_unhex(value, bytes, sizeof(bytes)) != (int)size)
        return false;
    memcpy(ret_key->bytes, bytes, size);
    ret_key->len = (uint8_t)size;
    return true;
}

/* Prepare by RFC 8265 what is not plain: `*text` lies in `room` then. */
static int prepare(struct span *text, uint8_t room[TURN_PREP_SIZE])
{
    int len;

    if (turn_prep_is_plain(*text))
        return 0;
    len = turn_prep(*text, room);
    if (len < 0)
        return ERR_PARSE;
    *text = span_of(room, (size_t)len);
    return 0;
}

static int make_keys(struct user *user, struct span realm, struct span value)
{
    struct span name = span_of(user->name, user->name_len);
    uint8_t room[TURN_PREP_SIZE];
    int err;

    if (is_key(value, CRYPTO_MD5_SIZE, &user->md5) ||
        is_key(value, CRYPTO_SHA256_SIZE, &user->sha256))
        return 0;
    err = prepare(&value, room);
    if (err == 0) {
        stun_key_make(STUN_ALGORITHM_MD5, name, realm, value, &user->md5);
        stun_key_make(STUN_ALGORITHM_SHA256, name, realm, value, &user->sha256);
    }
    mem_wipe(room, sizeof(room));
    return err;
}

static int add_user(struct turn_users *users, struct span name,
                    struct span value)
{
    struct user *user = &users->users[users->n];
    uint8_t room[TURN_PREP_SIZE];
    int err = prepare(&name, room);

    if (err < 0 || name.len > TURN_USERNAME_MAX)
        return ERR_PARSE;
    user->name = mem_dup(name.ptr, name.len);
    if (!user->name)
        return -ENOMEM;
    user->name_len = name.len;
    users->n++; /* from here on turn_users_free() knows it */
    err = make_keys(user, users->realm, value);
    if (err < 0)
        return err;
    users->without_sha256 += user->sha256.len == 0;
    stun_userhash(name, users->realm, user->hash);
    err = map_put(&users->by_name, span_of(user->name, user->name_len), user);
    if (err < 0)
        return err;
    return map_put(&users->by_hash, span_of(user->hash, sizeof(user->hash)),
                   user);
}

static int read_users(struct turn_users *users, struct span text, char *error,
                      size_t size)
{
    struct span line, name, value;
    size_t number = 0;
    int err;

    users->users = mem_zarray(count_lines(text) + 1, sizeof(*users->users));
    if (!users->users)
        return -ENOMEM;
    while (span_next(&text, '\n', &line)) {
        number++;
        line = without_cr(line);
        if (is_skipped(line))
            continue;
        if (!span_cut(line, ':', &name, &value) || name.len == 0 ||
            value.len == 0)
            return refuse(error, size, number, "name:password expected");
        if (name.len > TURN_USERNAME_MAX || !text_is_utf8(line))
            return refuse(error, size, number,
                          "name too long, or not in UTF-8");
        err = add_user(users, name, value);
        if (err == ERR_PARSE)
            return refuse(error, size, number,
                          "name or password has a character that RFC 8265 "
                          "does not allow, or is too long");
        if (err == ERR_STATE)
            return refuse(error, size, number, "this name stands twice");
        if (err == ERR_LIMIT)
            return refuse(error, size, number, "too many users");
        if (err < 0)
            return err;
    }
    return 0;
}

static int read_secrets(struct turn_users *users, struct span text, char *error,
                        size_t size)
{
    struct span rest, line;
    size_t number = 0;

    users->secret_text = mem_dup(text.ptr, text.len);
    if (!users->secret_text)
        return -ENOMEM;
    users->secret_len = text.len;
    rest = span_of(users->secret_text, text.len);
    while (span_next(&rest, '\n', &line)) {
        number++;
        line = without_cr(line);
        if (line.len == 0)
            continue;
        if (users->n_secrets == TURN_SECRETS_MAX)
            return refuse(error, size, number, "more than 4 secrets");
        users->secrets[users->n_secrets++] = line;
    }
    return 0;
}

int turn_users_new(struct turn_users **ret_users,
                   const struct turn_users_options *options, char *error,
                   size_t error_size)
{
    struct turn_users *users = mem_zalloc(sizeof(*users));
    uint8_t seed[16];
    int err;

    if (!users)
        return -ENOMEM;
    crypto_random(seed, sizeof(seed));
    map_init(&users->by_name, USERS_MAX, seed);
    map_init(&users->by_hash, USERS_MAX, seed);
    users->realm = options->realm;
    err = read_users(users, options->users, error, error_size);
    if (err == 0)
        err = read_secrets(users, options->secrets, error, error_size);
    if (err < 0) {
        turn_users_free(users);
        return err;
    }
    *ret_users = users;
    return 0;
}

void turn_users_free(struct turn_users *users)
{
    if (!users)
        return;
    map_deinit(&users->by_name);
    map_deinit(&users->by_hash);
    for (size_t i = 0; i < users->n; i++)
        mem_free(users->users[i].name);
    if (users->users)
        mem_wipe(users->users, users->n * sizeof(*users->users));
    mem_free(users->users);
    if (users->secret_text)
        mem_wipe(users->secret_text, users->secret_len);
    mem_free(users->secret_text);
    mem_free(users);
}

static bool fill_static(const struct user *user, enum stun_algorithm algorithm,
                        struct turn_user *ret_user)
{
    const struct stun_key *key =
        algorithm == STUN_ALGORITHM_SHA256 ? &user->sha256 : &user->md5;

    if (key->len == 0)
        return false;
    ret_user->name = span_of(user->name, user->name_len);
    ret_user->quota = ret_user->name;
    ret_user->expiry = 0;
    ret_user->keys[0] = *key;
    ret_user->n_keys = 1;
    return true;
}

/* "1767225600:alice" or "1767225600"; anything else is no timed name. */
static bool timed_name(struct span name, uint64_t *ret_expiry,
                       struct span *ret_quota)
{
    struct span stamp = name;
    struct span id = {NULL, 0};

    (void)span_cut(name, ':', &stamp, &id);
    if (span_to_u64(stamp, UINT64_MAX, ret_expiry) < 0 || *ret_expiry == 0)
        return false;
    *ret_quota = id.len > 0 ? id : name;
    return true;
}

static bool fill_timed(const struct turn_users *users, struct span name,
                       enum stun_algorithm algorithm,
                       struct turn_user *ret_user)
{
    uint8_t mac[CRYPTO_SHA1_SIZE];
    char password[TEXT_BASE64_SIZE(CRYPTO_SHA1_SIZE)];

    if (users->n_secrets == 0 ||
        !timed_name(name, &ret_user->expiry, &ret_user->quota))
        return false;
    ret_user->name = name;
    ret_user->n_keys = users->n_secrets;
    for (size_t i = 0; i < users->n_secrets; i++) {
        size_t len;

        crypto_hmac_sha1(users->secrets[i], &name, 1, mac);
        len = text_base64(TEXT_BASE64, span_of(mac, sizeof(mac)), password);
        stun_key_make(algorithm, name, users->realm, span_of(password, len),
                      &ret_user->keys[i]);
    }
    mem_wipe(password, sizeof(password));
    return true;
}

bool turn_users_find(const struct turn_users *users, struct span name,
                     enum stun_algorithm algorithm, struct turn_user *ret_user)
{
    const struct user *user = map_find(&users->by_name, name);
    struct span prepared = name;
    uint8_t room[TURN_PREP_SIZE];

    if (!user && prepare(&prepared, room) == 0 && prepared.ptr != name.ptr)
        user = map_find(&users->by_name, prepared);
    if (user)
        return fill_static(user, algorithm, ret_user);
    return fill_timed(users, name, algorithm, ret_user);
}

bool turn_users_find_hash(const struct turn_users *users, struct span hash,
                          enum stun_algorithm algorithm,
                          struct turn_user *ret_user)
{
    const struct user *user = map_find(&users->by_hash, hash);

    return user && fill_static(user, algorithm, ret_user);
}

uint32_t turn_users_features(const struct turn_users *users)
{
    uint32_t features = 0;

    if (users->without_sha256 == 0)
        features |= STUN_FEATURE_ALGORITHMS;
    if (users->n_secrets == 0 && users->n > 0)
        features |= STUN_FEATURE_ANONYMITY;
    return features;
}

size_t turn_users_count(const struct turn_users *users)
{
    return users->n;
}

size_t turn_users_secrets(const struct turn_users *users)
{
    return users->n_secrets;
}
