/* SPDX-License-Identifier: MIT */
/* log.h - one line an event: fixed text first, then key=value.
 *
 * A file that logs says `#define LOG_COMPONENT "turn"` before including this.
 * Untrusted text goes through text_printable() first and into quotes. Lines
 * go to standard error with one write(2); under systemd each starts with its
 * priority <3>..<7>. Keeps errno, allocates nothing, and never waits for who
 * reads the log: lines that a full pipe or socket does not take are lost, and
 * counted in the next one that it takes.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

enum log_level {
    LOG_LEVEL_ERROR, /* an operator must act */
    LOG_LEVEL_WARN,  /* degraded, and what happens instead */
    LOG_LEVEL_INFO,  /* life cycle */
    LOG_LEVEL_DEBUG, /* per message */
};

enum log_format {
    LOG_FORMAT_TEXT,     /* 2026-01-31T12:00:00.123Z info  turn: text k=v */
    LOG_FORMAT_PRIORITY, /* <6>turn: text k=v (the journal has the time) */
    LOG_FORMAT_JSON, /* {"time":…,"level":…,"component":…,"message":…} */
};

/* Both may be called at any time from any thread. */
void log_set_level(enum log_level level);
void log_set_format(enum log_format format);
enum log_level log_get_level(void);
enum log_format log_get_format(void);

/* For tests: lines go to the function instead of standard error; NULL: back. */
void log_set_sink(void (*sink)(enum log_level level, const char *line,
                               void *arg),
                  void *arg);

void log_write(enum log_level level, const char *component, const char *format,
               ...) __attribute__((format(printf, 3, 4)));

/* One line of JSON whatever the format: time, level and component, then the
 * members, which are well-formed and without line breaks: "\"a\":1,\"b\":2".
 * At most 3,500 bytes of them. */
void log_write_members(enum log_level level, const char *component,
                       const char *members);

static inline bool log_is_on(enum log_level level)
{
    return level <= log_get_level();
}

#define log_error(...) log_write(LOG_LEVEL_ERROR, LOG_COMPONENT, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, LOG_COMPONENT, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, LOG_COMPONENT, __VA_ARGS__)
#define log_debug(...)                                                         \
    do {                                                                       \
        if (log_is_on(LOG_LEVEL_DEBUG))                                        \
            log_write(LOG_LEVEL_DEBUG, LOG_COMPONENT, __VA_ARGS__);            \
    } while (0)

#endif /* BASE_LOG_H */
