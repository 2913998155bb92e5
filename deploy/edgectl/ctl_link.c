/* SPDX-License-Identifier: MIT */
#include "ctl_link.h"

#include "base/crypto.h"
#include "base/err.h"
#include "base/mem.h"
#include "ctl_client.h"

#include <errno.h>
#include <fcntl.h>
#include <mbedtls/error.h>
#include <mbedtls/ssl.h>
#include <netdb.h>
#include <poll.h>
#include <psa/crypto.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

struct ctl_link {
    int fd;
    bool tls;
    bool datagrams;
    const char **protocols; /* of ALPN, or NULL */
    /* DTLS repeats by these; `final` 0: no timer runs. */
    uint64_t intermediate, final;
    struct addr peer;
    uint64_t deadline; /* of the operation under way */
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config conf;
};

/* ---- the socket ---- */

static int wait_for(struct ctl_link *link, short events)
{
    struct pollfd pfd = {.fd = link->fd, .events = events};
    uint64_t now = ctl_client_now(), until = link->deadline;
    int n;

    if (now >= until)
        return -ETIMEDOUT;
    if (link->final && link->final < until)
        until = link->final;
    n = poll(&pfd, 1, until > now ? (int)(until - now) : 0);
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    return n == 0 && until == link->deadline ? -ETIMEDOUT : 0;
}

