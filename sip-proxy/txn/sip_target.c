/* SPDX-License-Identifier: MIT */
#include "txn/sip_target.h"

bool sip_target_same_peer(const struct sip_target *a,
                          const struct sip_target *b)
{
    if (a->transport != b->transport)
        return false;
    /* Neighbours behind one NAT are not each other. */
    if (a->flow != 0 && b->flow != 0)
        return a->flow == b->flow;
    if (sip_transport_is_ws(a->transport))
        return false;
    return a->listener == b->listener && addr_same_ip(&a->remote, &b->remote);
}
