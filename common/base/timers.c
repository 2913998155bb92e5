/* SPDX-License-Identifier: MIT */
#include "base/timers.h"

#include <stddef.h>

/* A heap-ordered tree: each node has a first child and a right sibling.
 * Inserting is O(1), taking the first O(log n) amortised. */

/* Join two roots; the later one becomes the first child of the earlier. */
static struct timer *join(struct timer *a, struct timer *b)
{
    struct timer *first = a;
    struct timer *second = b;

    if (!a)
        return b;
    if (!b)
        return a;
    if (b->deadline < a->deadline) {
        first = b;
        second = a;
    }
    second->prev = first;
    second->sibling = first->child;
    if (first->child)
        first->child->prev = second;
    first->child = second;
    first->sibling = NULL;
    first->prev = NULL;
    return first;
}

/* Join a row of siblings: pairs from the left, then the pairs from the right.
 * Iterative, since a row can be as long as the number of timers. */
static struct timer *join_row(struct timer *row)
{
    struct timer *pairs = NULL;
    struct timer *root = NULL;

    while (row) {
        struct timer *a = row;
        struct timer *b = a->sibling;
        struct timer *pair;

        row = b ? b->sibling : NULL;
        pair = join(a, b);
        pair->sibling = pairs; /* a stack, linked through `sibling` */
        pairs = pair;
    }
    while (pairs) {
        struct timer *next = pairs->sibling;

        pairs->sibling = NULL;
        pairs->prev = NULL;
        root = join(root, pairs);
        pairs = next;
    }
    return root;
}

/* Cut a node that is not the root from its parent or left sibling. */
static void cut(struct timer *timer)
{
    if (timer->prev->child == timer)
        timer->prev->child = timer->sibling;
    else
        timer->prev->sibling = timer->sibling;
    if (timer->sibling)
        timer->sibling->prev = timer->prev;
}

static void disarm(struct timer *timer)
{
    timer->child = NULL;
    timer->sibling = NULL;
    timer->prev = NULL;
    timer->armed = false;
}

void timers_init(struct timers *timers)
{
    timers->root = NULL;
}

void timer_init(struct timer *timer, uint8_t kind)
{
    *timer = (struct timer){.kind = kind};
}

void timers_set(struct timers *timers, struct timer *timer, uint64_t deadline)
{
    timers_cancel(timers, timer);
    timer->deadline = deadline;
    timer->armed = true;
    timers->root = join(timers->root, timer);
}

void timers_cancel(struct timers *timers, struct timer *timer)
{
    struct timer *rest;

    if (!timer->armed)
        return;
    rest = join_row(timer->child);
    if (timers->root == timer) {
        timers->root = rest;
    } else {
        cut(timer);
        timers->root = join(timers->root, rest);
    }
    disarm(timer);
}

struct timer *timers_take_expired(struct timers *timers, uint64_t now)
{
    struct timer *first = timers->root;

    if (!first || first->deadline > now)
        return NULL;
    timers_cancel(timers, first);
    return first;
}

uint64_t timers_next(const struct timers *timers)
{
    return timers->root ? timers->root->deadline : TIMERS_NEVER;
}
