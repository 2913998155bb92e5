/* SPDX-License-Identifier: MIT */
#include "ctl/ctl_why.h"

#include "base/err.h"
#include "base/mem.h"
#include "ctl/ctl_table.h"

#include <cjson/cJSON.h>
#include <stdio.h>

static bool is_plain(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_';
}

int ctl_why_path(struct span call_id, char out[CTL_WHY_PATH_SIZE])
{
    static const char hex[] = "0123456789ABCDEF";
    static const char path[] = "/sip/why?call-id=";
    size_t n = sizeof(path) - 1;

    if (call_id.len == 0)
        return ERR_PARSE;
    if (call_id.len > CTL_WHY_CALL_ID_MAX)
        return ERR_LIMIT;
    memcpy(out, path, n);
    for (size_t i = 0; i < call_id.len; i++) {
        uint8_t c = call_id.ptr[i];

        if (is_plain(c)) {
            out[n++] = (char)c;
        } else {
            out[n++] = '%';
            out[n++] = hex[c >> 4];
            out[n++] = hex[c & 15];
        }
    }
    out[n] = '\0';
    return 0;
}

static const char *text_of(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

    return cJSON_IsString(item) && item->valuestring ? item->valuestring : "";
}

static uint64_t number_of(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

    return cJSON_IsNumber(item) && item->valuedouble > 0 &&
                   item->valuedouble < 1e15
               ? (uint64_t)item->valuedouble
               : 0;
}

static void put_row(struct ctl_table *table, const cJSON *request)
{
    const char *refused = text_of(request, "refused");
    uint64_t age = number_of(request, "age_ms") / 1000;
    char time[32];

    ctl_table_put(table, "%s", ctl_time_str(age, time, sizeof(time)));
    ctl_table_put(table, "%llu %s",
                  (unsigned long long)number_of(request, "cseq"),
                  text_of(request, "method"));
    ctl_table_put(table, "%s", text_of(request, "from"));
    ctl_table_put(table, "%s%s%s", text_of(request, "rule"),
                  refused[0] ? ": " : "", refused);
    ctl_table_put(table, "%s", text_of(request, "token"));
    ctl_table_put(table, "%s", text_of(request, "to"));
    ctl_table_put(table, "%llu",
                  (unsigned long long)number_of(request, "tries"));
    ctl_table_put(table, "%llu",
                  (unsigned long long)number_of(request, "answer"));
    ctl_table_put(table, "%llu",
                  (unsigned long long)number_of(request, "took_ms"));
}

int ctl_why_print(struct span json, struct buf *out)
{
    static const char *const titles[] = {"AGO",    "REQUEST", "FROM",
                                         "RULE",   "TOKEN",   "TO",
                                         ">TRIES", ">ANSWER", ">MS"};
    cJSON *root = cJSON_ParseWithLength((const char *)json.ptr, json.len);
    const cJSON *requests = cJSON_GetObjectItemCaseSensitive(root, "requests");
    const cJSON *request;
    struct ctl_table table;
    int n = 0;

    if (!cJSON_IsArray(requests)) {
        cJSON_Delete(root);
        return ERR_PARSE;
    }
    ctl_table_init(&table, titles, ARRAY_SIZE(titles));
    cJSON_ArrayForEach(request, requests)
    {
        put_row(&table, request);
        n++;
    }
    if (n > 0)
        ctl_table_print(&table, CTL_TEXT, out);
    ctl_table_deinit(&table);
    if (cJSON_GetArraySize(
            cJSON_GetObjectItemCaseSensitive(root, "missing_workers")) > 0)
        buf_put_str(out, "(some workers were too busy to answer)\n");
    cJSON_Delete(root);
    return n;
}
