/* SPDX-License-Identifier: MIT */
/* text.h - hex, base64, UTF-8, and untrusted text made printable. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/span.h"

/* `out` takes 2 * len + 1 bytes, NUL-terminated. */
void text_hex(struct span in, char *out);

/* Returns the number of bytes written to `out`, or ERR_PARSE, ERR_LIMIT. */
int text_unhex(struct span in, uint8_t *out, size_t size);

enum text_base64 { TEXT_BASE64, TEXT_BASE64URL };

#define TEXT_BASE64_SIZE(len) (((len) + 2) / 3 * 4 + 1)

/* With padding for TEXT_BASE64, without for TEXT_BASE64URL; NUL-terminated;
 * `out` takes TEXT_BASE64_SIZE(len). Returns the length without NUL. */
size_t text_base64(enum text_base64 kind, struct span in, char *out);

/* Strict: no white space, no foreign characters, zero trailing bits. Returns
 * the number of bytes, or ERR_PARSE, ERR_LIMIT. */
int text_unbase64(enum text_base64 kind, struct span in, uint8_t *out,
                  size_t size);

/* Printable form of untrusted bytes for a log line: anything but printable
 * ASCII, and `"` and `\`, becomes \xNN; longer input ends in "...". Always
 * NUL-terminated within `size`. Returns `out`. */
const char *text_printable(struct span in, char *out, size_t size);

enum { TEXT_DECIMAL_SIZE = 20 };

/* The digits of `value`, somewhere in `out`. */
struct span text_decimal(uint64_t value, uint8_t out[TEXT_DECIMAL_SIZE]);

/* True for well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates). */
bool text_is_utf8(struct span in);

#endif /* BASE_TEXT_H */
