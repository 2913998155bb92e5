/* SPDX-License-Identifier: MIT */
/* sip_hdr.h - header fields: their names, and the values a proxy reads
 * (RFC 3261 7.3 and 20).
 *
 * The value parsers take one value (of a comma list, one item) as a span and
 * give spans inside it; nothing is copied. White space may be folded (CRLF
 * before SP or HT) wherever it is allowed. All return 0 or ERR_PARSE and
 * leave the output alone on failure.
 */
#ifndef MSG_SIP_HDR_H
#define MSG_SIP_HDR_H

#include "msg/sip_uri.h"

/* id, name, compact form (0: none), how often it may stand there */
#define SIP_HDR_MAP(X)                                                         \
    X(VIA, "Via", 'v', MANY)                                                   \
    X(FROM, "From", 'f', ONCE)                                                 \
    X(TO, "To", 't', ONCE)                                                     \
    X(CALL_ID, "Call-ID", 'i', ONCE)                                           \
    X(CSEQ, "CSeq", 0, ONCE)                                                   \
    X(MAX_FORWARDS, "Max-Forwards", 0, ONCE)                                   \
    X(CONTENT_LENGTH, "Content-Length", 'l', ONCE)                             \
    X(CONTACT, "Contact", 'm', MANY)                                           \
    X(ROUTE, "Route", 0, MANY)                                                 \
    X(RECORD_ROUTE, "Record-Route", 0, MANY)                                   \
    X(PATH, "Path", 0, MANY)                                                   \
    X(SERVICE_ROUTE, "Service-Route", 0, MANY)                                 \
    X(SUPPORTED, "Supported", 'k', MANY)                                       \
    X(REQUIRE, "Require", 0, MANY)                                             \
    X(PROXY_REQUIRE, "Proxy-Require", 0, MANY)                                 \
    X(UNSUPPORTED, "Unsupported", 0, MANY)                                     \
    X(ALLOW, "Allow", 0, MANY)                                                 \
    X(EXPIRES, "Expires", 0, ONCE)                                             \
    X(MIN_EXPIRES, "Min-Expires", 0, ONCE)                                     \
    X(CONTENT_TYPE, "Content-Type", 'c', ONCE)                                 \
    X(CONTENT_ENCODING, "Content-Encoding", 'e', MANY)                         \
    X(AUTHORIZATION, "Authorization", 0, MANY)                                 \
    X(PROXY_AUTHORIZATION, "Proxy-Authorization", 0, MANY)                     \
    X(WWW_AUTHENTICATE, "WWW-Authenticate", 0, MANY)                           \
    X(PROXY_AUTHENTICATE, "Proxy-Authenticate", 0, MANY)                       \
    X(TIMESTAMP, "Timestamp", 0, ONCE)                                         \
    X(DATE, "Date", 0, ONCE)                                                   \
    X(RETRY_AFTER, "Retry-After", 0, ONCE)                                     \
    X(REASON, "Reason", 0, MANY)                                               \
    X(WARNING, "Warning", 0, MANY)                                             \
    X(USER_AGENT, "User-Agent", 0, ONCE)                                       \
    X(SERVER, "Server", 0, ONCE)                                               \
    X(SUBJECT, "Subject", 's', ONCE)                                           \
    X(EVENT, "Event", 'o', ONCE)                                               \
    X(ALLOW_EVENTS, "Allow-Events", 'u', MANY)                                 \
    X(REFER_TO, "Refer-To", 'r', ONCE)                                         \
    X(REFERRED_BY, "Referred-By", 'b', ONCE)                                   \
    X(REPLACES, "Replaces", 0, ONCE)                                           \
    X(SESSION_EXPIRES, "Session-Expires", 'x', ONCE)                           \
    X(MIN_SE, "Min-SE", 0, ONCE)                                               \
    X(RACK, "RAck", 0, ONCE)                                                   \
    X(RSEQ, "RSeq", 0, ONCE)                                                   \
    X(FLOW_TIMER, "Flow-Timer", 0, ONCE)                                       \
    X(MAX_BREADTH, "Max-Breadth", 0, ONCE)                                     \
    X(IDENTITY, "Identity", 'y', MANY)                                         \
    X(PRIVACY, "Privacy", 0, MANY)                                             \
    X(P_ASSERTED_IDENTITY, "P-Asserted-Identity", 0, MANY)                     \
    X(P_PREFERRED_IDENTITY, "P-Preferred-Identity", 0, MANY)                   \
    X(REMOTE_PARTY_ID, "Remote-Party-ID", 0, MANY)                             \
    X(DIVERSION, "Diversion", 0, MANY)                                         \
    X(HISTORY_INFO, "History-Info", 0, MANY)                                   \
    X(ALERT_INFO, "Alert-Info", 0, MANY)                                       \
    X(ACCEPT_CONTACT, "Accept-Contact", 'a', MANY)                             \
    X(REJECT_CONTACT, "Reject-Contact", 'j', MANY)                             \
    X(REQUEST_DISPOSITION, "Request-Disposition", 'd', MANY)

