/* SPDX-License-Identifier: MIT */
#include "sip_tls.h"

#include "base/err.h"

static struct tls_key_pair pair_of(const struct sip_config *cfg,
                                   const struct sip_listen *listen)
{
    if (listen->certificate)
        return (struct tls_key_pair){listen->certificate, listen->key};
    return (struct tls_key_pair){cfg->certificate, cfg->key};
}

/* A partner's certificate is asked for here and judged in sip_peer.c, which
 * can say what was wrong with it. */
static int make_listener(const struct sip_config *cfg,
                         const struct sip_listen *listen,
                         struct tls_ctx **ret_ctx, char error[TLS_ERROR_SIZE])
{
    const struct tls_key_pair pair = pair_of(cfg, listen);
    struct tls_ctx_options options = {
        .role = TLS_SERVER, .pairs = &pair, .n_pairs = 1};

    if (listen->partners) {
        options.verify = TLS_VERIFY_OPTIONAL;
        options.ca_file = cfg->partner_ca;
    } else if (listen->verify) {
        options.verify = TLS_VERIFY_REQUIRED;
        options.ca_file = cfg->server_ca;
    }
    return tls_ctx_new(ret_ctx, &options, error);
}

/* We show partners the certificate of the listener they know us by. */
static int make_partners(const struct sip_config *cfg, struct tls_ctx **ret_ctx,
                         char error[TLS_ERROR_SIZE])
{
    for (size_t i = 0; i < cfg->listen.n; i++) {
        const struct sip_listen *l = &cfg->listen.items[i];
        const struct tls_key_pair pair = pair_of(cfg, l);
        const struct tls_ctx_options options = {.role = TLS_CLIENT,
                                                .pairs = &pair,
                                                .n_pairs = 1,
                                                .ca_file = cfg->partner_ca};

        if (l->partners)
            return tls_ctx_new(ret_ctx, &options, error);
    }
    return 0;
}

int sip_tls_make(const struct sip_config *cfg, struct sip_tls *ret_tls,
                 char error[TLS_ERROR_SIZE])
{
    const struct tls_ctx_options servers = {.role = TLS_CLIENT,
                                            .ca_file = cfg->server_ca};
    int err = 0;

    *ret_tls = (struct sip_tls){0};
    for (size_t i = 0; err == 0 && i < cfg->listen.n; i++) {
        const struct sip_listen *l = &cfg->listen.items[i];

        if (sip_transport_is_secure(sip_config_transport(&l->address)))
            err = make_listener(cfg, l, &ret_tls->listen[i], error);
    }
    if (err == 0 && cfg->server_ca)
        err = tls_ctx_new(&ret_tls->servers, &servers, error);
    if (err == 0)
        err = make_partners(cfg, &ret_tls->partners, error);
    if (err < 0)
        sip_tls_drop(ret_tls);
    return err;
}

static struct tls_ctx *ref(struct tls_ctx *ctx)
{
    return ctx ? tls_ctx_ref(ctx) : NULL;
}

void sip_tls_copy(const struct sip_tls *tls, struct sip_tls *ret_copy)
{
    for (size_t i = 0; i < SIP_LOCALS_MAX; i++)
        ret_copy->listen[i] = ref(tls->listen[i]);
    ret_copy->servers = ref(tls->servers);
    ret_copy->partners = ref(tls->partners);
}

void sip_tls_list(const struct sip_tls *tls, struct tls_ctx *list[SIP_TLS_ALL])
{
    for (size_t i = 0; i < SIP_LOCALS_MAX; i++)
        list[i] = tls->listen[i];
    list[SIP_LOCALS_MAX] = tls->servers;
    list[SIP_LOCALS_MAX + 1] = tls->partners;
}

void sip_tls_drop(struct sip_tls *tls)
{
    for (size_t i = 0; i < SIP_LOCALS_MAX; i++)
        tls_ctx_unref(tls->listen[i]);
    tls_ctx_unref(tls->servers);
    tls_ctx_unref(tls->partners);
    *tls = (struct sip_tls){0};
}
