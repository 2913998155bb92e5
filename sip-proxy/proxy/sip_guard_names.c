/* SPDX-License-Identifier: MIT */
/* Whose credentials are in a request. A media server takes those that fit its
 * realm, wherever they stand, so all count that may be taken for a user's
 * name: who guesses shall not hide one behind another. */
#include "proxy/sip_guard_internal.h"

enum { USER_MAX = 128 };

/* The value behind `username=`, unquoted into `name`; what is longer than any
 * user's is cut. */
static struct span read_name(struct span s, char name[USER_MAX])
{
    bool is_quoted = s.len > 0 && s.ptr[0] == '"';
    size_t n = 0;

    for (s = span_from(s, is_quoted); s.len > 0 && n < USER_MAX;
         s = span_from(s, 1)) {
        if (is_quoted ? s.ptr[0] == '"' : s.ptr[0] == ',' || s.ptr[0] == ' ')
            break;
        if (is_quoted && s.ptr[0] == '\\' && s.len > 1)
            s = span_from(s, 1);
        name[n++] = (char)s.ptr[0];
    }
    return span_of(name, n);
}

/* Behind the next `username=` of the credentials. False: there is none. */
static bool find_name(struct span *credentials)
{
    static const char word[] = "username";
    struct span s = *credentials;

    for (; s.len > 0; s = span_from(s, 1)) {
        struct span behind;

        if (!span_starts_nocase(s, word))
            continue;
        behind = sip_trim(span_from(s, sizeof(word) - 1));
        if (span_starts(behind, "*")) /* RFC 7616 3.4 */
            behind = sip_trim(span_from(behind, 1));
        if (!span_starts(behind, "="))
            continue;
        *credentials = sip_trim(span_from(behind, 1));
        return true;
    }
    return false;
}

static void add(const struct sip_guard *guard, struct span name,
                struct sip_guard_names *names)
{
    const uint64_t swapped[2] = {guard->seed[1], guard->seed[0]};
    uint64_t hash[2];
    struct sip_recent_key key;

    hash[0] = map_hash(guard->seed, name);
    hash[1] = map_hash(swapped, name);
    memcpy(key.bytes, hash, sizeof(key.bytes));
    for (size_t i = 0; i < names->n; i++) {
        if (sip_guard_same(&names->keys[i], &key))
            return;
    }
    if (names->n == SIP_GUARD_NAMES_MAX)
        names->is_more = true;
    else
        names->keys[names->n++] = key;
}

void sip_guard_read_names(const struct sip_guard *guard,
                          const struct sip_msg *request,
                          struct sip_guard_names *ret_names)
{
    *ret_names = (struct sip_guard_names){.n = 0};
    for (unsigned i = 0; i < request->n_hdrs; i++) {
        const struct sip_hdr *hdr = &request->hdrs[i];
        struct span rest = hdr->value;
        char name[USER_MAX];
        bool is_named = false;

        if (hdr->id != SIP_HDR_AUTHORIZATION &&
            hdr->id != SIP_HDR_PROXY_AUTHORIZATION)
            continue;
        for (; find_name(&rest); is_named = true)
            add(guard, read_name(rest, name), ret_names);
        if (!is_named)
            add(guard, span_of(NULL, 0), ret_names);
    }
}
