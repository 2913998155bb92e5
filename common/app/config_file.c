/* SPDX-License-Identifier: MIT */
#include "app/config_internal.h"

#include "app/json.h"
#include "base/err.h"
#include "base/mem.h"

#include <cjson/cJSON.h>

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

/* cJSON cannot tell "no memory" from "no JSON"; its allocator can. */
static _Thread_local bool json_out_of_memory;

static void *json_alloc(size_t size)
{
    void *p = mem_alloc(size);

    json_out_of_memory |= p == NULL;
    return p;
}

/* ---- values ---- */

static void fill_json(struct config_build *build, struct config_fill *fill,
                      const cJSON *object);

static const char *json_type(const cJSON *json)
{
    if (cJSON_IsObject(json))
        return "an object";
    if (cJSON_IsArray(json))
        return "a list";
    if (cJSON_IsString(json))
        return "text";
    if (cJSON_IsNumber(json))
        return "a number";
    return cJSON_IsNull(json) ? "null" : "true or false";
}

static void refuse_type(struct config_build *build,
                        const struct option_def *def, const cJSON *json)
{
    struct buf allowed;

    buf_init(&allowed, 1024);
    option_allowed(def, &allowed);
    config_fail(build, "%s is of the wrong type; expected %.*s",
                json_type(json), SPAN_FMT(buf_span(&allowed)));
    buf_deinit(&allowed);
}

static bool takes_text(enum option_type type)
{
    return type != OPT_BOOL && type != OPT_U16 && type != OPT_U32 &&
           type != OPT_U64;
}

static bool takes_number(enum option_type type)
{
    return type == OPT_U16 || type == OPT_U32 || type == OPT_U64 ||
           type == OPT_SIZE || type == OPT_DURATION || type == OPT_PORTS;
}

/* cJSON keeps numbers as double: whole numbers up to 2^53 are exact. */
static void set_number(struct config_build *build, const struct option_def *def,
                       const cJSON *json, void *item)
{
    bool whole = json->valuedouble >= 0 && json->valuedouble <= 0x1p53 &&
                 trunc(json->valuedouble) >= json->valuedouble;
    char text[64];

    (void)snprintf(text, sizeof(text), whole ? "%.0f" : "%g",
                   json->valuedouble);
    (void)option_parse(build, def, span_str(text), item);
}

static void set_object(struct config_build *build, const struct option_def *def,
                       const cJSON *json, void *item)
{
    struct config_fill fill;

    config_fill_init(&fill, def->object, item);
    config_fill_defaults(build, &fill);
    fill_json(build, &fill, json);
    config_fill_required(build, &fill);
}

static void set_item(struct config_build *build, const struct option_def *def,
                     const cJSON *json, void *item)
{
    bool value = cJSON_IsTrue(json);

    if (def->type == OPT_BOOL && cJSON_IsBool(json))
        memcpy(item, &value, sizeof(value));
    else if (def->type == OPT_ENUM && cJSON_IsBool(json))
        (void)option_parse(build, def, span_str(value ? "true" : "false"),
                           item);
    else if (def->type == OPT_OBJECT && cJSON_IsObject(json))
        set_object(build, def, json, item);
    else if (def->type == OPT_OBJECT && cJSON_IsString(json) &&
             def->object->brief)
        config_fill_object_text(build, def, span_str(json->valuestring), item);
    else if (def->type != OPT_OBJECT && takes_text(def->type) &&
             cJSON_IsString(json))
        (void)option_parse(build, def, span_str(json->valuestring), item);
    else if (takes_number(def->type) && cJSON_IsNumber(json))
        set_number(build, def, json, item);
    else
        refuse_type(build, def, json);
}

static void append_item(struct config_build *build,
                        const struct option_def *def, const cJSON *json,
                        void *field)
{
    void *item = option_list_grow(build, def, field);

    if (item)
        set_item(build, def, json, item);
}

static void set_field(struct config_build *build, const struct option_def *def,
                      const cJSON *json, void *field)
{
    const cJSON *child;
    size_t index = 0;

    if (!(def->flags & OPT_LIST)) {
        set_item(build, def, json, field);
        return;
    }
    if (!cJSON_IsArray(json)) {
        append_item(build, def, json, field);
        return;
    }
    cJSON_ArrayForEach(child, json)
    {
        size_t key = config_key_index(build, index++);

        append_item(build, def, child, field);
        config_key_pop(build, key);
        if (build->err)
            return;
    }
}

