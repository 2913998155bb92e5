/* SPDX-License-Identifier: MIT */
#include "ctl/ctl_stun.h"

#include "base/err.h"
#include "stun/stun_attr.h"
#include "stun/stun_auth.h"
#include "stun/stun_msg.h"

enum { TRANSPORT_UDP = 17 };

int ctl_stun_binding(const uint8_t *tid, uint8_t out[CTL_STUN_MAX])
{
    struct stun_writer w;

    stun_write_start(&w, out, CTL_STUN_MAX, STUN_REQUEST, STUN_BINDING, tid);
    stun_write_fingerprint(&w);
    return stun_write_finish(&w);
}

static void sign(struct stun_writer *w, const struct ctl_stun_user *user)
{
    struct stun_key key;

    if (!user->name.len)
        return;
    stun_write(w, STUN_USERNAME, user->name);
    stun_write(w, STUN_REALM, user->realm);
    stun_write(w, STUN_NONCE, user->nonce);
    stun_key_make(STUN_ALGORITHM_MD5, user->name, user->realm, user->password,
                  &key);
    stun_write_integrity(w, STUN_INTEGRITY_SHA1, &key);
}

int ctl_stun_allocate(const uint8_t *tid, const struct ctl_stun_user *user,
                      uint32_t lifetime, uint8_t out[CTL_STUN_MAX])
{
    struct stun_writer w;

    stun_write_start(&w, out, CTL_STUN_MAX, STUN_REQUEST,
                     lifetime ? STUN_ALLOCATE : STUN_REFRESH, tid);
    if (lifetime)
        stun_write_u32(&w, STUN_REQUESTED_TRANSPORT,
                       (uint32_t)TRANSPORT_UDP << 24);
    stun_write_u32(&w, STUN_LIFETIME, lifetime);
    sign(&w, user);
    stun_write_fingerprint(&w);
    return stun_write_finish(&w);
}

int ctl_stun_channel(const uint8_t *tid, const struct ctl_stun_user *user,
                     uint16_t number, const struct addr *peer,
                     uint8_t out[CTL_STUN_MAX])
{
    struct stun_writer w;

    stun_write_start(&w, out, CTL_STUN_MAX, STUN_REQUEST, STUN_CHANNEL_BIND,
                     tid);
    stun_write_u32(&w, STUN_CHANNEL_NUMBER, (uint32_t)number << 16);
    stun_write_xor_addr(&w, STUN_XOR_PEER_ADDRESS, peer);
    sign(&w, user);
    stun_write_fingerprint(&w);
    return stun_write_finish(&w);
}

int ctl_stun_change(const uint8_t *tid, bool ip, bool port,
                    uint8_t out[CTL_STUN_MAX])
{
    struct stun_writer w;

    stun_write_start(&w, out, CTL_STUN_MAX, STUN_REQUEST, STUN_BINDING, tid);
    stun_write_u32(&w, STUN_CHANGE_REQUEST, (ip ? 4 : 0) | (port ? 2 : 0));
    stun_write_fingerprint(&w);
    return stun_write_finish(&w);
}

int ctl_stun_read_data(struct span packet, struct ctl_stun_data *ret_data)
{
    struct ctl_stun_data d = {0};
    struct stun_msg msg;
    struct span icmp, peer;
    size_t len;

    if (packet.len >= 4 && stun_is_channel((uint8_t)packet.ptr[0])) {
        len = (size_t)((uint8_t)packet.ptr[2] << 8 | (uint8_t)packet.ptr[3]);
        d.channel =
            (uint16_t)((uint8_t)packet.ptr[0] << 8 | (uint8_t)packet.ptr[1]);
        d.data = span_head(span_from(packet, 4), len);
        *ret_data = d;
        return d.data.len == len ? 0 : ERR_PARSE;
    }
    if (stun_msg_read(&msg, packet) < 0)
        return ERR_PARSE;
    if (msg.class != STUN_INDICATION || msg.method != STUN_DATA)
        return ERR_STATE;
    peer = stun_msg_attr(&msg, STUN_XOR_PEER_ADDRESS);
    if (!peer.ptr || stun_attr_xor_addr(&msg, peer, &d.peer) < 0)
        return ERR_PARSE;
    d.data = stun_msg_attr(&msg, STUN_DATA_VALUE);
    icmp = stun_msg_attr(&msg, STUN_ICMP); /* RFC 8656 18.13 */
    if (icmp.len >= 4) {
        d.icmp = true; /* 7 bits of type, 9 of code */
        d.icmp_type = icmp.ptr[2] >> 1;
        d.icmp_code = (uint16_t)((icmp.ptr[2] & 1) << 8 | icmp.ptr[3]);
    }
    *ret_data = d;
    return 0;
}

static void copy_text(struct span from, char to[CTL_STUN_TEXT])
{
    size_t len = from.len < CTL_STUN_TEXT ? from.len : CTL_STUN_TEXT - 1;

    if (len)
        memcpy(to, from.ptr, len);
    to[len] = 0;
}

int ctl_stun_read(struct span packet, const uint8_t *tid,
                  struct ctl_stun_answer *ret_answer)
{
    struct ctl_stun_answer a = {0};
    struct span reason, value;
    struct stun_msg msg;
    int err = stun_msg_read(&msg, packet);

    if (err < 0)
        return err;
    if ((msg.class != STUN_SUCCESS && msg.class != STUN_ERROR) ||
        memcmp(stun_msg_tid(&msg), tid, STUN_TID_SIZE) != 0)
        return ERR_STATE;
    if (msg.class == STUN_ERROR &&
        (stun_attr_error(stun_msg_attr(&msg, STUN_ERROR_CODE), &a.code,
                         &reason) < 0 ||
         a.code == 0))
        return ERR_PARSE;
    copy_text(stun_msg_attr(&msg, STUN_REALM), a.realm);
    copy_text(stun_msg_attr(&msg, STUN_NONCE), a.nonce);
    value = stun_msg_attr(&msg, STUN_XOR_MAPPED_ADDRESS);
    if (value.ptr && stun_attr_xor_addr(&msg, value, &a.mapped) < 0)
        return ERR_PARSE;
    value = stun_msg_attr(&msg, STUN_XOR_RELAYED_ADDRESS);
    if (value.ptr && stun_attr_xor_addr(&msg, value, &a.relayed) < 0)
        return ERR_PARSE;
    value = stun_msg_attr(&msg, STUN_OTHER_ADDRESS);
    if (value.ptr && stun_attr_addr(value, &a.other) < 0)
        return ERR_PARSE;
    *ret_answer = a;
    return 0;
}
