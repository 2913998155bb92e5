/* SPDX-License-Identifier: MIT */
/* sip_msg.h - one complete SIP message as spans (RFC 3261 7, 18.3, 20).
 *
 * sip_msg_parse() looks once at every byte: start line, an index of header
 * lines, the values every element needs (top Via, From, To, Call-ID, CSeq,
 * Max-Forwards), and the body. Nothing is copied and nothing allocated: the
 * message lives as long as the bytes it was parsed from.
 *
 * Parsing is strict where leniency lets two elements see two different
 * messages: lines end in CRLF, header names are compared after removing white
 * space before the colon (CVE-2020-28361), a single-instance field stands
 * there once, Content-Length is digits and agrees with the transport. It is
 * lenient where the text is only passed on: unknown header fields, methods,
 * URI schemes, and values no proxy acts upon.
 */
#ifndef MSG_SIP_MSG_H
#define MSG_SIP_MSG_H

#include "msg/sip_hdr.h"

/* The array holds more than the limit admits: room for what edits add. */
enum { SIP_MAX_HDRS = 224 };

/* Where the bytes came from, which decides about Content-Length. */
enum sip_framing {
    SIP_FRAMING_DATAGRAM, /* absent: all; larger: fault; smaller: cut */
    SIP_FRAMING_WS,       /* absent: all; else must match exactly */
    SIP_FRAMING_STREAM,   /* required and exact: the framer cut it there */
};

struct sip_limits {
    size_t message;     /* bytes */
    size_t header_line; /* bytes, with folds; the start line too */
    unsigned headers;   /* at most SIP_MAX_HDRS */
    unsigned hops;      /* Via values and Route values, each */
};

/* 65535, 8192, 200, 70: for what peers send. */
extern const struct sip_limits sip_limits_default;

/* For what we wrote ourselves: a message within the default limits that has
 * grown by our own header fields. */
extern const struct sip_limits sip_limits_own;

/* Which rule a message breaks: id, label for a metric, status to answer (0:
 * drop, do not answer), text for log and reason phrase. */
#define SIP_FAULT_MAP(X)                                                       \
    X(EMPTY, "empty", 0, "nothing but white space")                            \
    X(NOT_SIP, "not_sip", 0, "not a SIP message")                              \
    X(MESSAGE_SIZE, "message_size", 0, "message too large")                    \
    X(NO_END, "no_end", 0, "header section has no end")                        \
    X(HEADER_SIZE, "header_size", 0, "header line too long")                   \
    X(HEADER_COUNT, "header_count", 0, "too many header fields")               \
    X(HEADER_SYNTAX, "header_syntax", 0, "malformed header line")              \
    X(LINE_END, "line_end", 0, "bare CR or LF in the header section")          \
    X(CONTROL_CHARACTER, "control_character", 0,                               \
      "control character in the header section")                               \
    X(STATUS_LINE, "status_line", 0, "malformed status line")                  \
    X(VIA, "via", 0, "malformed or missing Via")                               \
    X(REQUEST_LINE, "request_line", 400, "Malformed Request-Line")             \
    X(REQUEST_URI, "request_uri", 400, "Malformed Request-URI")                \
    X(VERSION, "version", 505, "Version Not Supported")                        \
    X(HOPS, "hops", 400, "Too Many Via Or Route Values")                       \
    X(DUPLICATE, "duplicate", 400, "Duplicate Header Field")                   \
    X(CONTENT_LENGTH, "content_length", 400, "Malformed Content-Length")       \
    X(CONTENT_LENGTH_MISSING, "content_length_missing", 400,                   \
      "Missing Content-Length")                                                \
    X(CONTENT_LENGTH_LARGE, "content_length_large", 400,                       \
      "Content-Length Larger Than Message")                                    \
    X(CONTENT_LENGTH_MISMATCH, "content_length_mismatch", 400,                 \
      "Content-Length Does Not Match")                                         \
    X(FROM, "from", 400, "Malformed Or Missing From")                          \
    X(TO, "to", 400, "Malformed Or Missing To")                                \
    X(CALL_ID, "call_id", 400, "Malformed Or Missing Call-ID")                 \
    X(CSEQ, "cseq", 400, "Malformed Or Missing CSeq")                          \
    X(CSEQ_METHOD, "cseq_method", 400, "CSeq Method Does Not Match")           \
    X(MAX_FORWARDS, "max_forwards", 400, "Malformed Max-Forwards")             \
    X(ROUTE, "route", 400, "Malformed Route")                                  \
    X(CONTACT, "contact", 400, "Malformed Contact")

enum sip_fault {
    SIP_FAULT_NONE,
#define SIP_FAULT_ENUM(id, label, status, text) SIP_FAULT_##id,
    SIP_FAULT_MAP(SIP_FAULT_ENUM)
#undef SIP_FAULT_ENUM
        SIP_FAULT_COUNT,
};

