/* SPDX-License-Identifier: MIT */
#include "base/list.h"

#include "support/unit.h"

struct item {
    int value;
    struct list node;
};

static struct list head;
static struct item items[4];

static void setup(void)
{
    list_init(&head);
    for (int i = 0; i < 4; i++) {
        items[i].value = i;
        list_init(&items[i].node);
    }
}

static void assert_order(const char *expected)
{
    char seen[16] = "";
    size_t n = 0;

    LIST_FOREACH (node, &head) {
        seen[n++] = (char)('0' + CONTAINER_OF(node, struct item, node)->value);
    }
    ck_assert_str_eq(seen, expected);
}

START_TEST(a_new_head_is_empty)
{
    ck_assert(list_is_empty(&head));
    ck_assert_ptr_null(list_first(&head));
    assert_order("");
}
END_TEST

START_TEST(items_are_pushed_at_both_ends)
{
    list_push_back(&head, &items[1].node);
    list_push_back(&head, &items[2].node);
    list_push_front(&head, &items[0].node);
    list_insert_after(&items[1].node, &items[3].node);
    assert_order("0132");
    ck_assert_ptr_eq(list_first(&head), &items[0].node);
    ck_assert(!list_is_empty(&head));
    ck_assert(!list_is_empty(&items[0].node));
}
END_TEST

START_TEST(removing_unlinks_and_may_be_repeated)
{
    for (int i = 0; i < 4; i++)
        list_push_back(&head, &items[i].node);
    list_remove(&items[0].node);
    list_remove(&items[0].node);
    list_remove(&items[2].node);
    ck_assert(list_is_empty(&items[0].node));
    assert_order("13");
    list_remove(&items[3].node);
    list_remove(&items[1].node);
    ck_assert(list_is_empty(&head));
}
END_TEST

START_TEST(the_body_of_a_walk_may_remove_its_item)
{
    for (int i = 0; i < 4; i++)
        list_push_back(&head, &items[i].node);
    LIST_FOREACH (node, &head) {
        if (CONTAINER_OF(node, struct item, node)->value % 2)
            list_remove(node);
    }
    assert_order("02");
    LIST_FOREACH (node, &head) {
        list_remove(node);
    }
    ck_assert(list_is_empty(&head));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("list");
    TCase *tc = tcase_create("list");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, a_new_head_is_empty);
    tcase_add_test(tc, items_are_pushed_at_both_ends);
    tcase_add_test(tc, removing_unlinks_and_may_be_repeated);
    tcase_add_test(tc, the_body_of_a_walk_may_remove_its_item);
    suite_add_tcase(suite, tc);
    return suite;
}
