/* SPDX-License-Identifier: MIT */
#include "app/config.h"

#include "app/config_internal.h"
#include "app/json.h"
#include "base/err.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { REPORT_MAX = 256 * 1024, OUTPUT_MAX = 8 * 1024 * 1024 };

#define FIELD(f) offsetof(struct config_common, f)
static const struct option_def common_options[] = {
    {.name = "config",
     .type = OPT_STRING,
     .offset = FIELD(config),
     .help = "file with settings, JSON with comments"},
    {.name = "log-level",
     .type = OPT_ENUM,
     .offset = FIELD(log_level),
     .values = "error|warn|info|debug",
     .fallback = "info",
     .flags = OPT_RELOAD,
     .help = "the least important events that are logged"},
    {.name = "log-format",
     .type = OPT_ENUM,
     .offset = FIELD(log_format),
     .values = "text|priority|json",
     .fallback = "text",
     .flags = OPT_RELOAD,
     .help = "form of a log line; priority is for systemd's journal"},
    {.name = "workers",
     .type = OPT_U32,
     .offset = FIELD(workers),
     .max = 256,
     .fallback = "0",
     .help = "threads that carry traffic; 0: one per core"},
    {.name = "admin-socket",
     .type = OPT_STRING,
     .offset = FIELD(admin_socket),
     .min = 1,
     .max = 107,
     .help = "path of the Unix socket to look inside through"},
    {.name = "admin-listen",
     .type = OPT_ADDR,
     .offset = FIELD(admin_listen),
     .help = "loopback address and port to look inside through"},
    {.name = "user",
     .type = OPT_STRING,
     .offset = FIELD(user),
     .min = 1,
     .max = 64,
     .help = "user to become once the ports are open, when started as root"},
    {.name = "drain-time",
     .type = OPT_DURATION,
     .offset = FIELD(drain_time),
     .fallback = "30s",
     .flags = OPT_RELOAD,
     .help = "how long sessions may go on after SIGTERM"},
};
#undef FIELD

const struct option_table config_common_table = {
    common_options, ARRAY_SIZE(common_options), sizeof(struct config_common),
    NULL};

/* ---- memory ---- */

void *config_memory(struct config_build *build, size_t size)
{
    struct config_block *block = mem_zalloc(sizeof(*block) + size);

    if (!block) {
        build->err = -ENOMEM;
        return NULL;
    }
    block->len = size;
    block->next = build->config->blocks;
    build->config->blocks = block;
    return block->data;
}

char *config_text(struct config_build *build, struct span text)
{
    char *copy = config_memory(build, text.len + 1);

    if (copy && text.len)
        memcpy(copy, text.ptr, text.len);
    return copy;
}

void *config_alloc(struct config_build *build, size_t size)
{
    return config_memory(build, size);
}

static void config_free(struct config *config)
{
    struct config_block *block, *next;

    for (block = config->blocks; block; block = next) {
        next = block->next;
        mem_wipe(block->data, block->len);
        mem_free(block);
    }
    mem_free(config);
}

/* const is for the values; no snapshot is defined const. */
struct config *config_ref(const struct config *config)
{
    struct config *counted = (struct config *)config;

    atomic_fetch_add_explicit(&counted->refs, 1, memory_order_relaxed);
    return counted;
}

void config_unref(const struct config *config)
{
    struct config *counted = (struct config *)config;

    if (counted &&
        atomic_fetch_sub_explicit(&counted->refs, 1, memory_order_acq_rel) == 1)
        config_free(counted);
}

const void *config_values(const struct config *config)
{
    return config->values;
}

/* ---- building ---- */

/* No name stands for two settings. */
static bool has_own_names(const struct option_table *table)
{
    for (size_t i = 0; i < table->n; i++) {
        struct span name = span_str(table->options[i].name);

        for (size_t k = 0; k < i; k++) {
            if (span_is(name, table->options[k].name))
                return false;
        }
        for (size_t k = 0; k < ARRAY_SIZE(common_options); k++) {
            if (span_is(name, common_options[k].name))
                return false;
        }
    }
    return true;
}

static int build_new(struct config_build *build, const struct config_spec *spec,
                     struct buf *report)
{
    struct config *config = mem_zalloc(sizeof(*config));

