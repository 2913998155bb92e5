/* SPDX-License-Identifier: MIT */
/* unit.h - what every libcheck program here shares.
 *
 * A test file defines unit_suite(); unit_main.c runs it. The helpers below
 * fail the running test with the caller's line.
 */
#ifndef SUPPORT_UNIT_H
#define SUPPORT_UNIT_H

#include "base/mem.h"
#include "base/span.h"

#include <check.h>

/* Defined by the test file. */
Suite *unit_suite(void);

/* Teardown line of every fixture: the module gave everything back. */
#define ck_assert_no_blocks() ck_assert_int_eq(mem_live_blocks(), 0)

#define ck_assert_span_eq(s, text)                                             \
    do {                                                                       \
        struct span ck_span = (s);                                             \
        ck_assert_msg(span_is(ck_span, (text)), "\"%.*s\" is not \"%s\"",      \
                      SPAN_FMT(ck_span), (text));                              \
    } while (0)

/* Run `statement` (which sets `err`) with the 0th, 1st, 2nd … allocation
 * failing until it succeeds; it must fail with -ENOMEM until then. */
#define CK_OOM_SWEEP(err, statement)                                           \
    do {                                                                       \
        for (long ck_n = 0; ck_n < 10000; ck_n++) {                            \
            mem_fail_at(ck_n);                                                 \
            statement;                                                         \
            mem_fail_at(-1);                                                   \
            if ((err) == 0)                                                    \
                break;                                                         \
            ck_assert_int_eq((err), -ENOMEM);                                  \
        }                                                                      \
        ck_assert_int_eq((err), 0);                                            \
    } while (0)

#endif /* SUPPORT_UNIT_H */
