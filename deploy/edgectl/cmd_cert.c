/* SPDX-License-Identifier: MIT */
#include "ctl_commands.h"

#include "app/json.h"
#include "base/err.h"
#include "base/mem.h"
#include "ctl/ctl_cert.h"

#include <time.h>

enum { FILE_MAX = 1024 * 1024, NAMES_MAX = CTL_GIVEN_MAX };

struct look {
    const struct ctl_args *args;
    struct ctl_cert_question question; /* without `pem` */
    struct ctl_cert_report *report;
    struct buf *out;
    struct buf *error;
};

static int read_pem(const char *path, struct buf *file, struct buf *error)
{
    int err = ctl_read_file(path, FILE_MAX, file);

    if (err < 0)
        buf_printf(error, "%s: %s\n", path, err_str(err));
    return err;
}

/* Returns CTL_OK, CTL_BAD (a finding, with --check) or CTL_USAGE. */
static int look_at(struct look *look, const char *path)
{
    struct ctl_cert_question q = look->question;
    int err, code = CTL_OK;
    struct buf file;

    buf_init(&file, (size_t)2 * FILE_MAX);
    err = read_pem(path, &file, look->error);
    q.pem = buf_span(&file);
    if (err == 0)
        err = ctl_cert_look(&q, look->report);
    if (file.data)
        mem_wipe(file.data, file.cap); /* a key may be in it */
    buf_deinit(&file);
    if (err < 0)
        return CTL_USAGE;
    if (ctl_args_has(look->args, "json"))
        ctl_cert_print_json(look->report, path, q.now, look->out);
    else
        ctl_cert_print(look->report, path, q.now, look->out);
    if (ctl_args_has(look->args, "check") &&
        ctl_cert_worst(look->report) > CTL_NOTE)
        code = CTL_BAD;
    return code;
}

static int look_at_all(struct look *look)
{
    bool json = ctl_args_has(look->args, "json");
    int code = CTL_OK;

    look->report = mem_zalloc(sizeof(*look->report));
    if (!look->report)
        return CTL_USAGE;
    if (json)
        json_open(look->out, '[');
    for (size_t i = 0; i < look->args->n_words; i++) {
        int c = look_at(look, look->args->words[i]);

        code = c > code ? c : code;
    }
    if (json) {
        json_close(look->out, ']');
        buf_put_byte(look->out, '\n');
    }
    mem_free(look->report);
    return code;
}

int cmd_cert(const struct ctl_args *args)
{
    const char *names[NAMES_MAX], *key = ctl_args_value(args, "key");
    struct buf out, error, key_file;
    struct look look = {.args = args, .out = &out, .error = &error};
    uint64_t days = 21;
    int code = CTL_USAGE;
    size_t n = 0;

    while (n < NAMES_MAX && ctl_args_nth(args, "name", n)) {
        names[n] = ctl_args_nth(args, "name", n);
        n++;
    }
    buf_init(&out, (size_t)16 * FILE_MAX);
    buf_init(&error, CTL_ERROR_MAX);
    buf_init(&key_file, (size_t)2 * FILE_MAX);
    if (ctl_args_number(args, "days", 0, 3650, &error, &days) == 0 &&
        (!key || read_pem(key, &key_file, &error) == 0)) {
        look.question = (struct ctl_cert_question){
            .key = buf_span(&key_file),
            .names = names,
            .n_names = n,
            .days = (unsigned)days,
            .now = (int64_t)time(NULL),
        };
        code = look_at_all(&look);
    }
    if (key_file.data)
        mem_wipe(key_file.data, key_file.cap);
    buf_deinit(&key_file);
    if (!ctl_flush(&out))
        code = CTL_USAGE;
    return ctl_fail(args, &error, code);
}
