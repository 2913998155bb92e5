/* SPDX-License-Identifier: MIT */
#define LOG_COMPONENT "test"
#include "base/log.h"

#include "support/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static char last[8192];
static enum log_level last_level;
static int lines;

static void keep(enum log_level level, const char *line, void *arg)
{
    (void)arg;
    ck_assert_uint_lt(strlen(line), sizeof(last));
    memcpy(last, line, strlen(line) + 1);
    last_level = level;
    lines++;
}

static void setup(void)
{
    lines = 0;
    last[0] = '\0';
    log_set_sink(keep, NULL);
    log_set_level(LOG_LEVEL_INFO);
    log_set_format(LOG_FORMAT_TEXT);
}

static void teardown(void)
{
    log_set_sink(NULL, NULL);
    ck_assert_no_blocks();
}

/* "2026-01-31T12:00:00.123Z" */
static void assert_time(const char *text)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ";

    for (size_t i = 0; i < sizeof(shape) - 1; i++) {
        if (shape[i] == 'd')
            ck_assert(text[i] >= '0' && text[i] <= '9');
        else
            ck_assert_int_eq(text[i], shape[i]);
    }
}

START_TEST(a_text_line_has_time_level_component_and_message)
{
    log_info("allocation made user=%s n=%d", "joe", 3);
    assert_time(last);
    ck_assert_str_eq(last + 24, " info  test: allocation made user=joe n=3");
    log_error("broken");
    ck_assert_str_eq(last + 24, " error test: broken");
    log_warn("tired");
    ck_assert_str_eq(last + 24, " warn  test: tired");
    ck_assert_int_eq(last_level, LOG_LEVEL_WARN);
}
END_TEST

START_TEST(a_priority_line_begins_with_its_severity)
{
    log_set_format(LOG_FORMAT_PRIORITY);
    log_set_level(LOG_LEVEL_DEBUG);
    log_error("a");
    ck_assert_str_eq(last, "<3>test: a");
    log_warn("b");
    ck_assert_str_eq(last, "<4>test: b");
    log_info("c");
    ck_assert_str_eq(last, "<6>test: c");
    log_debug("d");
    ck_assert_str_eq(last, "<7>test: d");
}
END_TEST

START_TEST(a_json_line_is_one_object)
{
    log_set_format(LOG_FORMAT_JSON);
    log_info("said \"%s\"", "a\\b\n\x01\x7f \xc3\xbc");
    ck_assert_int_eq(strncmp(last, "{\"time\":\"", 9), 0);
    assert_time(last + 9);
    ck_assert_str_eq(last + 33,
                     "\",\"level\":\"info\",\"component\":\"test\","
                     "\"message\":\"said \\\"a\\\\b\\u000a\\u0001\\u007f "
                     "\xc3\xbc\\\"\"}");
}
END_TEST

START_TEST(json_has_no_broken_utf8)
{
    log_set_format(LOG_FORMAT_JSON);
    log_info("%s", "a\xff\xc3");
    ck_assert_ptr_nonnull(strstr(last, "\"message\":\"a??\"}"));
}
END_TEST

START_TEST(an_event_stays_on_one_line)
{
    log_info("a%sb", "\r\n\x1b[31m\t");
    ck_assert_str_eq(last + 24, " info  test: a???[31m?b");
}
END_TEST

START_TEST(levels_above_the_limit_are_silent)
{
    for (enum log_level limit = LOG_LEVEL_ERROR; limit <= LOG_LEVEL_DEBUG;
         limit++) {
        log_set_level(limit);
        ck_assert_int_eq(log_get_level(), limit);
        lines = 0;
        log_error("x");
        log_warn("x");
        log_info("x");
        log_debug("x");
        ck_assert_int_eq(lines, (int)limit + 1);
        ck_assert(log_is_on(limit));
    }
}
END_TEST

static int evaluated;

static int count(void)
{
    return ++evaluated;
}

START_TEST(debug_arguments_are_not_evaluated_when_off)
{
    log_debug("%d", count());
    ck_assert_int_eq(evaluated, 0);
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("%d", count());
    ck_assert_int_eq(evaluated, 1);
}
END_TEST

START_TEST(errno_is_kept)
{
    int saved = dup(STDERR_FILENO);

    log_set_sink(NULL, NULL);
    close(STDERR_FILENO);
    errno = EXDEV;
    log_info("into the void");
    ck_assert_int_eq(errno, EXDEV);
    dup2(saved, STDERR_FILENO);
    close(saved);
}
END_TEST

START_TEST(a_long_message_is_cut_and_marked)
{
    static char text[10001];

    memset(text, 'x', sizeof(text) - 1);
    for (int format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JSON; format++) {
        log_set_format((enum log_format)format);
        log_info("%s", text);
        ck_assert_uint_lt(strlen(last), 4096);
        ck_assert_uint_gt(strlen(last), 1000);
        ck_assert_ptr_nonnull(strstr(last, "xxx..."));
    }
    ck_assert_int_eq(last[strlen(last) - 1], '}');
}
END_TEST

