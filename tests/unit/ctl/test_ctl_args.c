/* SPDX-License-Identifier: MIT */
#include "ctl/ctl_args.h"

#include "base/err.h"
#include "support/unit.h"

static int run(const struct ctl_args *args)
{
    return (int)args->n_words;
}

static const struct ctl_command commands[] = {
    {.name = "status",
     .words = "[DAEMON]...",
     .help = "what runs",
     .more = "More.\n",
     .words_max = 2,
     .run = run,
     .options = {{"json", NULL, "as JSON"}, {"dir", "DIR", "look there"}}},
    {.name = "cert",
     .words = "FILE",
     .help = "a file",
     .words_min = 1,
     .words_max = 1,
     .run = run},
};

static struct buf error;
static struct ctl_args args;

static void setup(void)
{
    buf_init(&error, 4096);
}

static void teardown(void)
{
    buf_deinit(&error);
    ck_assert_no_blocks();
}

static int parse(size_t command, int argc, const char *const *argv)
{
    return ctl_args_parse(&commands[command], argc, (char *const *)argv, &error,
                          &args);
}

START_TEST(options_and_words_may_be_mixed)
{
    const char *argv[] = {"a", "--dir", "x", "--json", "b", "--dir=y=z"};

    ck_assert_int_eq(parse(0, 6, argv), 0);
    ck_assert_uint_eq(args.n_words, 2);
    ck_assert_str_eq(args.words[1], "b");
    ck_assert(ctl_args_has(&args, "json"));
    ck_assert_str_eq(ctl_args_value(&args, "dir"), "y=z");
    ck_assert_str_eq(ctl_args_nth(&args, "dir", 0), "x");
    ck_assert_ptr_null(ctl_args_nth(&args, "dir", 2));
}
END_TEST

START_TEST(two_dashes_end_the_options)
{
    const char *argv[] = {"--", "--json"};

    ck_assert_int_eq(parse(0, 2, argv), 0);
    ck_assert(!ctl_args_has(&args, "json"));
    ck_assert_str_eq(args.words[0], "--json");
}
END_TEST

START_TEST(mistakes_are_refused_with_their_name)
{
    static const struct {
        size_t command;
        int argc;
        const char *argv[3];
        const char *said;
    } cases[] = {
        {0, 1, {"--jsn"}, "--jsn"},
        {0, 1, {"--dir"}, "--dir needs a value"},
        {0, 1, {"--json=yes"}, "takes no value"},
        {0, 3, {"a", "b", "c"}, "\"c\""},
        {1, 0, {NULL}, "FILE is missing"},
    };

    ck_assert_int_eq(parse(cases[_i].command, cases[_i].argc, cases[_i].argv),
                     ERR_PARSE);
    ck_assert(span_search(buf_span(&error), span_str(cases[_i].said)) >= 0);
}
END_TEST

START_TEST(help_needs_no_words)
{
    const char *argv[] = {"--help"};

    ck_assert_int_eq(parse(1, 1, argv), 0);
    ck_assert(args.help);
}
END_TEST

START_TEST(numbers_have_a_range)
{
    const char *argv[] = {"--dir", "7"};
    uint64_t value = 3;

    ck_assert_int_eq(parse(0, 2, argv), 0);
    ck_assert_int_eq(ctl_args_number(&args, "dir", 1, 7, &error, &value), 0);
    ck_assert_uint_eq(value, 7);
    ck_assert_int_eq(ctl_args_number(&args, "dir", 8, 9, &error, &value),
                     ERR_PARSE);
    ck_assert_int_eq(ctl_args_number(&args, "dir", 1, 6, &error, &value),
                     ERR_PARSE);
    ck_assert_int_eq(ctl_args_number(&args, "json", 1, 6, &error, &value), 0);
    ck_assert_uint_eq(value, 7);
}
END_TEST

START_TEST(help_lists_what_the_table_has)
{
    ctl_help(commands, 2, &error);
    ck_assert(span_search(buf_span(&error), span_str("what runs")) >= 0);
    ctl_help_command(&commands[0], &error);
    ck_assert(span_search(buf_span(&error), span_str("--dir DIR")) >= 0);
    ck_assert(span_search(buf_span(&error), span_str("More.")) >= 0);
    ck_assert_ptr_eq(ctl_command_find(commands, 2, "cert"), &commands[1]);
    ck_assert_ptr_null(ctl_command_find(commands, 2, "cer"));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("ctl_args");
    TCase *tc = tcase_create("all");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, options_and_words_may_be_mixed);
    tcase_add_test(tc, two_dashes_end_the_options);
    tcase_add_loop_test(tc, mistakes_are_refused_with_their_name, 0, 5);
    tcase_add_test(tc, help_needs_no_words);
    tcase_add_test(tc, numbers_have_a_range);
    tcase_add_test(tc, help_lists_what_the_table_has);
    suite_add_tcase(suite, tc);
    return suite;
}