    if (!config)
        return -ENOMEM;
    atomic_init(&config->refs, 1);
    config->spec = spec;
    *build = (struct config_build){
        .config = config, .report = report, .open_files = true};
    config->values = config_memory(build, spec->table.size);
    if (!config->values) {
        config_free(config);
        return -ENOMEM;
    }
    assert(has_own_names(&spec->table));
    config_fill_init(&config->fill[0], &config_common_table, config->values);
    config_fill_init(&config->fill[1], &spec->table, config->values);
    return 0;
}

static void keep_path(struct config_build *build, const char *path)
{
    struct config_common *common = build->config->values;

    common->config = config_text(build, span_str(path));
    build->file = common->config;
}

static void check_common(struct config_build *build)
{
    const struct config_common *common = build->config->values;
    const struct addr *listen = &common->admin_listen;

    if (listen->family != ADDR_NONE && !addr_is_loopback(listen))
        config_error(build, "admin-listen",
                     "must be a loopback address such "
                     "as 127.0.0.1:9100");
    else if (listen->family != ADDR_NONE && listen->port == 0)
        config_error(build, "admin-listen", "needs a port");
}

static void run_checks(struct config_build *build)
{
    build->source = NULL;
    check_common(build);
    if (build->errors == 0 && !build->err && build->config->spec->check)
        build->config->spec->check(build, build->config->values);
}

static void finish(struct config_build *build)
{
    struct config *config = build->config;

    build->source = config->spec->program;
    for (unsigned i = 0; i < CONFIG_TABLES; i++)
        config_fill_required(build, &config->fill[i]);
    if (build->errors == 0 && !build->err)
        run_checks(build);
}

static int result(const struct config_build *build)
{
    if (build->err)
        return build->err;
    if (buf_err(build->report) == -ENOMEM)
        return -ENOMEM;
    return build->errors ? ERR_CONFIG : 0;
}

/* Actions that need no settings. */
static bool is_early(const char *action)
{
    return action &&
           (strncmp(action, "help", 4) == 0 || strcmp(action, "version") == 0);
}

/* Fill a build from all sources. `file` NULL: none. */
static int fill_all(struct config_build *build, const char *file)
{
    struct config *config = build->config;

    for (unsigned i = 0; i < CONFIG_TABLES && !build->err; i++)
        config_fill_defaults(build, &config->fill[i]);
    if (file && !build->err)
        config_read_file(build, file);
    if (!build->err)
        config_read_env(build);
    if (!build->err)
        config_read_flags(build);
    if (file && !build->err)
        keep_path(build, file);
    if (!build->err && !is_early(build->action))
        finish(build);
    return result(build);
}

static int build_all(struct config_build *build, const struct config_spec *spec,
                     int argc, char *const *argv, char *const *envp,
                     struct buf *report)
{
    int err = build_new(build, spec, report);

    if (err < 0)
        return err;
    build->config->argc = argc;
    build->config->argv = argv;
    build->config->envp = envp;
    return 0;
}

int config_read(const struct config_spec *spec, int argc, char *const *argv,
                char *const *envp, struct buf *report,
                struct config **ret_config)
{
    struct config_build build;
    int err = build_all(&build, spec, argc, argv, envp, report);

    if (err < 0)
        return err;
    err = fill_all(&build, config_file_path(build.config));
    if (err < 0) {
        config_free(build.config);
        return err;
    }
    *ret_config = build.config;
    return 0;
}

int config_read_json(const struct config_spec *spec, struct span text,
                     struct buf *report, struct config **ret_config)
{
    static char *const no_args[] = {NULL};
    struct config_build build;
    int err = build_all(&build, spec, 0, no_args, no_args, report);

    if (err < 0)
        return err;
    build.open_files = false;
    build.file = "settings";
    build.source = build.file;
    for (unsigned i = 0; i < CONFIG_TABLES && !build.err; i++)
        config_fill_defaults(&build, &build.config->fill[i]);
    if (!build.err)
        config_read_text(&build, text);
    if (!build.err)
        finish(&build);
    err = result(&build);
    if (err < 0) {
        config_free(build.config);
        return err;
    }
    *ret_config = build.config;
    return 0;
}

/* ---- start ---- */

static void print(FILE *to, const struct buf *text)
{
    struct span s = buf_span(text);

    if (s.len)
        (void)fwrite(s.ptr, 1, s.len, to);
    (void)fflush(to);
}

static void act_early(const struct config_build *build, struct buf *out)
{
    const struct config_spec *spec = build->config->spec;

    if (strcmp(build->action, "help") == 0)
        config_help(spec, out);
    else if (strcmp(build->action, "help-markdown") == 0)
        config_help_markdown(spec, out);
    else if (strcmp(build->action, "help-man") == 0)
        config_help_man(spec, out);
    else if (strcmp(build->action, "help-completion") == 0)
        config_help_completion(spec, out);
    else
        buf_printf(out, "%s %s\n", spec->program, EDGE_VERSION);
}

