/* SPDX-License-Identifier: MIT */
#include "support_net.h"

#include "base/crypto.h"
#include "support/unit.h"

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct plan {
    const char *name; /* of the files */
    const char *subject;
    const char *dns[2];
    const char *uri;
    bool with_ip;
    bool is_ca;
    bool self_signed;
    const char *not_after;
};

#define FAR "20991231235959"

static const struct plan plans[NET_CERTS] = {
    [NET_CA] = {"ca", "CN=Test CA", {NULL}, NULL, false, true, true, FAR},
    [NET_EDGE] = {"edge",
                  "CN=edge.example,O=Edge",
                  {"edge.example", "*.apps.example"},
                  NULL,
                  true,
                  false,
                  false,
                  FAR},
    [NET_OTHER] = {"other",
                   "CN=other.example",
                   {"other.example"},
                   NULL,
                   false,
                   false,
                   false,
                   FAR},
    [NET_EXPIRED] = {"expired",
                     "CN=edge.example",
                     {"edge.example"},
                     NULL,
                     false,
                     false,
                     false,
                     "20210101000000"},
    [NET_CLIENT] = {"client",
                    "CN=alice.example",
                    {"alice.example"},
                    "sip:alice.example",
                    false,
                    false,
                    false,
                    FAR},
    [NET_FOREIGN] = {"foreign",
                     "CN=edge.example",
                     {"edge.example"},
                     NULL,
                     false,
                     false,
                     true,
                     FAR},
    [NET_CN_ONLY] =
        {"cn", "CN=cn.example", {NULL}, NULL, false, false, false, FAR},
};

static char folder[64];
static char cert_files[NET_CERTS][96];
static char key_files[NET_CERTS][96];
static pid_t maker;

static int random_bytes(void *unused, unsigned char *out, size_t len)
{
    (void)unused;
    crypto_random(out, len);
    return 0;
}

static void write_file(const char *path, const unsigned char *pem)
{
    FILE *f = fopen(path, "w");

    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs((const char *)pem, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

static void add_names(mbedtls_x509write_cert *crt, const struct plan *plan)
{
    static unsigned char ip[4] = {127, 0, 0, 1};
    mbedtls_x509_san_list rows[4] = {0};
    size_t n = 0;

    for (size_t i = 0; i < 2 && plan->dns[i]; i++) {
        rows[n].node.type = MBEDTLS_X509_SAN_DNS_NAME;
        rows[n].node.san.unstructured_name.p = (void *)(uintptr_t)plan->dns[i];
        rows[n++].node.san.unstructured_name.len = strlen(plan->dns[i]);
    }
    if (plan->uri) {
        rows[n].node.type = MBEDTLS_X509_SAN_UNIFORM_RESOURCE_IDENTIFIER;
        rows[n].node.san.unstructured_name.p = (void *)(uintptr_t)plan->uri;
        rows[n++].node.san.unstructured_name.len = strlen(plan->uri);
    }
    if (plan->with_ip) {
        rows[n].node.type = MBEDTLS_X509_SAN_IP_ADDRESS;
        rows[n].node.san.unstructured_name.p = ip;
        rows[n++].node.san.unstructured_name.len = sizeof(ip);
    }
    for (size_t i = 1; i < n; i++)
        rows[i - 1].next = &rows[i];
    if (n > 0)
        ck_assert_int_eq(
            mbedtls_x509write_crt_set_subject_alternative_name(crt, rows), 0);
}

static void make_one(enum net_cert which, mbedtls_pk_context *key,
                     mbedtls_pk_context *issuer_key)
{
    const struct plan *plan = &plans[which];
    mbedtls_x509write_cert crt;
    unsigned char serial = (unsigned char)(which + 1);
    unsigned char pem[4096];

    ck_assert_int_eq(
        mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), 0);
    ck_assert_int_eq(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1,
                                         mbedtls_pk_ec(*key), random_bytes,
                                         NULL),
                     0);
    mbedtls_x509write_crt_init(&crt);
    mbedtls_x509write_crt_set_version(&crt, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&crt, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&crt, key);
    mbedtls_x509write_crt_set_issuer_key(&crt,
                                         plan->self_signed ? key : issuer_key);
    mbedtls_x509write_crt_set_subject_name(&crt, plan->subject);
    mbedtls_x509write_crt_set_issuer_name(
        &crt, plan->self_signed ? plan->subject : plans[NET_CA].subject);
    mbedtls_x509write_crt_set_serial_raw(&crt, &serial, 1);
    mbedtls_x509write_crt_set_validity(&crt, "20200101000000", plan->not_after);
    mbedtls_x509write_crt_set_basic_constraints(&crt, plan->is_ca, -1);
    add_names(&crt, plan);
    ck_assert_int_eq(
        mbedtls_x509write_crt_pem(&crt, pem, sizeof(pem), random_bytes, NULL),
        0);
    write_file(cert_files[which], pem);
    ck_assert_int_eq(mbedtls_pk_write_key_pem(key, pem, sizeof(pem)), 0);
    write_file(key_files[which], pem);
    mbedtls_x509write_crt_free(&crt);
}

static void remove_files(void)
{
    if (getpid() != maker) /* a forked test */
        return;
    for (size_t i = 0; i < NET_CERTS; i++) {
        (void)unlink(cert_files[i]);
        (void)unlink(key_files[i]);
    }
    (void)rmdir(folder);
}

static void make_all(void)
{
    mbedtls_pk_context ca;

    if (folder[0])
        return;
    (void)snprintf(folder, sizeof(folder), "/tmp/edge-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    maker = getpid();
    (void)atexit(remove_files);
    ck_assert_int_eq((int)psa_crypto_init(), 0);
    mbedtls_pk_init(&ca);
    for (size_t i = 0; i < NET_CERTS; i++) {
        mbedtls_pk_context key;

        (void)snprintf(cert_files[i], sizeof(cert_files[i]), "%s/%s.pem",
                       folder, plans[i].name);
        (void)snprintf(key_files[i], sizeof(key_files[i]), "%s/%s.key", folder,
                       plans[i].name);
        if (i == NET_CA) {
            make_one((enum net_cert)i, &ca, NULL);
            continue;
        }
        mbedtls_pk_init(&key);
        make_one((enum net_cert)i, &key, &ca);
        mbedtls_pk_free(&key);
    }
    mbedtls_pk_free(&ca);
}

const char *net_cert_file(enum net_cert which)
{
    make_all();
    return cert_files[which];
}

const char *net_key_file(enum net_cert which)
{
    make_all();
    return key_files[which];
}

struct tls_ctx *net_server_ctx(enum net_cert which)
{
    struct tls_key_pair pair = {net_cert_file(which), net_key_file(which)};
    struct tls_ctx_options options = {
        .role = TLS_SERVER, .pairs = &pair, .n_pairs = 1};
    char error[TLS_ERROR_SIZE] = "";
    struct tls_ctx *ctx = NULL;

    ck_assert_msg(tls_ctx_new(&ctx, &options, error) == 0, "%s", error);
    return ctx;
}

struct tls_ctx *net_client_ctx(void)
{
    struct tls_ctx_options options = {.role = TLS_CLIENT,
                                      .ca_file = net_cert_file(NET_CA)};
    char error[TLS_ERROR_SIZE] = "";
    struct tls_ctx *ctx = NULL;

    ck_assert_msg(tls_ctx_new(&ctx, &options, error) == 0, "%s", error);
    return ctx;
}
