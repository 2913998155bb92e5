/* SPDX-License-Identifier: MIT */
/* INVITE client transaction: RFC 3261 17.1.1 with the Accepted state of
 * RFC 6026 7.2.
 */
#include "msg/sip_build.h"
#include "txn/sip_txn_internal.h"

#include <errno.h>

void sip_ict_start(struct sip_txns *txns, struct sip_txn *txn, uint64_t now)
{
    txn->state = SIP_TXN_CALLING;
    if (!txn_is_reliable(txn))
        txn_set_resend(txns, txn, txns->cfg.t1, now); /* timer A */
    txn_set_life(txns, txn, txn_64_t1(txns), now);    /* timer B */
}

/* Timer A: doubles without bound (17.1.1.2). */
void sip_ict_on_resend(struct sip_txns *txns, struct sip_txn *txn, uint64_t now)
{
    int err;

    err = txn_send_request(txns, txn);
    if (err < 0) {
        txn_end_error(txns, txn, err, now);
        return;
    }
    txns->stats.retransmitted++;
    txn_set_resend(txns, txn, (uint64_t)txn->interval * 2, now);
}

void sip_ict_on_life(struct sip_txns *txns, struct sip_txn *txn, uint64_t now)
{
    /* Timer B, or no answer although it was cancelled (9.1). */
    if (txn->state == SIP_TXN_CALLING || txn->state == SIP_TXN_PROCEEDING)
        txn_end_timeout(txns, txn, now);
    else /* timers D, M */
        txn_end(txns, txn, now);
}

/* Keep an ACK for the response and send it. When there is no memory for it
 * now, the repeated response will try again. */
static void acknowledge(struct sip_txns *txns, struct sip_txn *txn,
                        const struct sip_msg *response)
{
    struct sip_msg invite;

    if (!txn->last) {
        buf_reset(&txns->scratch);
        if (sip_msg_parse(&invite, span_of(txn->request, txn->request_len),
                          SIP_FRAMING_DATAGRAM, &sip_limits_own) < 0 ||
            sip_build_ack(&txns->scratch, &invite, response) < 0 ||
            txn_keep_last(txns, txn, buf_span(&txns->scratch)) < 0)
            return;
        txn_drop_request(txns, txn);
    }
    (void)txn_send_last(txns, txn); /* the peer repeats its response */
}

static void on_provisional(struct sip_txns *txns, struct sip_txn *txn,
                           const struct sip_msg *msg, uint64_t now)
{
    txn->state = SIP_TXN_PROCEEDING;
    txn->last_status = (uint16_t)msg->status;
    timers_cancel(&txns->timers, &txn->resend);
    if (!txn->was_cancelled)
        timers_cancel(&txns->timers, &txn->life);
    txn_tell_response(txns, txn, msg, now);
}

static void on_final(struct sip_txns *txns, struct sip_txn *txn,
                     const struct sip_msg *msg, uint64_t now)
{
    txn->last_status = (uint16_t)msg->status;
    txn_stop_timers(txns, txn);
    if (msg->status < 300) {
        txn->state = SIP_TXN_ACCEPTED;
        txn_drop_request(txns, txn);
        txn_set_life(txns, txn, txn_64_t1(txns), now); /* timer M */
    } else {
        txn->state = SIP_TXN_COMPLETED;
        acknowledge(txns, txn, msg);
        txn_set_life(txns, txn, txn_unless_reliable(txn, txn_64_t1(txns)),
                     now); /* timer D */
    }
    txn_tell_response(txns, txn, msg, now);
}

void sip_ict_on_response(struct sip_txns *txns, struct sip_txn *txn,
                         const struct sip_msg *msg, uint64_t now)
{
    if (txn->state == SIP_TXN_CALLING || txn->state == SIP_TXN_PROCEEDING) {
        if (msg->status < 200)
            on_provisional(txns, txn, msg, now);
        else
            on_final(txns, txn, msg, now);
        return;
    }
    /* RFC 6026 8.4: every 2xx, repeated or of another fork, is passed on. */
    if (txn->state == SIP_TXN_ACCEPTED && msg->status / 100 == 2) {
        txn_tell_response(txns, txn, msg, now);
        return;
    }
    txns->stats.repeated++;
    if (txn->state == SIP_TXN_COMPLETED && msg->status >= 300)
        acknowledge(txns, txn, msg);
}
