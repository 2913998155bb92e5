/* SPDX-License-Identifier: MIT */
/* INVITE server transaction: RFC 3261 17.2.1 with the Accepted state of
 * RFC 6026 7.1.
 */
#include "base/err.h"
#include "txn/sip_txn_internal.h"

#include <errno.h>

void sip_ist_start(struct sip_txns *txns, struct sip_txn *txn, uint64_t now)
{
    txn->state = SIP_TXN_PROCEEDING;
    txn_set_resend(txns, txn, txns->cfg.trying_after, now);
}

static void on_ack(struct sip_txns *txns, struct sip_txn *txn, uint64_t now)
{
    if (txn->state != SIP_TXN_COMPLETED)
        return;
    txn->state = SIP_TXN_CONFIRMED;
    txn_stop_timers(txns, txn);
    txn_drop_last(txns, txn);
    txn_set_life(txns, txn, txn_unless_reliable(txn, txns->cfg.t4),
                 now); /* timer I */
}

enum sip_match sip_ist_on_request(struct sip_txns *txns, struct sip_txn *txn,
                                  const struct sip_msg *msg, uint64_t now)
{
    if (msg->method == SIP_METHOD_ACK) {
        if (txn->state == SIP_TXN_ACCEPTED)
            return SIP_MATCH_ACK;
        on_ack(txns, txn, now);
        return SIP_MATCH_DONE;
    }
    txns->stats.repeated++;
    /* In ACCEPTED and CONFIRMED nothing is kept, so nothing is sent. */
    if (txn->last)
        (void)txn_send_last(txns, txn); /* the client repeats its request */
    return SIP_MATCH_DONE;
}

static int respond_final(struct sip_txns *txns, struct sip_txn *txn,
                         unsigned status, struct span bytes, uint64_t now)
{
    int err = 0;

    /* The copy first: without it the response could not be repeated. */
    if (status >= 300)
        err = txn_keep_last(txns, txn, bytes);
    if (err < 0)
        return err;
    err = txn_send(txns, txn, bytes);
    if (err < 0) {
        txns->stats.errors++;
        txn_end(txns, txn, now);
        return err;
    }
    txn->last_status = (uint16_t)status;
    txn_stop_timers(txns, txn);
    txn_drop_request(txns, txn);
    txn_set_life(txns, txn, txn_64_t1(txns), now); /* timers L and H */
    if (status < 300) {
        txn->state = SIP_TXN_ACCEPTED;
        txn_drop_last(txns, txn);
        return 0;
    }
    txn->state = SIP_TXN_COMPLETED;
    if (!txn_is_reliable(txn))
        txn_set_resend(txns, txn, txns->cfg.t1, now); /* timer G */
    return 0;
}

int sip_ist_respond(struct sip_txns *txns, struct sip_txn *txn, unsigned status,
                    struct span bytes, uint64_t now)
{
    int err;

    if (txn->state == SIP_TXN_ACCEPTED && status / 100 == 2)
        return txn_send(txns, txn, bytes);
    if (txn->state != SIP_TXN_PROCEEDING)
        return ERR_STATE;
    if (status >= 200)
        return respond_final(txns, txn, status, bytes, now);

    err = txn_keep_last(txns, txn, bytes);
    if (err < 0)
        return err;
    txn->last_status = (uint16_t)status;
    timers_cancel(&txns->timers, &txn->resend); /* no automatic 100 any more */
    err = txn_send_last(txns, txn);
    if (err < 0) {
        txns->stats.errors++;
        txn_end(txns, txn, now);
    }
    return err;
}

void sip_ist_on_resend(struct sip_txns *txns, struct sip_txn *txn, uint64_t now)
{
    uint64_t next = (uint64_t)txn->interval * 2;
    int err;

    if (txn->state == SIP_TXN_PROCEEDING) {
        txn_send_trying(txns, txn);
        return;
    }
    err = txn_send_last(txns, txn);
    if (err < 0) {
        txn_end_error(txns, txn, err, now);
        return;
    }
    txns->stats.retransmitted++;
    txn_set_resend(txns, txn, next < txns->cfg.t2 ? next : txns->cfg.t2, now);
}

void sip_ist_on_life(struct sip_txns *txns, struct sip_txn *txn, uint64_t now)
{
    if (txn->state != SIP_TXN_COMPLETED) {
        txn_end(txns, txn, now); /* timers I, L */
        return;
    }
    txns->stats.timeouts++;
    txn_end_error(txns, txn, -ETIMEDOUT, now); /* timer H */
}
