/* SPDX-License-Identifier: MIT */
/* sip_char.h - the character classes of RFC 3261 25.1, as one table. Bytes
 * above 0x7F are in the classes of free text (UTF-8), not in TOKEN.
 */
#ifndef MSG_SIP_CHAR_H
#define MSG_SIP_CHAR_H

#include "base/span.h"

enum {
    SIP_CHAR_TOKEN = 1,    /* token */
    SIP_CHAR_WORD = 2,     /* word (Call-ID) */
    SIP_CHAR_USER = 4,     /* user part: unreserved, user-unreserved, %, # */
    SIP_CHAR_PASS = 8,     /* password */
    SIP_CHAR_PARAM = 16,   /* uri-parameters with their ';' and '=' */
    SIP_CHAR_HEADER = 32,  /* headers of a URI with their '&' and '=' */
    SIP_CHAR_HOST = 64,    /* letters, digits, '-', '.', and '_' */
    SIP_CHAR_SPACE = 128,  /* SP HT CR LF */
    SIP_CHAR_LIST = 256,   /* where a walk over a comma list looks: " < > , */
    SIP_CHAR_NAME = 512,   /* where a parameter's name ends: = ; " */
    SIP_CHAR_VALUE = 1024, /* where an unquoted value ends: ; " */
    SIP_CHAR_URI = 2048,   /* no space, no control character, no < > " */
};

extern const uint16_t sip_char_class[256];

static inline bool sip_char_is(uint8_t c, unsigned class)
{
    return (sip_char_class[c] & class) != 0;
}

/* Every byte is in the class (also true for no bytes). */
bool sip_chars_are(struct span s, unsigned class);

/* How many bytes at the front are in the class. */
size_t sip_chars_count(struct span s, unsigned class);

/* How many bytes at the front are not in the class. */
static inline size_t sip_chars_until(struct span s, unsigned class)
{
    size_t n = 0;

    while (n < s.len && !sip_char_is(s.ptr[n], class))
        n++;
    return n;
}

/* Without the white space (folds too) in front. */
static inline struct span sip_skip_space(struct span s)
{
    while (s.len > 0 && sip_char_is(s.ptr[0], SIP_CHAR_SPACE)) {
        s.ptr++;
        s.len--;
    }
    return s;
}

/* Without the white space (folds too) at the end. */
static inline struct span sip_trim_right(struct span s)
{
    while (s.len > 0 && sip_char_is(s.ptr[s.len - 1], SIP_CHAR_SPACE))
        s.len--;
    return s;
}

/* Every % is followed by two hex digits. */
bool sip_escapes_are_valid(struct span s);

/* The value of a hex digit, or -1. */
int sip_hex_digit(uint8_t c);

/* ASCII letters in lower case, all else as it is. */
uint8_t sip_lower(uint8_t c);

#endif /* MSG_SIP_CHAR_H */