/* What was asked for, once all sources are read. */
static enum config_action act(struct config_build *build, int err)
{
    enum config_action action = CONFIG_EXIT_OK;
    struct buf out;

    buf_init(&out, OUTPUT_MAX);
    if (is_early(build->action)) {
        act_early(build, &out);
        buf_reset(build->report); /* "--help" with a mistake beside it */
    } else if (err < 0) {
        action = CONFIG_EXIT_FAILED;
    } else if (strcmp(build->action, "dump-config") == 0) {
        config_dump(build->config, &out);
    } else {
        buf_put_str(&out, "configuration OK\n");
    }
    print(stdout, &out);
    buf_deinit(&out);
    return action;
}

enum config_action config_load(const struct config_spec *spec, int argc,
                               char *const *argv, char *const *envp,
                               struct config **ret_config)
{
    enum config_action action = CONFIG_RUN;
    struct config_build build;
    struct buf report;
    int err;

    buf_init(&report, REPORT_MAX);
    err = build_all(&build, spec, argc, argv, envp, &report);
    if (err < 0) {
        (void)fprintf(stderr, "%s: %s\n", spec->program, err_str(err));
        return CONFIG_EXIT_FAILED;
    }
    config_find_action(&build);
    err = fill_all(&build, config_file_path(build.config));
    if (build.action)
        action = act(&build, err);
    else if (err < 0)
        action = CONFIG_EXIT_FAILED;

    print(stderr, &report);
    if (err == -ENOMEM || (action == CONFIG_EXIT_FAILED && !buf_len(&report)))
        (void)fprintf(stderr, "%s: %s\n", spec->program, err_str(err));
    buf_deinit(&report);
    if (action == CONFIG_RUN)
        *ret_config = build.config;
    else
        config_free(build.config);
    return action;
}

/* ---- reload ---- */

/* Settings that a reload may not change keep their value; whoever takes the
 * new snapshot need not look. Returns how many settings have changed. */
static unsigned carry_over(struct config_build *build, const struct config *old)
{
    unsigned changed = 0;

    for (unsigned t = 0; t < CONFIG_TABLES; t++) {
        const struct config_fill *fill = &build->config->fill[t];

        for (size_t i = 0; i < fill->table->n; i++) {
            const struct option_def *def = &fill->table->options[i];
            uint8_t *to = (uint8_t *)fill->values + def->offset;
            const uint8_t *from = (const uint8_t *)old->values + def->offset;

            if (option_equal(def, from, to))
                continue;
            if (def->flags & OPT_RELOAD) {
                changed++;
                continue;
            }
            config_warn(build, def->name, "the change needs a restart");
            option_copy(build, def, from, to);
        }
    }
    return changed;
}

int config_reload(struct config *old, struct buf *report,
                  struct config **ret_config)
{
    struct config_build build;
    unsigned changed;
    int err =
        build_all(&build, old->spec, old->argc, old->argv, old->envp, report);

    if (err < 0)
        return err;
    err = fill_all(&build, config_file_path(old));
    if (err < 0)
        goto fail;
    changed = carry_over(&build, old);
    if (changed)
        run_checks(&build); /* again: the mixture must be right, too */
    err = result(&build);
    if (err < 0 || changed == 0)
        goto fail;
    *ret_config = build.config;
    return 1;

fail:
    config_free(build.config);
    return err;
}

/* ---- output ---- */

void config_dump(const struct config *config, struct buf *out)
{
    struct buf value;

    buf_put_str(out, "{");
    for (unsigned t = 0; t < CONFIG_TABLES; t++) {
        const struct config_fill *fill = &config->fill[t];

        for (size_t i = 0; i < fill->table->n; i++) {
            const struct option_def *def = &fill->table->options[i];

            if (t == 0 && strcmp(def->name, "config") == 0)
                continue;
            buf_init(&value, out->max);
            if (option_print(def, (uint8_t *)fill->values + def->offset,
                             &value)) {
                buf_put_str(out, buf_len(out) > 1 ? ",\n  " : "\n  ");
                json_key(out, def->name);
                buf_put_byte(out, ' ');
                buf_put_span(out, buf_span(&value));
            }
            buf_deinit(&value);
        }
    }
    buf_put_str(out, "\n}\n");
}
