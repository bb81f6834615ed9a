/*
 * walk.h - inside of plan_diff: one comparison under way, the place it has come to, and the
 * documents that are looked at side by side there. Only for plan/.
 */
#ifndef PLAN_WALK_H
#define PLAN_WALK_H

#include <stdbool.h>

#include "plan/normalise.h"
#include "plan/plan.h"

struct walk {
    struct arena *arena;
    const struct kind *kind; /* or NULL */
    struct change_list *out;
    size_t capacity;
    const json_t *told;         /* diff_input's */
    const json_t *root_desired; /* the whole documents */
    const json_t *root_actual;
    bool is_drift;     /* `desired` is what was there before: differences were made by others */
    bool has_last;     /* there is a last applied document */
    bool has_observed; /* there is a GET of after it */
    bool takes_extras; /* drift: what only `actual` has counts too */
    unsigned depth;
};

/* The place; copied and extended on the way down. */
struct spot {
    const char *path;      /* for people and jsonx_at: "properties.env[A].value" */
    const char *knowledge; /* for kind_property: "properties.env[].value" */
    const char *key;
    const char *parent;
    const char *reason; /* why a change below here means replacement, or NULL */
    bool is_free;
    bool is_element;
    bool is_id_key; /* a member whose name is an id: that it is there counts, empty or not */
    const struct kind_property *property;
};

/* What stands at one place in each document; NULL: nothing. */
struct docs {
    const json_t *desired;
    const json_t *stored; /* desired with digests in place of secrets; NULL if there is none */
    const json_t *last;
    const json_t *actual;
    const json_t *observed;
};

void walk_value(struct walk *w, const struct spot *s, const struct docs *d);
void walk_list(struct walk *w, const struct spot *s, const struct docs *given);
/* Whether the order of this list does not count. */
bool walk_is_set(const struct spot *s, const struct docs *d);
/* Services list what could be switched on: {"category": ..., "enabled": false}, weight 0. */
bool walk_is_off(const json_t *element);
/* Notes a change at this place. */
void walk_note(struct walk *w, const struct spot *s, const struct docs *d, const char *reason);
/* Whether nothing would be noted at this place. */
bool walk_is_same(const struct walk *w, const struct spot *s, const struct docs *d);
/* The place of a member, and of an element (`name`: its key or index). */
struct spot spot_member(const struct walk *w, const struct spot *s, const char *key, bool is_map);
struct spot spot_element(const struct walk *w, const struct spot *s, const char *name);
/* Maps whose keys and values are the user's own, by their name: tags and the like. */
bool walk_is_free_map(const char *key);
/* Whether the kind describes the members of this object as values of a free map ("{}"). */
bool walk_is_map(const struct walk *w, const struct spot *s);
/* What a kind says is no change although the values differ (tolerate.c). */
bool walk_is_tolerated(const struct walk *w, const struct spot *s, const struct docs *d);
/* Whether the service adds elements (or members) of that key by itself. */
bool walk_is_added(const struct spot *s, const char *key);
/* Whether the kind allows this step of a property that can't be changed otherwise. */
bool walk_may_change(const struct spot *s, const json_t *from, const json_t *to);
/* {"$secret": ...} and {"$unknown": ...}. */
bool walk_is_secret(const json_t *j);
bool walk_is_unknown(const json_t *j);
/* Something that we sent last and no longer want is still there. */
bool walk_is_left(
        const struct walk *w, const struct spot *s, const json_t *last, const json_t *actual);

#endif
