/* SPDX-License-Identifier: MIT */
/* web_file.h - what a request for a file is answered: conditions, ranges and
 * forms (RFC 9110 sections 8.8, 12.5.3, 13, 14).
 *
 * Pure functions; any thread.
 */
#ifndef WEB_FILE_H
#define WEB_FILE_H

#include "base/buf.h"
#include "http/http_date.h"
#include "http/http_msg.h"

/* A folder of files that a route publishes. Borrowed from the site's owner. */
struct web_folder {
    void *root;                /* the shell's */
    const char *index;         /* file of a folder; NULL: none */
    bool precompressed;        /* name.br and name.gz, where they are */
    struct span cache_control; /* empty: not said */
};

enum web_file_form { WEB_FILE_BR, WEB_FILE_GZIP, WEB_FILE_FORMS };

struct web_file_info {
    uint64_t size;
    int64_t mtime_s;
    uint32_t mtime_ns;
    int form; /* enum web_file_form; -1: the file itself */
};

/* The name below the folder for the path behind the route's prefix: escapes
 * are undone. A name that has a hidden part (".git", but ".well-known" is
 * none), a NUL or a '/' that was escaped is not published.
 * Returns its length; ERR_DENIED, or ERR_LIMIT. */
int web_file_name(struct span path, char *out, size_t size);

/* "text/css; charset=utf-8" by the end of the name. */
const char *web_file_type(struct span name);

/* The forms that Accept-Encoding takes, one bit each. */
unsigned web_file_forms(const struct http_msg *msg);

/* ---- conditions ---- */

enum { WEB_FILE_TAG_SIZE = 64 };

/* A strong entity tag with its quotes. Returns `out`. */
const char *web_file_tag(const struct web_file_info *info,
                         char out[WEB_FILE_TAG_SIZE]);

/* The fields that make a request conditional; empty where there is none. */
struct web_file_asked {
    struct span match;            /* If-Match */
    struct span none_match;       /* If-None-Match */
    struct span modified_since;   /* If-Modified-Since */
    struct span unmodified_since; /* If-Unmodified-Since */
    struct span range;            /* Range */
    struct span if_range;         /* If-Range */
};

/* They borrow from the message. Of several fields the lists count as none
 * (the file is then sent whole). */
void web_file_ask(const struct http_msg *msg, struct web_file_asked *ret_asked);

enum { WEB_FILE_RANGES_MAX = 8 };

struct web_file_range {
    uint64_t first, len; /* len > 0 */
};

struct web_file_verdict {
    int status; /* 200, 206, 304, 412, 416 */
    struct web_file_range ranges[WEB_FILE_RANGES_MAX]; /* of 206 */
    size_t n;
};

/* Ranges that overlap, are not in order, or are too many are sent as the
 * whole (RFC 9110 14.2 leaves that to us). */
struct web_file_verdict web_file_judge(const struct web_file_asked *asked,
                                       const struct web_file_info *info);

#endif /* WEB_FILE_H */
