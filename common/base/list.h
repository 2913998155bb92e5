/* SPDX-License-Identifier: MIT */
/* list.h - intrusive doubly linked list with a head that is a node itself.
 *
 * The node lives inside the item (see CONTAINER_OF); the list owns nothing.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/mem.h"

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *prev;
    struct list *next;
};

/* Works for heads and for nodes that are in no list. */
static inline void list_init(struct list *node)
{
    node->prev = node;
    node->next = node;
}

/* For a head: no items. For a node: in no list. */
static inline bool list_is_empty(const struct list *node)
{
    return node->next == node;
}

static inline void list_insert_after(struct list *at, struct list *node)
{
    node->prev = at;
    node->next = at->next;
    at->next->prev = node;
    at->next = node;
}

static inline void list_push_back(struct list *head, struct list *node)
{
    list_insert_after(head->prev, node);
}

static inline void list_push_front(struct list *head, struct list *node)
{
    list_insert_after(head, node);
}

/* Unlink; harmless when the node is in no list. */
static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* The first node, or NULL. */
static inline struct list *list_first(const struct list *head)
{
    return head->next == head ? NULL : head->next;
}

/* `var` (a struct list *) over all nodes; the body may remove `var` itself. */
#define LIST_FOREACH(var, head)                                                \
    for (struct list *var = (head)->next, *var##_next = var->next;             \
         var != (head); var = var##_next, var##_next = var->next)

#endif /* BASE_LIST_H */