/* "Malformed Request-URI"; "" for SIP_FAULT_NONE. */
const char *sip_fault_str(enum sip_fault fault);

/* "request_uri": a metric label. */
const char *sip_fault_label(enum sip_fault fault);

/* What to answer a request with that fault; 0: nothing can or should be. */
unsigned sip_fault_status(enum sip_fault fault);

enum { SIP_HDR_NO_NEXT = 255 };

/* One header field. A value of several lines keeps its folds. */
struct sip_hdr {
    struct span name;  /* as written, without white space before the colon */
    struct span value; /* trimmed; may be "" */
    struct span line;  /* from the name through the last CRLF */
    uint8_t id;        /* enum sip_hdr_id */
    uint8_t next;      /* index of the next one with that id */
};

/* About 13 KiB: on the stack, or one per worker. Only hdrs[0..n_hdrs) is
 * written. */
struct sip_msg {
    struct span raw;   /* start line through body; leading CRLFs and what
                          follows the body in a datagram are left out */
    struct span start; /* start line with CRLF */
    struct span body;  /* "" when none */
    size_t hdrs_end;   /* offset in `raw` of the empty line's CRLF */
    bool is_request;
    enum sip_fault fault; /* the first rule broken, or SIP_FAULT_NONE */

    /* Request: of the start line. Response: of CSeq. */
    enum sip_method method;
    struct span method_name;

    struct span uri_text; /* request: Request-URI as written */
    struct sip_uri uri;   /* request */
    unsigned status;      /* response: 100..699 */
    struct span reason;   /* response: may be "" */

    struct sip_via via; /* the topmost */
    struct sip_addr from;
    struct sip_addr to;
    struct sip_cseq cseq;
    struct span call_id;
    bool has_max_forwards;
    uint32_t max_forwards; /* 0..255 */
    unsigned n_vias;       /* values, not lines */
    unsigned n_routes;
    bool has_sips_contact; /* request: a Contact is a sips: URI */

    unsigned n_hdrs;
    uint8_t first[SIP_HDR_COUNT]; /* index by id, or SIP_HDR_NO_NEXT */
    struct sip_hdr hdrs[SIP_MAX_HDRS];
};

/* Parse `data`, which is one message.
 *
 * Returns 0, or ERR_PARSE or ERR_LIMIT with `ret_msg->fault` saying why. When
 * sip_msg_is_answerable() the rest of the struct is then as complete as could
 * be and sip_build_response() works on it; otherwise look at nothing else. */
int sip_msg_parse(struct sip_msg *ret_msg, struct span data,
                  enum sip_framing framing, const struct sip_limits *limits);

/* After a failed parse: it is a request other than ACK whose fault has a
 * status, and the fields a response copies are there. */
bool sip_msg_is_answerable(const struct sip_msg *msg);

/* The first header field with that id, or NULL. */
static inline const struct sip_hdr *sip_msg_find(const struct sip_msg *msg,
                                                 enum sip_hdr_id id)
{
    uint8_t i = msg->first[id];

    return i == SIP_HDR_NO_NEXT ? NULL : &msg->hdrs[i];
}

/* The next one with the same id, or NULL. */
static inline const struct sip_hdr *sip_msg_next(const struct sip_msg *msg,
                                                 const struct sip_hdr *hdr)
{
    return hdr->next == SIP_HDR_NO_NEXT ? NULL : &msg->hdrs[hdr->next];
}

/* The first one of that name (for fields without an id), or NULL. */
const struct sip_hdr *sip_msg_find_name(const struct sip_msg *msg,
                                        const char *name);

/* The trimmed value of the first one, or "". */
struct span sip_msg_value(const struct sip_msg *msg, enum sip_hdr_id id);

/* Walks the values of a list field over all its header lines. */
struct sip_values {
    const struct sip_msg *msg;
    const struct sip_hdr *hdr; /* the line `item` stands in */
    const struct sip_hdr *next;
    struct span rest;
    struct span item;
};

struct sip_values sip_values_of(const struct sip_msg *msg, enum sip_hdr_id id);

/* False at the end; otherwise `values->item` is the next value, trimmed. */
bool sip_values_next(struct sip_values *values);

/* The n-th value (from 0). False when there are fewer. */
bool sip_msg_nth(const struct sip_msg *msg, enum sip_hdr_id id, unsigned n,
                 struct span *ret_value);

/* An option tag is listed in Supported, Require, Proxy-Require, … */
bool sip_msg_has_option(const struct sip_msg *msg, enum sip_hdr_id id,
                        const char *tag);

/* True inside a dialog: To has a tag. */
static inline bool sip_msg_has_to_tag(const struct sip_msg *msg)
{
    return msg->to.tag.len > 0;
}

#endif /* MSG_SIP_MSG_H */
