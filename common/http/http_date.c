/* SPDX-License-Identifier: MIT */
#include "http/http_date.h"

#include "base/err.h"

#include <stdio.h>

enum { DAY_S = 86400, YEAR_MAX = 9999 };

static const char days[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* Days from 1970-01-01 to a date of the Gregorian calendar; a year begins
 * with March, so that the day of the leap is its last. */
static int64_t days_of(int64_t year, int month, int day)
{
    int64_t era, of_era;
    int of_year;

    year -= month <= 2;
    era = year / 400;
    of_era = year - era * 400;
    of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year -
           719468;
}

static void date_of(int64_t n, int *ret_year, int *ret_month, int *ret_day)
{
    int64_t era, of_era, year, of_year, month;

    n += 719468;
    era = n / 146097;
    of_era = n - era * 146097;
    year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    of_year = of_era - (365 * year + year / 4 - year / 100);
    month = (5 * of_year + 2) / 153;
    *ret_day = (int)(of_year - (153 * month + 2) / 5 + 1);
    *ret_month = (int)(month < 10 ? month + 3 : month - 9);
    *ret_year = (int)(year + era * 400 + (*ret_month <= 2));
}

const char *http_date_print(int64_t unix_s, char out[HTTP_DATE_SIZE])
{
    int64_t n, s;
    int year, month, day;

    if (unix_s < 0)
        unix_s = 0;
    if (unix_s >= days_of(YEAR_MAX + 1, 1, 1) * DAY_S)
        unix_s = days_of(YEAR_MAX + 1, 1, 1) * DAY_S - 1;
    n = unix_s / DAY_S;
    s = unix_s % DAY_S;
    date_of(n, &year, &month, &day);
    (void)snprintf(out, HTTP_DATE_SIZE,
                   "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
                   days + (n + 4) % 7 * INT64_C(3), day % 100,
                   months + (ptrdiff_t)(month - 1) * 3, year % 10000,
                   (int)(s / 3600 % 24), (int)(s / 60 % 60), (int)(s % 60));
    return out;
}

/* ---- reading ---- */

/* Number of a name of three letters, counted from 0; -1 for none. */
static int name_of(struct span s, const char *names)
{
    for (int i = 0; s.len >= 3 && names[(size_t)i * 3]; i++) {
        if (memcmp(s.ptr, names + (size_t)i * 3, 3) == 0)
            return i;
    }
    return -1;
}

/* `n` digits, or a blank and one less; -1 for anything else. */
static int number(struct span s, size_t at, size_t n)
{
    int value = 0;

    for (size_t i = 0; i < n; i++) {
        uint8_t c = s.ptr[at + i];

        if (c == ' ' && i == 0 && n == 2)
            continue;
        if (c < '0' || c > '9')
            return -1;
        value = value * 10 + (c - '0');
    }
    return value;
}

static int make(int year, int month, int day, struct span clock,
                int64_t *ret_unix_s)
{
    static const uint8_t lengths[] = {31, 29, 31, 30, 31, 30,
                                      31, 31, 30, 31, 30, 31};
    int h, m, s;

    if (clock.len != 8 || clock.ptr[2] != ':' || clock.ptr[5] != ':')
        return ERR_PARSE;
    h = number(clock, 0, 2);
    m = number(clock, 3, 2);
    s = number(clock, 6, 2);
    if (year < 1970 || month < 0 || day < 1 || day > lengths[month] || h < 0 ||
        h > 23 || m < 0 || m > 59 || s < 0 || s > 60)
        return ERR_PARSE;
    *ret_unix_s = days_of(year, month + 1, day) * DAY_S + h * INT64_C(3600) +
                  m * INT64_C(60) + s;
    return 0;
}

/* "06 Nov 1994 08:49:37 GMT" */
static int parse_fixed(struct span s, int64_t *ret)
{
    if (s.len != 24 || s.ptr[2] != ' ' || s.ptr[6] != ' ' || s.ptr[11] != ' ' ||
        !span_is(span_from(s, 20), " GMT"))
        return ERR_PARSE;
    return make(number(s, 7, 4), name_of(span_from(s, 3), months),
                number(s, 0, 2), span_head(span_from(s, 12), 8), ret);
}

/* "06-Nov-94 08:49:37 GMT": a year of two digits is of the last century when
 * it would lie in the far future. */
static int parse_rfc850(struct span s, int64_t *ret)
{
    int year;

    if (s.len != 22 || s.ptr[2] != '-' || s.ptr[6] != '-' || s.ptr[9] != ' ' ||
        !span_is(span_from(s, 18), " GMT"))
        return ERR_PARSE;
    year = number(s, 7, 2);
    if (year < 0)
        return ERR_PARSE;
    return make(year < 70 ? 2000 + year : 1900 + year,
                name_of(span_from(s, 3), months), number(s, 0, 2),
                span_head(span_from(s, 10), 8), ret);
}

/* "Sun Nov  6 08:49:37 1994" */
static int parse_asctime(struct span s, int64_t *ret)
{
    if (s.len != 24 || s.ptr[3] != ' ' || s.ptr[7] != ' ' || s.ptr[10] != ' ' ||
        s.ptr[19] != ' ')
        return ERR_PARSE;
    return make(number(s, 20, 4), name_of(span_from(s, 4), months),
                number(s, 8, 2), span_head(span_from(s, 11), 8), ret);
}

int http_date_parse(struct span s, int64_t *ret_unix_s)
{
    struct span day, rest;

    if (name_of(s, days) < 0)
        return ERR_PARSE;
    if (!span_cut(s, ',', &day, &rest))
        return parse_asctime(s, ret_unix_s);
    if (rest.len == 0 || rest.ptr[0] != ' ')
        return ERR_PARSE;
    rest = span_from(rest, 1);
    return day.len == 3 ? parse_fixed(rest, ret_unix_s)
                        : parse_rfc850(rest, ret_unix_s);
}
