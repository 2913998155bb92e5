/* SPDX-License-Identifier: MIT */
#include "net/tls_load.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"

#define LOG_COMPONENT "tls"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <mbedtls/error.h>
#include <mbedtls/x509_crt.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    FILE_MAX = 1024 * 1024,
    SUBJECT_SIZE = 256,
    WARN_DAYS = 14,
};

static int explain(char error[TLS_ERROR_SIZE], const char *what,
                   const char *file, const char *reason)
{
    (void)snprintf(error, TLS_ERROR_SIZE, "%s %s: %s", what, file, reason);
    return ERR_CONFIG;
}

static int explain_code(char error[TLS_ERROR_SIZE], const char *what,
                        const char *file, int code)
{
    char reason[128];

    mbedtls_strerror(code, reason, sizeof(reason));
    return explain(error, what, file, reason);
}

static const int64_t DAY = 86400;

/* The file with a NUL behind it, as mbedTLS wants PEM text. */
struct text_file {
    uint8_t *data;
    size_t len; /* with the NUL */
};

static void drop_file(struct text_file *text)
{
    if (text->data)
        mem_wipe(text->data, text->len);
    mem_free(text->data);
}

static int read_all(int fd, struct text_file *text)
{
    size_t size = text->len - 1;
    size_t done = 0;

    while (done < size) {
        ssize_t n = read(fd, text->data + done, size - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -EIO; /* shorter than it was a moment ago */
        done += (size_t)n;
    }
    return 0;
}

static int read_file(const char *file, struct text_file *ret_text)
{
    struct text_file text = {NULL, 0};
    struct stat st;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int err = 0;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0)
        err = -errno;
    else if (!S_ISREG(st.st_mode))
        err = -EINVAL;
    else if (st.st_size > FILE_MAX)
        err = -EFBIG;
    if (err == 0) {
        text.len = (size_t)st.st_size + 1;
        text.data = mem_zalloc(text.len);
        err = text.data ? read_all(fd, &text) : -ENOMEM;
    }
    close(fd);
    if (err < 0) {
        drop_file(&text);
        return err;
    }
    *ret_text = text;
    return 0;
}

int tls_load_certificates(const char *what, const char *file,
                          mbedtls_x509_crt *crt, char error[TLS_ERROR_SIZE])
{
    struct text_file text = {NULL, 0};
    int code;
    int err = read_file(file, &text);

    if (err < 0)
        return explain(error, what, file, err_str(err));
    code = mbedtls_x509_crt_parse(crt, text.data, text.len);
    drop_file(&text);
    if (code == MBEDTLS_ERR_X509_ALLOC_FAILED)
        return -ENOMEM;
    if (code < 0)
        return explain_code(error, what, file, code);
    if (code > 0) {
        char reason[64];

        (void)snprintf(reason, sizeof(reason),
                       "%d of its certificates cannot be read", code);
        return explain(error, what, file, reason);
    }
    return 0;
}

int tls_load_revoked(const char *file, mbedtls_x509_crl *crl,
                     char error[TLS_ERROR_SIZE])
{
    struct text_file text = {NULL, 0};
    int code;
    int err = read_file(file, &text);

    if (err < 0)
        return explain(error, "CRL file", file, err_str(err));
    code = mbedtls_x509_crl_parse(crl, text.data, text.len);
    drop_file(&text);
    if (code == MBEDTLS_ERR_X509_ALLOC_FAILED)
        return -ENOMEM;
    return code == 0 ? 0 : explain_code(error, "CRL file", file, code);
}

static int load_key(mbedtls_pk_context *key, const char *file,
                    char error[TLS_ERROR_SIZE])
{
    struct text_file text = {NULL, 0};
    int code;
    int err = read_file(file, &text);

    if (err < 0)
        return explain(error, "key", file, err_str(err));
    code = mbedtls_pk_parse_key(key, text.data, text.len, NULL, 0, tls_random,
                                NULL);
    drop_file(&text);
    if (code != 0)
        return explain_code(error, "key", file, code);
    return 0;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = y / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year -
           719468;
}

int64_t tls_seconds(const mbedtls_x509_time *t)
{
    return days_of(t->year, t->mon, t->day) * DAY + (int64_t)t->hour * 3600 +
           (int64_t)t->min * 60 + t->sec;
}

static void warn_about_dates(const struct tls_pair *pair)
{
    int64_t now = time(NULL);

    if (now >= pair->not_after)
        log_warn("certificate has expired file=%s subject=\"%s\"", pair->file,
                 pair->subject);
    else if (now < tls_seconds(&pair->chain.valid_from))
        log_warn("certificate is not valid yet file=%s subject=\"%s\"",
                 pair->file, pair->subject);
    else if (pair->not_after - now < WARN_DAYS * DAY)
        log_warn("certificate ends soon file=%s subject=\"%s\" days=%d",
                 pair->file, pair->subject,
                 (int)((pair->not_after - now) / DAY));
}

static int describe(struct tls_pair *pair, const char *file)
{
    char raw[SUBJECT_SIZE];
    char subject[SUBJECT_SIZE];
    int n = mbedtls_x509_dn_gets(raw, sizeof(raw), &pair->chain.subject);

    text_printable(span_of(raw, n > 0 ? (size_t)n : 0), subject,
                   sizeof(subject));
    pair->file = mem_strdup(file);
    pair->subject = mem_strdup(subject);
    pair->not_after = tls_seconds(&pair->chain.valid_to);
    return pair->file && pair->subject ? 0 : -ENOMEM;
}

int tls_load_pair(struct tls_pair *pair, const struct tls_key_pair *files,
                  char error[TLS_ERROR_SIZE])
{
    int err = tls_load_certificates("certificate", files->certificate_file,
                                    &pair->chain, error);

    if (err == 0)
        err = load_key(&pair->key, files->key_file, error);
    if (err == 0 && mbedtls_pk_check_pair(&pair->chain.pk, &pair->key,
                                          tls_random, NULL) != 0) {
        char reason[256];

        (void)snprintf(reason, sizeof(reason),
                       "does not belong to certificate %s",
                       files->certificate_file);
        return explain(error, "key", files->key_file, reason);
    }
    if (err == 0)
        err = describe(pair, files->certificate_file);
    if (err == 0)
        warn_about_dates(pair);
    return err;
}

void tls_load_init(struct tls_pair *pair)
{
    mbedtls_x509_crt_init(&pair->chain);
    mbedtls_pk_init(&pair->key);
}

void tls_load_deinit(struct tls_pair *pair)
{
    mbedtls_x509_crt_free(&pair->chain);
    mbedtls_pk_free(&pair->key);
    mem_free(pair->file);
    mem_free(pair->subject);
}
