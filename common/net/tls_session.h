/* SPDX-License-Identifier: MIT */
/* tls_session.h - one TLS session: bytes in, bytes out, no socket.
 *
 * Users of streams need only the facts at the end (through stream_tls()).
 *
 * The engine reads ciphertext from a borrowed span and appends ciphertext to
 * an output buffer that the caller empties. -EAGAIN always means: give more
 * input, or empty the output, and call again.
 *
 * Memory: about 40 KiB a session during the handshake and while a record is
 * under way, a few KiB between records (net/tls_records.h); the output
 * buffer's memory exists only while there is output.
 */
#ifndef NET_TLS_SESSION_H
#define NET_TLS_SESSION_H

#include "base/buf.h"
#include "net/tls_ctx.h"

struct tls_session;

enum {
    /* Output the engine may hold before it answers -EAGAIN; one more record
     * may come on top of it. */
    TLS_OUTPUT_HIGH = 64 * 1024,
};

/* For clients; servers give NULL. */
struct tls_peer {
    const char *server_name; /* SNI; NULL or an IP address: send none */
    const char *verify_name; /* the certificate must be for this name or IP
                                address, or, written "sip:example.org", for
                                that SIP domain (RFC 5922); NULL:
                                server_name. With neither, a context that
                                verifies is refused: -EINVAL */
};

/* Holds a reference to `ctx`. Returns 0, -ENOMEM, -EINVAL, ERR_TLS. */
int tls_session_new(struct tls_session **ret_session, struct tls_ctx *ctx,
                    const struct tls_peer *peer);
void tls_session_free(struct tls_session *session);

/* Ciphertext to work on; borrowed until consumed: before it goes away, take
 * tls_session_input_left() and give that again later. */
void tls_session_input(struct tls_session *session, struct span ciphertext);
struct span tls_session_input_left(const struct tls_session *session);

/* The peer's transport has ended: reading gives ERR_CLOSED from now on when
 * the input is used up and no close_notify was in it. */
void tls_session_input_end(struct tls_session *session);

/* Ciphertext to send; the caller consumes from it. */
struct buf *tls_session_output(struct tls_session *session);

/* Go on with the handshake. Returns 0 when it is complete, -EAGAIN, ERR_AUTH
 * (the peer's certificate was refused), ERR_CLOSED, ERR_TLS, -ENOMEM. There
 * may be output (an alert) after a failure, too. */
int tls_session_handshake(struct tls_session *session);

/* Decrypted bytes into `out`. Returns their number (> 0), 0 at and after
 * the peer's close_notify, -EAGAIN, ERR_CLOSED, ERR_TLS, -ENOMEM. */
int tls_session_read(struct tls_session *session, void *out, size_t size);

/* Encrypt. Returns how many bytes of `plain` were taken (> 0); -EAGAIN when
 * the output is full: call again with the same bytes at the front; ERR_TLS,
 * -ENOMEM. */
int tls_session_write(struct tls_session *session, struct span plain);

/* Put close_notify into the output. Returns 0, -EAGAIN, ERR_TLS. */
int tls_session_shutdown(struct tls_session *session);

/* Why the last call failed, in mbedTLS' words; "" when nothing failed. */
const char *tls_session_error(const struct tls_session *session);

/* ---- facts, after the handshake ---- */

enum tls_version tls_session_version(const struct tls_session *session);
const char *tls_session_suite(const struct tls_session *session);

/* The protocol agreed on, or NULL. */
const char *tls_session_alpn(const struct tls_session *session);

/* The name the client asked for; "" when none. Lower case, a valid host name
 * (or the handshake has failed). */
const char *tls_session_server_name(const struct tls_session *session);

/* The label of its context: which of several the session was made with. */
const char *tls_session_label(const struct tls_session *session);

/* The handshake was shortened by a ticket of ours (server). */
bool tls_session_resumed(const struct tls_session *session);

/* A certificate was shown, and it was checked without complaint. False after
 * a resumption that carried no certificate. */
bool tls_session_peer_verified(const struct tls_session *session);

/* What is wrong with the peer's certificate; the worst of several. */
enum tls_peer_check {
    TLS_PEER_GOOD,
    TLS_PEER_MISSING,
    TLS_PEER_UNTRUSTED, /* self-signed, of another CA, revoked, weak */
    TLS_PEER_DATES,     /* expired or not valid yet */
    TLS_PEER_PURPOSE,   /* not meant for this end of a connection */
};

/* For contexts that verify optionally: who decides by himself. */
enum tls_peer_check tls_session_peer_check(const struct tls_session *session);

/* The i-th SIP domain of the peer's certificate (RFC 5922); false at the end.
 * `out` has room for 254 bytes at least. */
bool tls_session_peer_domain(const struct tls_session *session, size_t i,
                             char *out, size_t size);

/* Tell the peer that it may not come in (the alert "access denied"), to be
 * followed by the end of the connection. */
void tls_session_refuse(struct tls_session *session);

/* Into `out`, NUL-terminated, printable; false (and "") when none was shown.
 * "CN=edge.example, O=Example". */
bool tls_session_peer_subject(const struct tls_session *session, char *out,
                              size_t size);

/* The i-th subject alternative name of kind DNS, URI or IP ("dns:a.example",
 * "uri:sip:a.example", "ip:192.0.2.1"); false at the end. */
bool tls_session_peer_name(const struct tls_session *session, size_t i,
                           char *out, size_t size);

#endif /* NET_TLS_SESSION_H */
