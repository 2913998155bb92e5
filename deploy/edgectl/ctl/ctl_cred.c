/* SPDX-License-Identifier: MIT */
#include "ctl/ctl_cred.h"

#include "base/crypto.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>

static const uint64_t lifetime_max = (uint64_t)10 * 366 * 86400;

bool ctl_cred_secret(struct span file, struct span *ret_secret)
{
    struct span line;

    while (span_next(&file, '\n', &line)) {
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (line.len > 0 && line.ptr[0] != '#') {
            *ret_secret = line;
            return true;
        }
    }
    return false;
}

static bool is_id(struct span id)
{
    for (size_t i = 0; i < id.len; i++) {
        if (id.ptr[i] < 0x20 || id.ptr[i] == 0x7f)
            return false;
    }
    return id.len <= CTL_CRED_ID_MAX && text_is_utf8(id);
}

int ctl_cred_make(struct span secret, struct span id, uint64_t expires,
                  struct ctl_cred *ret_cred)
{
    uint8_t mac[CRYPTO_SHA1_SIZE];
    struct span name;

    _Static_assert(TEXT_BASE64_SIZE(CRYPTO_SHA1_SIZE) <= CTL_CRED_PASSWORD_SIZE,
                   "the password fits");
    if (!is_id(id))
        return ERR_PARSE;
    (void)snprintf(ret_cred->user, sizeof(ret_cred->user), "%llu%s%.*s",
                   (unsigned long long)expires, id.len ? ":" : "", (int)id.len,
                   id.len ? (const char *)id.ptr : "");
    name = span_str(ret_cred->user);
    crypto_hmac_sha1(secret, &name, 1, mac);
    (void)text_base64(TEXT_BASE64, span_of(mac, sizeof(mac)),
                      ret_cred->password);
    mem_wipe(mac, sizeof(mac));
    return 0;
}

static uint64_t unit_of(char c)
{
    return c == 's'   ? 1
           : c == 'm' ? 60
           : c == 'h' ? 3600
           : c == 'd' ? 86400
                      : 0;
}

int ctl_cred_lifetime(const char *text, uint64_t *ret_seconds)
{
    struct span number = span_str(text);
    uint64_t unit, value;

    unit = number.len ? unit_of((char)number.ptr[number.len - 1]) : 0;
    if (unit)
        number.len--;
    if (span_to_u64(number, lifetime_max, &value) < 0)
        return ERR_PARSE;
    value *= unit ? unit : 1;
    if (value == 0 || value > lifetime_max)
        return ERR_PARSE;
    *ret_seconds = value;
    return 0;
}
