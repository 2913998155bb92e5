/* SPDX-License-Identifier: MIT */
/* ctl_cert.h - what a certificate file says, and what is wrong with it for a
 * server on the internet.
 */
#ifndef CTL_CERT_H
#define CTL_CERT_H

#include "base/buf.h"

enum ctl_severity { CTL_NOTE, CTL_WARNING, CTL_ERROR };

/* id, severity */
#define CTL_CERT_MAP(X)                                                        \
    X(CERT_NOTHING, CTL_ERROR)        /* no certificate in the file */         \
    X(CERT_UNREADABLE, CTL_ERROR)     /* some of the file is no certificate */ \
    X(CERT_NOT_YET, CTL_ERROR)        /* valid from a time to come */          \
    X(CERT_EXPIRED, CTL_ERROR)        /* */                                    \
    X(CERT_EXPIRES_SOON, CTL_WARNING) /* within the days asked for */          \
    X(CERT_NO_SAN, CTL_ERROR)         /* browsers ignore the common name */    \
    X(CERT_NAME, CTL_ERROR)           /* a name asked for is not in it */      \
    X(CERT_EKU, CTL_ERROR)            /* not for servers */                    \
    X(CERT_IS_CA, CTL_WARNING)        /* the first one is an authority's */    \
    X(CERT_SELF_SIGNED, CTL_WARNING)  /* nobody but itself vouches for it */   \
    X(CERT_CHAIN_MISSING, CTL_WARNING) /* no intermediate in the file */       \
    X(CERT_CHAIN_ORDER, CTL_ERROR)     /* one is not signed by the next */     \
    X(CERT_ROOT_SENT, CTL_NOTE)        /* clients have the root themselves */  \
    X(CERT_WEAK_KEY, CTL_ERROR)        /* RSA below 2048, EC below 224 bits */ \
    X(CERT_RSA, CTL_NOTE)              /* an EC key would be faster */         \
    X(CERT_WEAK_HASH, CTL_ERROR)       /* signed over MD5 or SHA-1 */          \
    X(CERT_KEY_UNREADABLE, CTL_ERROR)  /* no key, or one with a password */    \
    X(CERT_KEY_MISMATCH, CTL_ERROR)    /* the key is another certificate's */

enum ctl_cert_finding_id {
#define CTL_CERT_ENUM(id, severity) CTL_##id,
    CTL_CERT_MAP(CTL_CERT_ENUM)
#undef CTL_CERT_ENUM
};

/* "CERT-EXPIRES-SOON" */
const char *ctl_cert_id(enum ctl_cert_finding_id id, char out[32]);

enum { CTL_CERTS_MAX = 16, CTL_FINDINGS_MAX = 64, CTL_CERT_TEXT = 1024 };

struct ctl_cert {
    char subject[CTL_CERT_TEXT];
    char issuer[CTL_CERT_TEXT];
    char names[CTL_CERT_TEXT];     /* "dns:a.example, ip:192.0.2.1" */
    char key[64];                  /* "EC 256", "RSA 2048" */
    char fingerprint[65];          /* SHA-256 of the DER form, in hex */
    int64_t not_before, not_after; /* Unix seconds */
};

struct ctl_finding {
    enum ctl_cert_finding_id id;
    enum ctl_severity severity;
    char text[256]; /* a sentence that says what to do */
};

struct ctl_cert_report {
    struct ctl_cert certs[CTL_CERTS_MAX];
    size_t n;
    struct ctl_finding findings[CTL_FINDINGS_MAX];
    size_t n_findings;
    bool has_key; /* a key was looked at, and it belongs to the first one */
};

struct ctl_cert_question {
    struct span pem;          /* the file */
    struct span key;          /* the key's file; empty: one in `pem`, if any */
    const char *const *names; /* must be in the first certificate */
    size_t n_names;
    unsigned days; /* fewer left is CERT_EXPIRES_SOON */
    int64_t now;   /* Unix seconds */
};

/* Always fills in the report; about a megabyte is the most a file may be.
 * Returns 0 or -ENOMEM. */
int ctl_cert_look(const struct ctl_cert_question *question,
                  struct ctl_cert_report *ret_report);

/* Whole days, negative when it is over. */
int64_t ctl_cert_days(const struct ctl_cert *cert, int64_t now);

/* The worst severity, CTL_NOTE when there is no finding. */
enum ctl_severity ctl_cert_worst(const struct ctl_cert_report *report);

void ctl_cert_print(const struct ctl_cert_report *report, const char *file,
                    int64_t now, struct buf *out);
/* As one object. */
void ctl_cert_print_json(const struct ctl_cert_report *report, const char *file,
                         int64_t now, struct buf *out);

#endif /* CTL_CERT_H */
