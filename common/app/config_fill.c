/* SPDX-License-Identifier: MIT */
#include "app/config_internal.h"

#include <assert.h>
#include <errno.h>

void config_fill_init(struct config_fill *fill,
                      const struct option_table *table, void *values)
{
    assert(table->n <= CONFIG_OPTIONS_MAX);
    *fill = (struct config_fill){.table = table, .values = values};
}

const struct option_def *config_fill_find(struct config_fill *fill,
                                          struct span name, size_t *ret_index)
{
    for (size_t i = 0; i < fill->table->n; i++) {
        if (span_is(name, fill->table->options[i].name)) {
            *ret_index = i;
            return &fill->table->options[i];
        }
    }
    return NULL;
}

static void *field_of(struct config_fill *fill, const struct option_def *def)
{
    return (uint8_t *)fill->values + def->offset;
}

static size_t field_size(const struct option_def *def)
{
    return def->flags & OPT_LIST ? sizeof(struct cidr_list)
                                 : option_item_size(def);
}

bool config_fill_begin(struct config_build *build, struct config_fill *fill,
                       size_t index)
{
    const struct option_def *def = &fill->table->options[index];
    bool again = fill->stage[index] == (uint8_t)build->stage &&
                 build->stage != STAGE_DEFAULT;

    fill->stage[index] = (uint8_t)build->stage;
    if (again && !(def->flags & OPT_LIST)) {
        config_fail(build, "given twice");
        return false;
    }
    if (!again)
        memset(field_of(fill, def), 0, field_size(def));
    return true;
}

/* ---- objects ---- */

/* One "key=value"; a bool may stand alone. */
static void object_pair(struct config_build *build, struct config_fill *fill,
                        struct span pair)
{
    struct span name = pair, value = span_str("true");
    bool alone = !span_cut(pair, '=', &name, &value);
    char quoted[CONFIG_PATH_MAX], guess[CONFIG_PATH_MAX];
    const struct option_def *def;
    size_t index, key;

    name = span_trim(name);
    def = config_fill_find(fill, name, &index);
    if (!def || (alone && def->type != OPT_BOOL)) {
        config_fail(build, "%s is not a setting here; expected key=value%s",
                    config_quote(NULL, pair, quoted),
                    config_guess(&fill->table, 1, name, guess));
        return;
    }
    key = config_key_push(build, def->name);
    if (config_fill_begin(build, fill, index))
        config_fill_text(build, fill, index, value);
    config_key_pop(build, key);
}

static void brief_field(struct config_build *build, struct config_fill *fill,
                        struct span name, struct span value)
{
    size_t index = 0, key;
    const struct option_def *def = config_fill_find(fill, name, &index);

    assert(def); /* the table names its own rows */
    key = config_key_push(build, def->name);
    if (config_fill_begin(build, fill, index))
        config_fill_text(build, fill, index, span_trim(value));
    config_key_pop(build, key);
}

/* "a", "a=b"; a missing "a=" is fine when a has a default, a missing "=b"
 * when b need not be there. */
static void object_brief(struct config_build *build, struct config_fill *fill,
                         struct span text)
{
    struct span a = span_str(fill->table->brief);
    struct span b = {NULL, 0};
    struct span first = text, second = {NULL, 0};
    const struct option_def *def_a, *def_b;
    char quoted[CONFIG_PATH_MAX];
    size_t index;

    if (!span_cut(a, '=', &a, &b)) {
        brief_field(build, fill, a, text);
        return;
    }
    if (span_cut(text, '=', &first, &second)) {
        brief_field(build, fill, a, first);
        brief_field(build, fill, b, second);
        return;
    }
    def_a = config_fill_find(fill, a, &index);
    def_b = config_fill_find(fill, b, &index);
    assert(def_a && def_b);
    if (def_a->fallback)
        brief_field(build, fill, b, text);
    else if (!(def_b->flags & OPT_REQUIRED))
        brief_field(build, fill, a, text);
    else
        config_fail(build, "%s is not allowed; expected %s",
                    config_quote(NULL, text, quoted), fill->table->brief);
}

static bool is_pair(struct config_fill *fill, struct span text)
{
    struct span name, value;
    size_t index;

    return span_cut(text, '=', &name, &value) &&
           config_fill_find(fill, span_trim(name), &index);
}

/* Does this part of an object's text go on with the list before it, as in
 * "a=https://x,https://y" and "weights=3,1"? Not with lists of texts, where a
 * mistyped name would pass. */
