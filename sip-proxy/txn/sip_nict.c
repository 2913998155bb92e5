/* SPDX-License-Identifier: MIT */
/* Non-INVITE client transaction: RFC 3261 17.1.2. */
#include "txn/sip_txn_internal.h"

void sip_nict_start(struct sip_txns *txns, struct sip_txn *txn, uint64_t now)
{
    txn->state = SIP_TXN_TRYING;
    if (!txn_is_reliable(txn))
        txn_set_resend(txns, txn, txns->cfg.t1, now); /* timer E */
    txn_set_life(txns, txn, txn_64_t1(txns), now);    /* timer F */
}

/* Timer E: doubles up to T2; T2 once something was heard. */
void sip_nict_on_resend(struct sip_txns *txns, struct sip_txn *txn,
                        uint64_t now)
{
    uint64_t next = (uint64_t)txn->interval * 2;
    int err;

    err = txn_send_request(txns, txn);
    if (err < 0) {
        txn_end_error(txns, txn, err, now);
        return;
    }
    txns->stats.retransmitted++;
    if (txn->state == SIP_TXN_PROCEEDING || next > txns->cfg.t2)
        next = txns->cfg.t2;
    txn_set_resend(txns, txn, next, now);
}

void sip_nict_on_life(struct sip_txns *txns, struct sip_txn *txn, uint64_t now)
{
    if (txn->state == SIP_TXN_COMPLETED)
        txn_end(txns, txn, now); /* timer K */
    else
        txn_end_timeout(txns, txn, now); /* timer F */
}

void sip_nict_on_response(struct sip_txns *txns, struct sip_txn *txn,
                          const struct sip_msg *msg, uint64_t now)
{
    if (txn->state == SIP_TXN_COMPLETED) {
        txns->stats.repeated++;
        return;
    }
    txn->last_status = (uint16_t)msg->status;
    if (msg->status < 200) {
        txn->state = SIP_TXN_PROCEEDING;
    } else {
        txn->state = SIP_TXN_COMPLETED;
        txn_stop_timers(txns, txn);
        txn_drop_request(txns, txn);
        txn_set_life(txns, txn, txn_unless_reliable(txn, txns->cfg.t4),
                     now); /* timer K */
    }
    txn_tell_response(txns, txn, msg, now);
}
