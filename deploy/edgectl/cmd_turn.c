/* SPDX-License-Identifier: MIT */
#include "ctl_commands.h"

#include "app/json.h"
#include "base/err.h"
#include "base/mem.h"
#include "ctl/ctl_cred.h"

#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

enum { SECRET_FILE_MAX = 64 * 1024 };

static void print(const struct ctl_args *args, const struct ctl_cred *cred,
                  uint64_t ttl, struct buf *out)
{
    const char *uri;

    if (!ctl_args_has(args, "json")) {
        buf_printf(out, "username  %s\npassword  %s\nttl       %llu\n",
                   cred->user, cred->password, (unsigned long long)ttl);
        return;
    }
    json_open(out, '{');
    json_key(out, "username");
    json_str(out, cred->user);
    json_key(out, "password");
    json_str(out, cred->password);
    json_key(out, "ttl");
    json_u64(out, ttl);
    json_key(out, "uris");
    json_open(out, '[');
    for (size_t i = 0; (uri = ctl_args_nth(args, "uri", i)); i++)
        json_str(out, uri);
    json_close(out, ']');
    json_close(out, '}');
    buf_put_byte(out, '\n');
}

static void warn_of_mode(const char *path)
{
    struct stat st;

    if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & S_IROTH))
        (void)fprintf(stderr,
                      "edgectl turn-credential: everybody can read %s: "
                      "chmod o-r\n",
                      path);
}

/* Returns 0, ERR_PARSE or an error of the file; said in `error`. */
static int make(const struct ctl_args *args, struct buf *file,
                struct buf *error, struct ctl_cred *cred, uint64_t *ret_ttl)
{
    const char *path = ctl_args_value(args, "secret-file");
    const char *id = ctl_args_value(args, "user");
    const char *lifetime = ctl_args_value(args, "lifetime");
    struct span secret;
    int err;

    if (!path) {
        buf_put_str(error, "--secret-file FILE is missing (the one of "
                           "turn-server; - is standard input)\n");
        return ERR_PARSE;
    }
    if (ctl_cred_lifetime(lifetime ? lifetime : "12h", ret_ttl) < 0) {
        buf_printf(error, "--lifetime: \"%s\" is not like 90s, 15m, 12h, 30d\n",
                   lifetime);
        return ERR_PARSE;
    }
    err = ctl_read_file(path, SECRET_FILE_MAX, file);
    if (err < 0) {
        buf_printf(error, "%s: %s\n", path, err_str(err));
        return err;
    }
    warn_of_mode(path);
    if (!ctl_cred_secret(buf_span(file), &secret)) {
        buf_printf(error, "%s: there is no secret in it\n", path);
        return ERR_PARSE;
    }
    err = ctl_cred_make(secret, span_str(id ? id : ""),
                        (uint64_t)time(NULL) + *ret_ttl, cred);
    if (err < 0)
        buf_put_str(error, "--user: at most 200 bytes of text\n");
    return err;
}

int cmd_turn_credential(const struct ctl_args *args)
{
    struct ctl_cred cred;
    struct buf file, error, out;
    uint64_t ttl;
    int err;

    buf_init(&file, (size_t)2 * SECRET_FILE_MAX);
    buf_init(&error, CTL_ERROR_MAX);
    err = make(args, &file, &error, &cred, &ttl);
    if (file.data)
        mem_wipe(file.data, file.cap);
    buf_deinit(&file);
    if (err < 0)
        return ctl_fail(args, &error, CTL_USAGE);
    buf_deinit(&error);
    buf_init(&out, CTL_ERROR_MAX);
    print(args, &cred, ttl, &out);
    mem_wipe(&cred, sizeof(cred));
    return ctl_flush(&out) ? CTL_OK : CTL_USAGE;
}