enum sip_hdr_id {
    SIP_HDR_OTHER,
#define SIP_HDR_ENUM(id, name, compact, times) SIP_HDR_##id,
    SIP_HDR_MAP(SIP_HDR_ENUM)
#undef SIP_HDR_ENUM
        SIP_HDR_COUNT,
};

/* By long or compact name, any case. */
enum sip_hdr_id sip_hdr_lookup(struct span name);

/* The long name; "" for SIP_HDR_OTHER. */
const char *sip_hdr_name(enum sip_hdr_id id);

/* A second header field of that name makes the message invalid. */
bool sip_hdr_is_single(enum sip_hdr_id id);

#define SIP_METHOD_MAP(X)                                                      \
    X(INVITE)                                                                  \
    X(ACK)                                                                     \
    X(BYE)                                                                     \
    X(CANCEL)                                                                  \
    X(REGISTER)                                                                \
    X(OPTIONS)                                                                 \
    X(PRACK)                                                                   \
    X(SUBSCRIBE)                                                               \
    X(NOTIFY)                                                                  \
    X(PUBLISH)                                                                 \
    X(INFO)                                                                    \
    X(REFER)                                                                   \
    X(MESSAGE)                                                                 \
    X(UPDATE)

enum sip_method {
    SIP_METHOD_OTHER,
#define SIP_METHOD_ENUM(name) SIP_METHOD_##name,
    SIP_METHOD_MAP(SIP_METHOD_ENUM)
#undef SIP_METHOD_ENUM
        SIP_METHOD_COUNT,
};

enum { SIP_METHOD_MAX = 64 }; /* bytes of a method's name in a request */

/* Case-sensitive, as methods are. */
enum sip_method sip_method_lookup(struct span name);

/* Trim white space including folds (CR and LF count as white space). */
struct span sip_trim(struct span s);

/* Take the next item of a comma list off `*rest`; commas in quoted strings
 * and between < and > do not count. Trimmed; empty items are skipped.
 * False at the end. */
bool sip_list_next(struct span *rest, struct span *ret_item);

/* `SIP/2.0/UDP host:port;branch=…`  (20.42, RFC 3581) */
struct sip_via {
    struct span text;
    struct span transport_name;
    enum sip_transport transport;
    struct sip_host sent_by;
    struct span params;   /* behind the first ';' */
    struct span branch;   /* "" when absent */
    struct span received; /* "" when absent; brackets as written */
    struct span maddr;    /* "" when absent */
    bool has_rport;
    uint16_t rport; /* 0: absent or without value */
};

int sip_via_parse(struct span value, struct sip_via *ret_via);

/* True when the branch has RFC 3261's cookie z9hG4bK and more behind it. */
bool sip_via_is_3261(const struct sip_via *via);

/* `"Display" <uri>;params` or `uri;params` (From, To, Route, Contact, …).
 * Without <> everything behind ';' belongs to the header. */
struct sip_addr {
    struct span text;
    struct span display; /* as written, quotes included; "" when none */
    struct span uri;     /* without <> */
    bool has_brackets;
    struct span params; /* of the header, behind the first ';' */
    struct span tag;    /* "" when absent */
};

int sip_addr_parse(struct span value, struct sip_addr *ret_addr);

/* A Contact value (20.10, RFC 5626); `*` gives is_star and nothing else. */
struct sip_contact {
    struct sip_addr addr;
    bool is_star;
    bool has_expires;
    uint32_t expires;
    uint16_t q;           /* thousandths; 1000 when absent */
    struct span instance; /* +sip.instance without quotes and <>; "" if none */
    uint32_t reg_id;      /* 0 when absent */
};

int sip_contact_parse(struct span value, struct sip_contact *ret_contact);

/* `number METHOD` (20.16) */
struct sip_cseq {
    uint32_t number; /* below 2^31 */
    struct span method_name;
    enum sip_method method;
};

int sip_cseq_parse(struct span value, struct sip_cseq *ret_cseq);

/* Digits only, at most `max`; leading zeros are fine. For Max-Forwards,
 * Expires, Content-Length, Flow-Timer, … */
int sip_number_parse(struct span value, uint32_t max, uint32_t *ret_number);

/* `seconds (comment);duration=…` (20.33): the seconds. */
int sip_retry_after_parse(struct span value, uint32_t *ret_seconds);

/* Visible ASCII (25.1 wants `word [ "@" word ]`; clients write more). */
bool sip_call_id_is_valid(struct span value);

/* At least one character, all of `token` (25.1). */
bool sip_is_token(struct span s);

#endif /* MSG_SIP_HDR_H */
