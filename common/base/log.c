/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include "base/text.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LOG_MESSAGE_SIZE = 2048, LOG_LINE_SIZE = 4096, LOG_TIME_SIZE = 32 };

typedef void log_sink_fn(enum log_level level, const char *line, void *arg);

static _Atomic(enum log_level) current_level = LOG_LEVEL_INFO;
static _Atomic(enum log_format) current_format = LOG_FORMAT_TEXT;
static _Atomic(log_sink_fn *) current_sink;
static _Atomic(void *) current_sink_arg;

/* One writer at a time: room that poll(2) has seen is still there when it
 * is used. The two below are under the lock. */
static pthread_mutex_t output_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t lost_lines; /* since the last one written */
static bool is_no_socket;   /* standard error, found out by the first line */

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

/* syslog(3) severities */
static const char priorities[] = {
    [LOG_LEVEL_ERROR] = '3',
    [LOG_LEVEL_WARN] = '4',
    [LOG_LEVEL_INFO] = '6',
    [LOG_LEVEL_DEBUG] = '7',
};

/* A line under construction; what does not fit is dropped. */
struct line {
    char text[LOG_LINE_SIZE];
    size_t len;
};

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&current_level, level, memory_order_relaxed);
}

void log_set_format(enum log_format format)
{
    atomic_store_explicit(&current_format, format, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
    return atomic_load_explicit(&current_level, memory_order_relaxed);
}

enum log_format log_get_format(void)
{
    return atomic_load_explicit(&current_format, memory_order_relaxed);
}

void log_set_sink(void (*sink)(enum log_level level, const char *line,
                               void *arg),
                  void *arg)
{
    atomic_store(&current_sink_arg, arg);
    atomic_store(&current_sink, sink);
}

/* Two bytes stay free, for the newline and the NUL. */
static size_t line_room(const struct line *line)
{
    return sizeof(line->text) - 2 - line->len;
}

static void line_put(struct line *line, const char *data, size_t len)
{
    if (len > line_room(line))
        return;
    memcpy(line->text + line->len, data, len);
    line->len += len;
}

static void line_put_str(struct line *line, const char *text)
{
    line_put(line, text, strlen(text));
}

static void line_put_time(struct line *line)
{
    struct timespec now;
    struct tm tm;
    char text[LOG_TIME_SIZE];
    size_t n;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    line_put(line, text, n);
    snprintf(text, sizeof(text), ".%03uZ",
             (unsigned)(now.tv_nsec / 1000000) % 1000);
    line_put_str(line, text);
}

/* One event is one line, whatever the text holds. */
static void line_put_clean(struct line *line, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        line_put(line, c < 0x20 || c == 0x7f ? "?" : text, 1);
    }
}

static void line_put_json(struct line *line, const char *text)
{
    bool is_utf8 = text_is_utf8(span_str(text));

    line_put(line, "\"", 1);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        char escaped[8];

        /* Room for the end of the object stays, and a UTF-8 sequence that
         * was begun is finished. */
        if (line_room(line) < sizeof(escaped) + 4 && (c & 0xc0) != 0x80)
            break;
        if (c == '"' || c == '\\') {
            line_put(line, "\\", 1);
            line_put(line, text, 1);
        } else if (c < 0x20 || c == 0x7f) {
            snprintf(escaped, sizeof(escaped), "\\u%04x", c);
            line_put_str(line, escaped);
        } else if (c >= 0x80 && !is_utf8) {
            line_put(line, "?", 1);
        } else {
            line_put(line, text, 1);
        }
    }
    line_put(line, "\"", 1);
}

/* Up to the comma before the members. */
static void begin_json(struct line *line, enum log_level level,
                       const char *component)
{
    line_put_str(line, "{\"time\":\"");
    line_put_time(line);
    line_put_str(line, "\",\"level\":\"");
    line_put_str(line, level_names[level]);
    line_put_str(line, "\",\"component\":");
    line_put_json(line, component);
    line_put_str(line, ",");
}

static void format_json(struct line *line, enum log_level level,
                        const char *component, const char *message)
{
    begin_json(line, level, component);
    line_put_str(line, "\"message\":");
    line_put_json(line, message);
    line_put_str(line, "}");
}

