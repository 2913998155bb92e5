/* SPDX-License-Identifier: MIT */
#include "turn/turn_prep.h"

#include "base/err.h"
#include "base/mem.h"

#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

enum {
    SPACE = 0x20,
    MIDDLE_DOT = 0xB7,
    ZWNJ = 0x200C,
    ZWJ = 0x200D,
    VIRAMA = 9, /* canonical combining class */
};

/* A text as code points. */
struct text {
    ucs4_t at[TURN_PREP_MAX];
    size_t n;
};

struct range {
    ucs4_t first, last;
};

static bool in_ranges(ucs4_t c, const struct range *ranges, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    }
    return false;
}

static bool is_in_script(ucs4_t c, const char *script)
{
    const uc_script_t *s = uc_script(c);

    return s && strcmp(s->name, script) == 0;
}

/* The code point `by` places from here; 0 outside. */
static ucs4_t near(const struct text *t, size_t i, ptrdiff_t by)
{
    ptrdiff_t at = (ptrdiff_t)i + by;

    return at < 0 || (size_t)at >= t->n ? 0 : t->at[at];
}

static bool has_in(const struct text *t, ucs4_t first, ucs4_t last)
{
    for (size_t i = 0; i < t->n; i++) {
        if (t->at[i] >= first && t->at[i] <= last)
            return true;
    }
    return false;
}

static bool has_kana_or_han(const struct text *t)
{
    for (size_t i = 0; i < t->n; i++) {
        if (is_in_script(t->at[i], "Hiragana") ||
            is_in_script(t->at[i], "Katakana") || is_in_script(t->at[i], "Han"))
            return true;
    }
    return false;
}

/* RFC 5892 A.1: between letters that would join, or behind a virama. */
static bool may_be_zwnj(const struct text *t, size_t i)
{
    ptrdiff_t before = -1, behind = 1;
    int left, right;

    if (uc_combining_class(near(t, i, -1)) == VIRAMA)
        return true;
    while (uc_joining_type(near(t, i, before)) == UC_JOINING_TYPE_T)
        before--;
    while (uc_joining_type(near(t, i, behind)) == UC_JOINING_TYPE_T)
        behind++;
    left = uc_joining_type(near(t, i, before));
    right = uc_joining_type(near(t, i, behind));
    return (left == UC_JOINING_TYPE_L || left == UC_JOINING_TYPE_D) &&
           (right == UC_JOINING_TYPE_R || right == UC_JOINING_TYPE_D);
}

/* Characters that depend on their neighbours (RFC 5892 appendix A): 1 good
 * here, 0 bad here, -1 another character. */
static int judge_context(const struct text *t, size_t i)
{
    ucs4_t c = t->at[i];

    if (c == ZWNJ)
        return may_be_zwnj(t, i);
    if (c == ZWJ)
        return uc_combining_class(near(t, i, -1)) == VIRAMA;
    if (c == MIDDLE_DOT)
        return near(t, i, -1) == 'l' && near(t, i, 1) == 'l';
    if (c == 0x375) /* Greek keraia */
        return is_in_script(near(t, i, 1), "Greek");
    if (c == 0x5F3 || c == 0x5F4) /* Hebrew geresh, gershayim */
        return is_in_script(near(t, i, -1), "Hebrew");
    if (c == 0x30FB) /* Katakana middle dot */
        return has_kana_or_han(t);
    if (c >= 0x660 && c <= 0x669) /* Arabic-Indic digits, not both kinds */
        return !has_in(t, 0x6F0, 0x6F9);
    if (c >= 0x6F0 && c <= 0x6F9)
        return !has_in(t, 0x660, 0x669);
    return -1;
}

/* RFC 8264 8, for FreeformClass; RFC 5892 2.6 has the exceptions. */
static bool is_freeform(ucs4_t c)
{
    static const struct range good[] = {{0x6FD, 0x6FE},
                                        {0xF0B, 0xF0B},
                                        {0x3007, 0x3007},
                                        {0xDF, 0xDF},
                                        {0x3C2, 0x3C2}};
    static const struct range bad[] = {
        {0x640, 0x640},   {0x7FA, 0x7FA},   {0x302E, 0x302F},
        {0x3031, 0x3035}, {0x303B, 0x303B}, {0x1100, 0x11FF}, /* old jamo */
        {0xA960, 0xA97C}, {0xD7B0, 0xD7C6}, {0xD7CB, 0xD7FB}};

    if (in_ranges(c, good, ARRAY_SIZE(good)))
        return true;
    if (in_ranges(c, bad, ARRAY_SIZE(bad)) ||
        uc_is_property_default_ignorable_code_point(c) ||
        uc_is_property_not_a_character(c))
        return false;
    return uc_is_general_category_withtable(
        c, UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_M | UC_CATEGORY_MASK_N |
               UC_CATEGORY_MASK_Zs | UC_CATEGORY_MASK_S | UC_CATEGORY_MASK_P);
}

static int decode(struct span in, struct text *t)
{
    t->n = 0;
    while (in.len > 0) {
        int len = u8_mbtoucr(&t->at[t->n], in.ptr, in.len);

        if (len <= 0)
            return ERR_PARSE;
        t->n++;
        in = span_from(in, (size_t)len);
    }
    return 0;
}

static bool is_allowed(const struct text *t)
{
    for (size_t i = 0; i < t->n; i++) {
        int verdict = judge_context(t, i);

        if (verdict == 0 || (verdict < 0 && !is_freeform(t->at[i])))
            return false;
    }
    return true;
}

/* Spaces to U+0020, then UTF-8 again. */
static size_t encode(const struct text *t, uint8_t *out, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < t->n; i++) {
        ucs4_t c = t->at[i];
        int len;

        if (uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Zs))
            c = SPACE;
        len = u8_uctomb(out + n, c, (ptrdiff_t)(size - n));
        n += len > 0 ? (size_t)len : 0; /* it is no longer than it was */
    }
    return n;
}

bool turn_prep_is_plain(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 || text.ptr[i] > 0x7E)
            return false;
    }
    return text.len > 0;
}

int turn_prep(struct span text, uint8_t out[TURN_PREP_SIZE])
{
    uint8_t spaced[TURN_PREP_MAX];
    struct text t;
    size_t len = TURN_PREP_SIZE;
    int err;

    if (text.len == 0)
        return ERR_PARSE;
    if (text.len > TURN_PREP_MAX)
        return ERR_LIMIT;
    if (turn_prep_is_plain(text)) {
        memcpy(out, text.ptr, text.len);
        return (int)text.len;
    }
    err = decode(text, &t);
    if (err < 0)
        return err;
    if (!is_allowed(&t))
        return ERR_PARSE;
    /* it uses our buffer as long as that is large enough, and one byte becomes
     * three at most */
    if (u8_normalize(UNINORM_NFC, spaced, encode(&t, spaced, sizeof(spaced)),
                     out, &len) != out)
        return ERR_LIMIT;
    /* marks may have changed places: the neighbours may be others now */
    if (len > TURN_PREP_MAX)
        return ERR_LIMIT;
    if (decode(span_of(out, len), &t) < 0 || !is_allowed(&t))
        return ERR_PARSE;
    return (int)len;
}
