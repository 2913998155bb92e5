/* SPDX-License-Identifier: MIT */
#include "txn/sip_target.h"

bool sip_target_same_peer(const struct sip_target *a,
                          const struct sip_target *b)
{
    if (a->transport != b->transport)
        return false;
    if (a->flow != 0 && a->flow == b->flow)
        return true;
    if (sip_transport_is_ws(a->transport))
        return false;
    return addr_same_ip(&a->remote, &b->remote);
}
