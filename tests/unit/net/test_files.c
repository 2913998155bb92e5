/* SPDX-License-Identifier: MIT */
#include "net/files.h"

#include "base/err.h"
#include "base/mem.h"
#include "support/unit.h"
#include "support_net.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static struct folder *folder;
static struct file *file;
static bool done;
static int result;
static struct file_info info;
static char got[FILE_PIECE_MAX + 1];
static size_t got_len;

static const char *at(const char *name)
{
    static char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static void put(const char *name, const char *content, time_t when)
{
    const struct timespec times[2] = {{.tv_sec = when}, {.tv_sec = when}};
    int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, content, strlen(content)),
                     (ssize_t)strlen(content));
    ck_assert_int_eq(futimens(fd, times), 0);
    close(fd);
}

static void setup(void)
{
    net_setup();
    (void)snprintf(dir, sizeof(dir), "/tmp/test-files-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    put("outside.txt", "outside", 1000);
    ck_assert_int_eq(mkdir(at("root"), 0755), 0);
    ck_assert_int_eq(mkdir(at("root/sub"), 0755), 0);
    put("root/a.css", "plain", 2000);
    put("root/a.css.gz", "squeezed", 2000);
    put("root/b.css", "plain", 2000);
    put("root/b.css.gz", "stale", 1999);
    put("root/index.html", "front", 1000);
    put("root/sub/index.html", "below", 1000);
    ck_assert_int_eq(symlink("../outside.txt", at("root/out")), 0);
    ck_assert_int_eq(symlink("/etc/hostname", at("root/absolute")), 0);
    ck_assert_int_eq(symlink("..", at("root/up")), 0);
    ck_assert_int_eq(mkfifo(at("root/pipe"), 0644), 0);
    ck_assert_int_eq(folder_open(&folder, at("root")), 0);
    file = NULL;
}

static void teardown(void)
{
    static const char *const names[] = {"root/sub/index.html",
                                        "root/a.css",
                                        "root/a.css.gz",
                                        "root/b.css",
                                        "root/b.css.gz",
                                        "root/index.html",
                                        "root/out",
                                        "root/absolute",
                                        "root/up",
                                        "root/pipe",
                                        "outside.txt"};

    file_close(file);
    folder_unref(folder);
    net_teardown();
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        (void)unlink(at(names[i]));
    (void)rmdir(at("root/sub"));
    (void)rmdir(at("root"));
    (void)rmdir(dir);
    ck_assert_no_blocks();
}

static void on_open(void *arg, int err, const struct file_info *is)
{
    ck_assert_ptr_eq(arg, dir);
    ck_assert(!done);
    result = err;
    info = *is;
    done = true;
}

static void on_read(void *arg, int err, struct span piece)
{
    ck_assert_ptr_eq(arg, dir);
    result = err;
    got_len = piece.len;
    if (piece.len > 0)
        memcpy(got, piece.ptr, piece.len);
    got[got_len] = '\0';
    done = true;
}

static const struct file_events events = {on_open, on_read};

static int find(const char *path, bool compressed)
{
    struct file_names names = {.path = span_str(path), .index = "index.html"};

    file_close(file);
    file = NULL;
    if (compressed) {
        names.suffixes[0] = ".br";
        names.suffixes[1] = ".gz";
        names.n_suffixes = 2;
    }
    done = false;
    ck_assert_int_eq(
        file_open(&file, net_worker(), folder, &names, &events, dir), 0);
    ck_assert(!done);
    ck_assert(net_until(&done));
    return result;
}

/* All of it, by a thread or as it comes. */
static const char *content(bool wait)
{
    struct span piece;
    int now;

    done = false;
    now = file_read(file, 0, FILE_PIECE_MAX, wait, &piece);
    ck_assert_int_ge(now, 0);
    if (now == 1) {
        ck_assert(!wait);
        memcpy(got, piece.ptr, piece.len);
        got[piece.len] = '\0';
        return got;
    }
    ck_assert(net_until(&done));
    ck_assert_int_eq(result, 0);
    return got;
}

START_TEST(a_file_is_found_and_read)
{
    ck_assert_int_eq(find("a.css", false), 0);
    ck_assert_uint_eq(info.size, 5);
    ck_assert_int_eq(info.mtime_s, 2000);
    ck_assert_int_eq(info.suffix, -1);
    ck_assert_str_eq(content(false), "plain");
    ck_assert_str_eq(content(true), "plain");
}
END_TEST

START_TEST(the_best_form_that_is_not_stale)
{
    ck_assert_int_eq(find("a.css", true), 0);
    ck_assert_int_eq(info.suffix, 1);
    ck_assert_uint_eq(info.size, 8);
    ck_assert_str_eq(content(false), "squeezed");
    ck_assert_int_eq(find("b.css", true), 0);
    ck_assert_int_eq(info.suffix, -1);
    ck_assert_str_eq(content(true), "plain");
}
END_TEST

START_TEST(folders_have_an_index)
{
    ck_assert_int_eq(find("", false), 0);
    ck_assert_str_eq(content(true), "front");
    ck_assert_int_eq(find("sub/", false), 0);
    ck_assert_str_eq(content(true), "below");
    ck_assert_int_eq(find("sub", false), -EISDIR);
}
END_TEST

static const char *const nothing[] = {"none",
                                      "none/x",
                                      "a.css/x",
                                      "out",
                                      "absolute",
                                      "up/a",
                                      "up/outside.txt",
                                      "../outside.txt",
                                      "pipe",
                                      "sub/none",
                                      "sub/../../outside.txt",
                                      "/etc/hostname",
                                      "./../outside.txt"};

START_TEST(what_is_outside_is_not_there)
{
    ck_assert_int_eq(find(nothing[_i], true), -ENOENT);
}
END_TEST

START_TEST(a_closed_one_says_nothing)
{
    struct file_names names = {.path = span_str("a.css")};
    struct span piece;

    done = false;
    ck_assert_int_eq(
        file_open(&file, net_worker(), folder, &names, &events, dir), 0);
    file_close(file);
    net_for(20);
    ck_assert(!done);
    file = NULL;
    ck_assert_int_eq(find("a.css", false), 0);
    done = false;
    ck_assert_int_eq(file_read(file, 0, 5, true, &piece), 0);
    file_close(file);
    file = NULL;
    net_for(20);
    ck_assert(!done);
}
END_TEST

START_TEST(behind_the_end_there_is_nothing)
{
    struct span piece;

    ck_assert_int_eq(find("a.css", false), 0);
    done = false;
    ck_assert_int_eq(file_read(file, 100, 5, false, &piece), 0);
    ck_assert(net_until(&done));
    ck_assert_int_eq(result, 0);
    ck_assert_uint_eq(got_len, 0);
}
END_TEST

START_TEST(long_names_are_refused)
{
    static char name[FILE_PATH_MAX + 1];
    struct file_names names;

    memset(name, 'x', FILE_PATH_MAX);
    names = (struct file_names){.path = span_of(name, FILE_PATH_MAX)};
    ck_assert_int_eq(
        file_open(&file, net_worker(), folder, &names, &events, dir),
        ERR_LIMIT);
    name[300] = '\0';
    ck_assert_int_eq(find(name, false), -ENOENT);
}
END_TEST

START_TEST(a_folder_has_to_be_there)
{
    struct folder *other;

    ck_assert_int_eq(folder_open(&other, at("none")), -ENOENT);
    ck_assert_int_eq(folder_open(&other, at("outside.txt")), -ENOTDIR);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("files");
    TCase *tcase = tcase_create("files");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_file_is_found_and_read);
    tcase_add_test(tcase, the_best_form_that_is_not_stale);
    tcase_add_test(tcase, folders_have_an_index);
    tcase_add_loop_test(tcase, what_is_outside_is_not_there, 0,
                        ARRAY_SIZE(nothing));
    tcase_add_test(tcase, a_closed_one_says_nothing);
    tcase_add_test(tcase, behind_the_end_there_is_nothing);
    tcase_add_test(tcase, long_names_are_refused);
    tcase_add_test(tcase, a_folder_has_to_be_there);
    suite_add_tcase(suite, tcase);
    return suite;
}