static bool fill_key(struct config_build *build, struct config_fill *fill,
                     const cJSON *json)
{
    size_t index, key;
    const struct option_def *def =
        config_fill_find(fill, span_str(json->string), &index);

    if (!def)
        return false;
    key = config_key_push(build, def->name);
    if (fill->stage[index] == STAGE_FILE)
        config_fail(build, "the key stands twice");
    else if (config_fill_begin(build, fill, index))
        set_field(build, def, json, (uint8_t *)fill->values + def->offset);
    config_key_pop(build, key);
    return true;
}

static void unknown_key(struct config_build *build,
                        const struct option_table *const *tables, size_t n,
                        const char *name)
{
    char quoted[CONFIG_PATH_MAX], guess[CONFIG_PATH_MAX];

    config_fail(build, "unknown key %s%s",
                config_quote(NULL, span_str(name), quoted),
                config_guess(tables, n, span_str(name), guess));
}

static void fill_json(struct config_build *build, struct config_fill *fill,
                      const cJSON *object)
{
    const cJSON *child;

    cJSON_ArrayForEach(child, object)
    {
        if (!fill_key(build, fill, child))
            unknown_key(build, &fill->table, 1, child->string);
    }
}

/* The outermost object belongs to two tables. */
static void fill_document(struct config_build *build, const cJSON *document)
{
    struct config_fill *fill = build->config->fill;
    const struct option_table *const tables[] = {fill[0].table, fill[1].table};
    const cJSON *child;

    cJSON_ArrayForEach(child, document)
    {
        if (strcmp(child->string, "config") == 0)
            config_fail(build, "\"config\" is not a setting of the file");
        else if (!fill_key(build, &fill[0], child) &&
                 !fill_key(build, &fill[1], child))
            unknown_key(build, tables, ARRAY_SIZE(tables), child->string);
    }
}

/* ---- the text ---- */

static size_t line_of(const char *text, size_t offset)
{
    size_t line = 1;

    for (size_t i = 0; i < offset; i++)
        line += text[i] == '\n';
    return line;
}

static void parse_text(struct config_build *build, char *text, size_t len)
{
    cJSON_Hooks hooks = {json_alloc, mem_free};
    const char *end = text;
    size_t offset = 0;
    cJSON *document;

    if (json_strip(text, len, &offset) < 0) {
        config_fail(build,
                    "line %zu: a text or comment that does not end, or a NUL",
                    line_of(text, offset));
        return;
    }
    cJSON_InitHooks(&hooks);
    json_out_of_memory = false;
    document = cJSON_ParseWithLengthOpts(text, len + 1, &end, 1);
    if (json_out_of_memory) {
        build->err = -ENOMEM;
    } else if (!document) {
        config_fail(build, "line %zu: not JSON (comments are allowed)",
                    line_of(text, (size_t)(end - text)));
    } else if (!cJSON_IsObject(document)) {
        config_fail(build, "expected an object: { \"key\": value, … }");
    } else {
        fill_document(build, document);
    }
    cJSON_Delete(document);
}

/* The file and a NUL behind it. */
static char *read_text(struct config_build *build, const char *path,
                       size_t *ret_len)
{
    struct buf text;
    ssize_t n = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        config_fail(build, "cannot be read: %s", strerror(errno));
        return NULL;
    }
    buf_init(&text, CONFIG_FILE_MAX);
    while (n > 0) {
        uint8_t chunk[4096];

        n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0)
            buf_put(&text, chunk, (size_t)n);
    }
    if (n < 0)
        config_fail(build, "cannot be read: %s", strerror(errno));
    close(fd);
    *ret_len = buf_len(&text);
    buf_put_byte(&text, 0);
    if (n == 0 && !buf_err(&text))
        return (char *)text.data;
    if (buf_err(&text) == -ENOMEM)
        build->err = -ENOMEM;
    else if (buf_err(&text))
        config_fail(build, "longer than %d bytes", CONFIG_FILE_MAX);
    buf_deinit(&text);
    return NULL;
}

void config_read_text(struct config_build *build, struct span source)
{
    char *text = mem_dup(source.ptr, source.len);

    if (!text) {
        build->err = -ENOMEM;
        return;
    }
    build->stage = STAGE_FILE;
    parse_text(build, text, source.len);
    mem_wipe(text, source.len); /* may hold secrets */
    mem_free(text);
}

void config_read_file(struct config_build *build, const char *path)
{
    size_t len = 0;
    char *text;

    build->file = path;
    build->source = path;
    text = read_text(build, path, &len);
    if (!text)
        return;
    build->stage = STAGE_FILE;
    parse_text(build, text, len);
    mem_wipe(text, len);
    mem_free(text);
}
