/* SPDX-License-Identifier: MIT */
/* Non-INVITE server transaction: RFC 3261 17.2.2 with RFC 4320. */
#include "base/err.h"
#include "txn/sip_txn_internal.h"

/* RFC 4320 4.1: when a client's timer E has grown to T2; only then is a 100
 * of use, and then it must be sent. 3.5 s with the usual values. */
static uint64_t trying_delay(const struct sip_txn_config *cfg)
{
    uint64_t interval = cfg->t1;
    uint64_t sum = 0;

    while (interval < cfg->t2) {
        sum += interval;
        interval *= 2;
    }
    return sum;
}

void sip_nist_start(struct sip_txns *txns, struct sip_txn *txn, uint64_t now)
{
    txn->state = SIP_TXN_TRYING;
    txn_set_resend(txns, txn, trying_delay(&txns->cfg), now);
    /* After that the client has given up (timer F): RFC 4320 4.2 wants no
     * answer any more. */
    txn_set_life(txns, txn, txn_64_t1(txns), now);
}

void sip_nist_on_request(struct sip_txns *txns, struct sip_txn *txn)
{
    txns->stats.repeated++;
    if (txn->last)
        (void)txn_send_last(txns, txn); /* the client repeats its request */
}

int sip_nist_respond(struct sip_txns *txns, struct sip_txn *txn,
                     unsigned status, struct span bytes, uint64_t now)
{
    int err;

    if (txn->state == SIP_TXN_COMPLETED)
        return ERR_STATE;
    if (status == 408 || (status < 200 && status != 100))
        return ERR_DENIED;
    err = txn_keep_last(txns, txn, bytes);
    if (err < 0)
        return err;
    err = txn_send_last(txns, txn);
    if (err < 0) {
        txns->stats.errors++;
        txn_end(txns, txn, now);
        return err;
    }
    txn->last_status = (uint16_t)status;
    timers_cancel(&txns->timers, &txn->resend);
    if (status < 200) {
        txn->state = SIP_TXN_PROCEEDING;
        return 0;
    }
    txn->state = SIP_TXN_COMPLETED;
    txn_drop_request(txns, txn);
    txn_set_life(txns, txn, txn_unless_reliable(txn, txn_64_t1(txns)),
                 now); /* timer J */
    return 0;
}

void sip_nist_on_resend(struct sip_txns *txns, struct sip_txn *txn)
{
    txn->state = SIP_TXN_PROCEEDING;
    txn_send_trying(txns, txn);
}

void sip_nist_on_life(struct sip_txns *txns, struct sip_txn *txn, uint64_t now)
{
    txn_end(txns, txn, now);
}
