/* SPDX-License-Identifier: MIT */
#include "ctl_user.h"

#include "base/err.h"
#include "base/mem.h"
#include "ctl_commands.h"

#include <time.h>

enum { SECRET_FILE_MAX = 64 * 1024, CREDENTIAL_LIFETIME_S = 600 };

int ctl_make_user(const struct ctl_args *args, struct ctl_cred *cred,
                  struct ctl_stun_user *user, struct buf *error)
{
    const char *path = ctl_args_value(args, "secret-file");
    struct span secret;
    struct buf file;
    int err;

    if (!path)
        return 0;
    buf_init(&file, (size_t)2 * SECRET_FILE_MAX);
    err = ctl_read_file(path, SECRET_FILE_MAX, &file);
    if (err < 0)
        buf_printf(error, "%s: %s\n", path, err_str(err));
    else if (!ctl_cred_secret(buf_span(&file), &secret))
        err = ERR_PARSE;
    if (err == ERR_PARSE)
        buf_printf(error, "%s: there is no secret in it\n", path);
    if (err == 0)
        err = ctl_cred_make(secret, span_str("edgectl"),
                            (uint64_t)time(NULL) + CREDENTIAL_LIFETIME_S, cred);
    if (err == 0) {
        user->name = span_str(cred->user);
        user->password = span_str(cred->password);
    }
    if (file.data)
        mem_wipe(file.data, file.cap);
    buf_deinit(&file);
    return err;
}
