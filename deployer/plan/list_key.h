/*
 * list_key.h - by what a list is a map: the member of its elements that tells them apart. Only for
 * plan/.
 */
#ifndef PLAN_LIST_KEY_H
#define PLAN_LIST_KEY_H

#include "plan/walk.h"

/* By which member ("name", or "a|b": the first that is set), and what is known of it. */
struct list_key {
    const char *by;
    struct norm_place place;
};

/* By what the list at this place is a map; false: it is none. */
bool list_key_choose(
        const struct walk *w, const struct spot *s, const struct docs *d, struct list_key *ret);
/* The key of an element as text. Owned; NULL: it has none. */
char *list_key_of(const json_t *element, const char *by);
/* The element with that key; one spelled exactly so comes first. Borrowed or NULL. */
const json_t *list_key_find(const json_t *list, const struct list_key *k, const char *key);

#endif
