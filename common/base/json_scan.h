/* SPDX-License-Identifier: MIT */
/* json_scan.h - reading small JSON texts of strangers (RFC 8259) in place:
 * strict, without memory, in one pass over the bytes.
 *
 * json_scan() checks the whole text once; values are then views of it and are
 * walked without further checks. What it does not take, though RFC 8259 does:
 * nesting deeper than JSON_SCAN_DEPTH, and U+0000 in strings. Bytes must be
 * UTF-8.
 *
 * Pure functions; any thread.
 */
#ifndef BASE_JSON_SCAN_H
#define BASE_JSON_SCAN_H

#include "base/span.h"

enum { JSON_SCAN_DEPTH = 16 };

enum json_scan_kind {
    JSON_SCAN_NULL,
    JSON_SCAN_BOOL,
    JSON_SCAN_NUMBER,
    JSON_SCAN_STRING,
    JSON_SCAN_ARRAY,
    JSON_SCAN_OBJECT,
};

struct json_scan_value {
    enum json_scan_kind kind;
    struct span text; /* as written; of a string, array or object what stands
                         between its quotes or brackets */
};

/* The text is one value and nothing else. Returns 0, ERR_PARSE, or ERR_LIMIT
 * (too deep). */
int json_scan(struct span text, struct json_scan_value *ret_value);

/* Walk the text of an object or array that json_scan() took. False at the end.
 * struct span rest = object.text; while (json_scan_member(&rest, …)) */
bool json_scan_member(struct span *rest, struct span *ret_name,
                      struct json_scan_value *ret_value);
bool json_scan_item(struct span *rest, struct json_scan_value *ret_value);

/* Find a member by name; escapes in names count as what they stand for.
 * Returns 1, 0 when there is none, or ERR_PARSE when there is more than one:
 * two readers could take different ones. */
int json_scan_find(struct span object, const char *name,
                   struct json_scan_value *ret_value);

/* The text of a string without its escapes, into `out` without NUL. Returns
 * the length, or ERR_LIMIT. Never longer than the text. */
int json_scan_string(struct span text, char *out, size_t size);

/* True for a string value that stands for `want`. */
bool json_scan_is(const struct json_scan_value *value, struct span want);

/* A number without exponent; its fraction is dropped, below 0 is 0. Returns 0
 * or ERR_PARSE (an exponent, or 2^53 and more). */
int json_scan_u64(struct span text, uint64_t *ret_value);

#endif /* BASE_JSON_SCAN_H */