static void format_text(struct line *line, enum log_level level,
                        const char *component, const char *message)
{
    line_put_time(line);
    line_put_str(line, " ");
    line_put_str(line, level_names[level]);
    line_put(line, "  ", 6 - strlen(level_names[level]));
    line_put_clean(line, component);
    line_put_str(line, ": ");
    line_put_clean(line, message);
}

static void format_priority(struct line *line, enum log_level level,
                            const char *component, const char *message)
{
    char prefix[3] = {'<', priorities[level], '>'};

    line_put(line, prefix, sizeof(prefix));
    line_put_clean(line, component);
    line_put_str(line, ": ");
    line_put_clean(line, message);
}

static void format_line(struct line *line, enum log_level level,
                        const char *component, const char *message)
{
    line->len = 0;
    switch (atomic_load_explicit(&current_format, memory_order_relaxed)) {
    case LOG_FORMAT_JSON:
        format_json(line, level, component, message);
        break;
    case LOG_FORMAT_PRIORITY:
        format_priority(line, level, component, message);
        break;
    case LOG_FORMAT_TEXT:
        format_text(line, level, component, message);
        break;
    }
}

/* Returns false when it would have to wait. A pipe that is writable has room
 * for a page, which no line exceeds; a socket can be asked not to wait. */
static bool try_write(const char *text, size_t len)
{
    struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
    ssize_t n = -1;

    if (poll(&p, 1, 0) == 0)
        return false;
    do {
        if (!is_no_socket)
            n = send(STDERR_FILENO, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        is_no_socket = is_no_socket || (n < 0 && errno == ENOTSOCK);
        if (is_no_socket)
            n = write(STDERR_FILENO, text, len);
    } while (n < 0 && errno == EINTR);
    return n >= 0 || errno != EAGAIN;
}

/* How many lines nobody took, as soon as somebody takes lines again. */
static bool say_lost(void)
{
    struct line line;
    char message[64];

    snprintf(message, sizeof(message), "lines lost, nobody read count=%llu",
             (unsigned long long)lost_lines);
    format_line(&line, LOG_LEVEL_WARN, "log", message);
    line.text[line.len++] = '\n';
    if (!try_write(line.text, line.len))
        return false;
    lost_lines = 0;
    return true;
}

static void emit(enum log_level level, struct line *line)
{
    log_sink_fn *sink = atomic_load(&current_sink);

    if (sink) {
        line->text[line->len] = '\0';
        sink(level, line->text, atomic_load(&current_sink_arg));
        return;
    }
    line->text[line->len++] = '\n';
    pthread_mutex_lock(&output_lock);
    if ((lost_lines > 0 && !say_lost()) || !try_write(line->text, line->len))
        lost_lines++;
    pthread_mutex_unlock(&output_lock);
}

/* Mark the cut, and do not leave half a UTF-8 sequence before the mark. */
static void mark_cut(char message[LOG_MESSAGE_SIZE])
{
    size_t at = LOG_MESSAGE_SIZE - 4;

    while (at > 0 && ((unsigned char)message[at] & 0xc0) == 0x80)
        at--;
    memcpy(message + at, "...", 4);
}

void log_write(enum log_level level, const char *component, const char *format,
               ...)
{
    int saved_errno = errno;
    char message[LOG_MESSAGE_SIZE];
    struct line line;
    va_list args;
    int n;

    if (!log_is_on(level))
        return;
    va_start(args, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it was started */
    n = vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    if (n < 0)
        message[0] = '\0';
    else if ((size_t)n >= sizeof(message))
        mark_cut(message);

    format_line(&line, level, component, message);
    emit(level, &line);
    errno = saved_errno;
}

void log_write_members(enum log_level level, const char *component,
                       const char *members)
{
    int saved_errno = errno;
    struct line line = {.len = 0};

    if (!log_is_on(level))
        return;
    if (log_get_format() == LOG_FORMAT_PRIORITY) {
        char prefix[3] = {'<', priorities[level], '>'};

        line_put(&line, prefix, sizeof(prefix));
    }
    begin_json(&line, level, component);
    line_put_str(&line, members);
    line_put_str(&line, "}");
    emit(level, &line);
    errno = saved_errno;
}