START_TEST(json_is_closed_even_when_escapes_fill_the_line)
{
    static char text[3000];

    memset(text, '\1', sizeof(text) - 1);
    log_set_format(LOG_FORMAT_JSON);
    log_info("%s", text);
    ck_assert_uint_lt(strlen(last), 4096);
    ck_assert_str_eq(last + strlen(last) - 8, "\\u0001\"}");
}
END_TEST

START_TEST(a_cut_does_not_split_a_utf8_sequence)
{
    static char text[6001];

    for (size_t i = 0; i < 6000; i += 3)
        memcpy(text + i, "\xe2\x82\xac", 3);
    log_set_format(LOG_FORMAT_JSON);
    for (int shift = 0; shift < 4; shift++) {
        log_info("%.*s%s", shift, "abc", text);
        ck_assert_ptr_nonnull(strstr(last, "\xe2\x82\xac...\"}"));
    }
}
END_TEST

START_TEST(without_a_sink_a_line_is_one_write_to_standard_error)
{
    char text[256];
    int saved = dup(STDERR_FILENO);
    int fds[2];
    ssize_t n;

    log_set_sink(NULL, NULL);
    log_set_format(LOG_FORMAT_PRIORITY);
    ck_assert_int_eq(pipe(fds), 0);
    ck_assert_int_ge(dup2(fds[1], STDERR_FILENO), 0);
    log_warn("hello n=%d", 1);
    dup2(saved, STDERR_FILENO);
    close(saved);
    n = read(fds[0], text, sizeof(text));
    ck_assert_int_eq((int)n, 19);
    ck_assert_mem_eq(text, "<4>test: hello n=1\n", 19);
    close(fds[0]);
    close(fds[1]);
}
END_TEST

static int saved_stderr;
static int ends[2];

static void stderr_is_a_pipe(void)
{
    saved_stderr = dup(STDERR_FILENO);
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
    /* the daemon's end waits, as the one it is given does */
    ck_assert_int_eq(fcntl(ends[1], F_SETFL, 0), 0);
    ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
}

static void stderr_is_back(void)
{
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(ends[0]);
    close(ends[1]);
}

/* Returns how many lines were in the pipe; the last one is in `text`. */
static size_t read_lines(char *text, size_t size)
{
    static char all[1 << 20];
    ssize_t n = read(ends[0], all, sizeof(all) - 1);
    size_t count = 0;
    char *line = all;

    ck_assert_int_gt((int)n, 0);
    all[n] = '\0';
    for (char *end; (end = strchr(line, '\n')); line = end + 1, count++)
        snprintf(text, size, "%.*s", (int)(end - line), line);
    ck_assert_int_eq(*line, '\0'); /* no half line */
    return count;
}

START_TEST(a_log_that_nobody_reads_stops_nobody)
{
    enum { WRITTEN = 5000 };
    char text[512];
    char expected[64];
    size_t taken;

    log_set_sink(NULL, NULL);
    log_set_format(LOG_FORMAT_PRIORITY);
    stderr_is_a_pipe();
    for (int i = 0; i < WRITTEN; i++)
        log_info("%0100d", i);
    taken = read_lines(text, sizeof(text));
    ck_assert_uint_gt(taken, 100);
    ck_assert_uint_lt(taken, WRITTEN);

    log_info("again");
    ck_assert_uint_eq(read_lines(text, sizeof(text)), 2);
    ck_assert_str_eq(text, "<6>test: again");
    for (int i = 0; i < WRITTEN; i++)
        log_info("%0100d", i);
    taken = read_lines(text, sizeof(text));
    log_info("again");
    ck_assert_int_gt((int)read(ends[0], text, sizeof(text)), 0);
    snprintf(expected, sizeof(expected), "count=%zu\n", WRITTEN - taken);
    ck_assert_ptr_nonnull(strstr(text, expected));
    stderr_is_back();
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("log");
    TCase *tc = tcase_create("log");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_text_line_has_time_level_component_and_message);
    tcase_add_test(tc, a_priority_line_begins_with_its_severity);
    tcase_add_test(tc, a_json_line_is_one_object);
    tcase_add_test(tc, json_has_no_broken_utf8);
    tcase_add_test(tc, an_event_stays_on_one_line);
    tcase_add_test(tc, levels_above_the_limit_are_silent);
    tcase_add_test(tc, debug_arguments_are_not_evaluated_when_off);
    tcase_add_test(tc, errno_is_kept);
    tcase_add_test(tc, a_long_message_is_cut_and_marked);
    tcase_add_test(tc, json_is_closed_even_when_escapes_fill_the_line);
    tcase_add_test(tc, a_cut_does_not_split_a_utf8_sequence);
    tcase_add_test(tc, without_a_sink_a_line_is_one_write_to_standard_error);
    tcase_add_test(tc, a_log_that_nobody_reads_stops_nobody);
    suite_add_tcase(suite, tc);
    return suite;
}