static int try_connect(struct ctl_link *link, const struct addrinfo *ai)
{
    socklen_t len = sizeof(int);
    int err = 0;

    link->fd = socket(ai->ai_family,
                      ai->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (link->fd < 0)
        return -errno;
    if (connect(link->fd, ai->ai_addr, ai->ai_addrlen) < 0 &&
        errno != EINPROGRESS)
        err = -errno;
    if (err == 0)
        err = wait_for(link, POLLOUT);
    if (err == 0 && getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0)
        err = -err;
    if (err < 0) {
        (void)close(link->fd);
        link->fd = -1;
        return err;
    }
    (void)addr_from_sockaddr(ai->ai_addr, &link->peer);
    return 0;
}

static int connect_to(struct ctl_link *link, const struct ctl_uri *uri,
                      const char *address, char error[CTL_LINK_ERROR])
{
    struct addrinfo hints = {.ai_socktype = uri->tcp ? SOCK_STREAM : SOCK_DGRAM,
                             .ai_flags = AI_NUMERICSERV};
    const char *host = address ? address : uri->host;
    struct addrinfo *list;
    char port[8];
    int err;

    (void)snprintf(port, sizeof(port), "%u", uri->port);
    err = getaddrinfo(host, port, &hints, &list);
    if (err != 0) {
        (void)snprintf(error, CTL_LINK_ERROR, "%.80s: %s", host,
                       gai_strerror(err));
        return ERR_RESOLVE;
    }
    err = ERR_RESOLVE;
    for (const struct addrinfo *ai = list; ai && err < 0; ai = ai->ai_next) {
        link->deadline = ctl_client_now() + CTL_LINK_TIMEOUT_MS;
        err = try_connect(link, ai);
    }
    freeaddrinfo(list);
    if (err < 0)
        (void)snprintf(error, CTL_LINK_ERROR, "%.80s port %u: %s", host,
                       uri->port, err_str(err));
    return err;
}

static int raw_send(void *arg, const unsigned char *data, size_t len)
{
    struct ctl_link *link = arg;
    ssize_t n = send(link->fd, data, len, MSG_NOSIGNAL);

    if (n >= 0)
        return (int)n;
    return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_WRITE
                                             : -errno;
}

static int raw_receive(void *arg, unsigned char *out, size_t size)
{
    struct ctl_link *link = arg;
    ssize_t n = recv(link->fd, out, size, 0);

    if (n >= 0)
        return (int)n;
    return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_READ
                                             : -errno;
}

/* ---- TLS ---- */

static int random_bytes(void *arg, unsigned char *out, size_t len)
{
    (void)arg;
    crypto_random(out, len);
    return 0;
}

/* Until `result` is neither "want read" nor "want write". */
static bool must_wait(struct ctl_link *link, int result, int *ret_err)
{
    if (result != MBEDTLS_ERR_SSL_WANT_READ &&
        result != MBEDTLS_ERR_SSL_WANT_WRITE &&
        result != MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET)
        return false;
    *ret_err =
        result == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET
            ? 0
            : wait_for(link,
                       result == MBEDTLS_ERR_SSL_WANT_READ ? POLLIN : POLLOUT);
    return true;
}

static void set_timer(void *arg, uint32_t intermediate_ms, uint32_t final_ms)
{
    struct ctl_link *link = arg;
    uint64_t now = ctl_client_now();

    link->intermediate = now + intermediate_ms;
    link->final = final_ms ? now + final_ms : 0;
}

static int get_timer(void *arg)
{
    const struct ctl_link *link = arg;
    uint64_t now = ctl_client_now();

    if (link->final == 0)
        return -1;
    return now >= link->final ? 2 : now >= link->intermediate ? 1 : 0;
}

static int start_tls(struct ctl_link *link, const char *name,
                     char error[CTL_LINK_ERROR])
{
    struct addr literal;
    int result, err = 0;

    (void)psa_crypto_init();
    result = mbedtls_ssl_config_defaults(&link->conf, MBEDTLS_SSL_IS_CLIENT,
                                         link->datagrams
                                             ? MBEDTLS_SSL_TRANSPORT_DATAGRAM
                                             : MBEDTLS_SSL_TRANSPORT_STREAM,
                                         MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_authmode(&link->conf, MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_rng(&link->conf, random_bytes, NULL);
    if (result == 0 && link->protocols)
        result = mbedtls_ssl_conf_alpn_protocols(&link->conf, link->protocols);
    if (result == 0)
        result = mbedtls_ssl_setup(&link->ssl, &link->conf);
    if (result == 0) /* no address is a server name (RFC 6066 3) */
        result = mbedtls_ssl_set_hostname(
            &link->ssl,
            addr_parse_ip(span_str(name), &literal) == 0 ? NULL : name);
    mbedtls_ssl_set_bio(&link->ssl, link, raw_send, raw_receive, NULL);
    mbedtls_ssl_set_timer_cb(&link->ssl, link, set_timer, get_timer);
    link->deadline = ctl_client_now() + CTL_LINK_TIMEOUT_MS;
    while (result == 0 && err == 0) {
        result = mbedtls_ssl_handshake(&link->ssl);
        if (!must_wait(link, result, &err))
            break;
        result = 0;
    }
    if (result == 0 && err == 0)
        return 0;
    if (err < 0)
        (void)snprintf(error, CTL_LINK_ERROR, "%s", err_str(err));
    else
        mbedtls_strerror(result, error, CTL_LINK_ERROR);
    return err < 0 ? err : ERR_TLS;
}

/* ---- public ---- */

static int open_link(struct ctl_link **ret_link, const struct ctl_uri *uri,
                     const char *address, bool tls,
                     const char *const *protocols, char error[CTL_LINK_ERROR])
{
    struct ctl_link *link = mem_zalloc(sizeof(*link));
    int err;

    if (!link)
        return -ENOMEM;
    link->fd = -1;
    link->tls = tls && uri->tls;
    link->datagrams = !uri->tcp;
    /* The TLS library wants to be able to change them, and does not. */
    link->protocols = (const char **)(uintptr_t)protocols;
    mbedtls_ssl_init(&link->ssl);
    mbedtls_ssl_config_init(&link->conf);
    err = connect_to(link, uri, address, error);
    if (err == 0 && link->tls)
        err = start_tls(link, uri->host, error);
    if (err < 0) {
        ctl_link_close(link);
        return err;
    }
    *ret_link = link;
    return 0;
}

int ctl_link_open(struct ctl_link **ret_link, const struct ctl_uri *uri,
                  const char *address, bool tls, char error[CTL_LINK_ERROR])
{
    return open_link(ret_link, uri, address, tls, NULL, error);
}

int ctl_link_open_alpn(struct ctl_link **ret_link, const struct ctl_uri *uri,
                       const char *address, const char *const *protocols,
                       char error[CTL_LINK_ERROR])
{
    return open_link(ret_link, uri, address, true, protocols, error);
}

void ctl_link_close(struct ctl_link *link)
{
    if (!link)
        return;
    mbedtls_ssl_free(&link->ssl);
    mbedtls_ssl_config_free(&link->conf);
    if (link->fd >= 0)
        (void)close(link->fd);
    mem_free(link);
}

int ctl_link_send(struct ctl_link *link, struct span bytes)
{
    int n, err = 0;

    link->deadline = ctl_client_now() + CTL_LINK_TIMEOUT_MS;
    while (bytes.len > 0) {
        n = link->tls ? mbedtls_ssl_write(&link->ssl, bytes.ptr, bytes.len)
                      : raw_send(link, bytes.ptr, bytes.len);
        if (must_wait(link, n, &err)) {
            if (err < 0)
                return err;
            continue;
        }
        if (n < 0)
            return link->tls ? ERR_TLS : n;
        bytes = span_from(bytes, (size_t)n);
    }
    return 0;
}

int ctl_link_receive(struct ctl_link *link, void *out, size_t size,
                     unsigned timeout_ms)
{
    int n, err = 0;

    link->deadline = ctl_client_now() + timeout_ms;
    do {
        n = link->tls ? mbedtls_ssl_read(&link->ssl, out, size)
                      : raw_receive(link, out, size);
        if (n >= 0)
            return n;
        if (n == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
            return 0;
    } while (must_wait(link, n, &err) && err == 0);
    return err < 0 ? err : link->tls ? ERR_TLS : n;
}

const struct addr *ctl_link_peer(const struct ctl_link *link)
{
    return &link->peer;
}

void ctl_link_local(const struct ctl_link *link, struct addr *ret_addr)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof(ss);

    *ret_addr = (struct addr){0};
    if (getsockname(link->fd, (struct sockaddr *)&ss, &len) == 0)
        (void)addr_from_sockaddr((struct sockaddr *)&ss, ret_addr);
}

int ctl_link_fd(const struct ctl_link *link)
{
    return link->fd;
}

const char *ctl_link_version(const struct ctl_link *link)
{
    return mbedtls_ssl_get_version(&link->ssl);
}

const mbedtls_x509_crt *ctl_link_certificate(const struct ctl_link *link)
{
    return mbedtls_ssl_get_peer_cert(&link->ssl);
}

const char *ctl_link_protocol(const struct ctl_link *link)
{
    return mbedtls_ssl_get_alpn_protocol(&link->ssl);
}
