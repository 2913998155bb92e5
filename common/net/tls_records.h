/* SPDX-License-Identifier: MIT */
/* tls_records.h - the record buffers of TLS sessions, for net/tls_session.c
 * alone.
 *
 * mbedTLS gives each session two buffers of 16.5 KiB for its life, though
 * they hold something only while a record is under way. After the handshake
 * a session that is between records gives them back; the next call takes two
 * again, most often those that the thread has used last. So an idle session
 * costs a few KiB, and a busy worker stays in its cache.
 *
 * What was in them is wiped before another session sees them. Some are kept
 * for all threads together (TLS_RECORDS_KEPT of each kind), the others freed.
 */
#ifndef NET_TLS_RECORDS_H
#define NET_TLS_RECORDS_H

#include <mbedtls/ssl.h>
#include <stdbool.h>
#include <stdint.h>

enum { TLS_RECORDS_KEPT = 32, TLS_RECORDS_POINTERS = 12 };

/* Part of a session; zero at its start. */
struct tls_records {
    /* Ends of what the transport has read and written in the buffers, so that
     * no more than that need be wiped. */
    const unsigned char *in_end;
    const unsigned char *out_end;
    uint16_t offsets[TLS_RECORDS_POINTERS];
    unsigned char counter[8]; /* of incoming records; lives in the buffer */
    bool away;
};

/* The transport has put bytes into the buffer, up to `end`. */
void tls_records_read(struct tls_records *r, const unsigned char *end);

/* … has taken some, up to `end`. */
void tls_records_written(struct tls_records *r, const unsigned char *end);

/* Before mbedTLS reads or writes. False: out of memory. */
bool tls_records_take(struct tls_records *r, mbedtls_ssl_context *ssl);

/* After that: gives the buffers back when nothing is in them. */
void tls_records_give(struct tls_records *r, mbedtls_ssl_context *ssl);

#endif /* NET_TLS_RECORDS_H */