static bool continues_list(struct config_fill *fill, struct span part)
{
    const struct option_def *def = fill->last;
    struct span name, value;
    size_t index;

    return def && (def->flags & OPT_LIST) && def->type != OPT_STRING &&
           def->type != OPT_FILE && def->type != OPT_SECRET_FILE &&
           def->type != OPT_OBJECT && !span_cut(part, '=', &name, &value) &&
           !config_fill_find(fill, part, &index);
}

static void continue_list(struct config_build *build, struct config_fill *fill,
                          struct span part)
{
    size_t index = (size_t)(fill->last - fill->table->options);
    size_t key = config_key_push(build, fill->last->name);

    config_fill_text(build, fill, index, part);
    config_key_pop(build, key);
}

void config_fill_object_text(struct config_build *build,
                             const struct option_def *def, struct span text,
                             void *item)
{
    struct config_fill fill;
    struct span part;
    bool first = true;

    config_fill_init(&fill, def->object, item);
    config_fill_defaults(build, &fill);
    fill.last = NULL;
    while (span_next(&text, ',', &part)) {
        part = span_trim(part);
        if (first && def->object->brief && !is_pair(&fill, part))
            object_brief(build, &fill, part);
        else if (continues_list(&fill, part))
            continue_list(build, &fill, part);
        else
            object_pair(build, &fill, part);
        first = false;
    }
    config_fill_required(build, &fill);
}

/* ---- rows ---- */

static bool is_separator(const struct config_build *build,
                         const struct option_def *def, uint8_t c)
{
    bool may_hold_commas = def->type == OPT_STRING || def->type == OPT_FILE ||
                           def->type == OPT_SECRET_FILE ||
                           def->type == OPT_OBJECT;

    if (c == ',')
        return !may_hold_commas && build->stage != STAGE_FILE;
    return (c == ' ' || c == '\t' || c == '\n') &&
           (build->stage == STAGE_ENV || build->stage == STAGE_DEFAULT);
}

static void set_item(struct config_build *build, const struct option_def *def,
                     struct span text, void *item)
{
    if (def->type == OPT_OBJECT)
        config_fill_object_text(build, def, text, item);
    else
        (void)option_parse(build, def, text, item);
}

static void set_list(struct config_build *build, const struct option_def *def,
                     struct span text, void *field)
{
    size_t from = 0;

    for (size_t i = 0; i <= text.len; i++) {
        void *item;

        if (i < text.len && !is_separator(build, def, text.ptr[i]))
            continue;
        if (i > from) {
            item = option_list_grow(build, def, field);
            if (!item)
                return;
            set_item(build, def, span_of(text.ptr + from, i - from), item);
        }
        from = i + 1;
    }
}

void config_fill_text(struct config_build *build, struct config_fill *fill,
                      size_t index, struct span text)
{
    const struct option_def *def = &fill->table->options[index];

    fill->last = def;
    if (def->flags & OPT_LIST)
        set_list(build, def, text, field_of(fill, def));
    else
        set_item(build, def, text, field_of(fill, def));
}

/* An object that stands alone has the defaults of its rows. */
static void object_defaults(struct config_build *build,
                            const struct option_def *def, void *field)
{
    struct config_fill fill;

    if (def->type != OPT_OBJECT || def->flags & OPT_LIST)
        return;
    config_fill_init(&fill, def->object, field);
    config_fill_defaults(build, &fill);
}

void config_fill_defaults(struct config_build *build, struct config_fill *fill)
{
    enum config_stage stage = build->stage;
    const char *source = build->source;

    for (size_t i = 0; i < fill->table->n; i++) {
        const struct option_def *def = &fill->table->options[i];
        size_t key;

        if (!def->fallback) {
            object_defaults(build, def, field_of(fill, def));
            continue;
        }
        build->stage = STAGE_DEFAULT;
        build->source = "default";
        key = config_key_push(build, def->name);
        fill->stage[i] = STAGE_DEFAULT;
        config_fill_text(build, fill, i, span_str(def->fallback));
        config_key_pop(build, key);
    }
    build->stage = stage;
    build->source = source;
}

void config_fill_required(struct config_build *build, struct config_fill *fill)
{
    for (size_t i = 0; i < fill->table->n; i++) {
        const struct option_def *def = &fill->table->options[i];

        if (!(def->flags & OPT_REQUIRED))
            continue;
        if (fill->stage[i] == STAGE_NONE ||
            !option_is_set(def, field_of(fill, def))) {
            size_t key = config_key_push(build, def->name);

            /* A value that was refused has been reported already. */
            if (fill->stage[i] < STAGE_FILE || def->flags & OPT_LIST)
                config_fail(build, "must be set: %s", def->help);
            config_key_pop(build, key);
        }
    }
}
