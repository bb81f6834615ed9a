/*
 * Writes that a kind says must not overlap wait for each other, first come, first served. The
 * engine sees to that by itself (run.c), deletes included: it has the document of what is there,
 * and goes by what that refers to. This is for those who write without it. A delete has no body, so
 * here it goes by its parent and by itself only; nobody but the engine deletes what is serial by a
 * reference.
 */
#include "base/alloc.h"
#include "base/jsonx.h"
#include "cloud/arm/id.h"
#include "cloud/arm/internal.h"

#define KEYS_MAX 4

struct arm_turn {
    struct arm_turn *next;
    char *keys[KEYS_MAX];
    size_t key_count;
    bool is_waiting;
    unsigned timer;
    void (*fn)(void *arg);
    void *arg;
};

/* The id that a rule of kind->serial names; NULL if it names none here. Owned. */
static char *key_of(const char *rule, const char *id, const json_t *body)
{
    AUTO(free) char *parent = NULL;

    if (text_eq(rule, "parent")) {
        parent = arm_id_parent(id);
        return parent == NULL ? NULL : arm_id_normal(parent);
    }
    if (text_eq(rule, "self"))
        return arm_id_normal(id);
    if (str_starts(str_of(rule), STR("ref:"))) {
        const char *value = json_string_value(jsonx_at_ci(body, rule + 4));

        return value == NULL ? NULL : arm_id_normal(value);
    }
    return NULL;
}

static bool share_key(const struct arm_turn *a, const struct arm_turn *b)
{
    for (size_t i = 0; i < a->key_count; i++) {
        for (size_t k = 0; k < b->key_count; k++) {
            if (text_eq(a->keys[i], b->keys[k]))
                return true;
        }
    }
    return false;
}

static void call(void *arg)
{
    struct arm_turn *t = arg;

    t->timer = 0;
    t->fn(t->arg);
}

/* Starts every waiter that shares no key with anyone before it. */
static void start_free_ones(struct arm *arm)
{
    for (struct arm_turn *t = arm->turns; t != NULL; t = t->next) {
        bool is_free = t->is_waiting;

        for (const struct arm_turn *b = arm->turns; is_free && b != t; b = b->next)
            is_free = !share_key(b, t);
        if (is_free) {
            t->is_waiting = false;
            t->timer = http_loop_after(arm->cloud.loop, 0, call, t);
        }
    }
}

struct arm_turn *arm_turn_take(struct arm *arm, const struct kind *k, const char *id,
        const json_t *body, void (*fn)(void *arg), void *arg)
{
    struct arm_turn *t = xcalloc(1, sizeof(*t));
    struct arm_turn **end = &arm->turns;
    size_t i = 0;
    const json_t *rule = NULL;

    *t = (struct arm_turn){ .is_waiting = true, .fn = fn, .arg = arg };
    json_array_foreach (k->serial, i, rule) {
        char *key = key_of(json_string_value(rule), id, body);

        if (key != NULL && t->key_count < KEYS_MAX)
            t->keys[t->key_count++] = key;
        else
            free(key);
    }
    while (*end != NULL)
        end = &(*end)->next;
    *end = t;
    start_free_ones(arm);
    return t;
}

bool arm_turn_is_waiting(const struct arm_turn *turn)
{
    return turn->is_waiting;
}

void arm_turn_give(struct arm *arm, struct arm_turn *turn)
{
    if (turn == NULL)
        return;
    for (struct arm_turn **at = &arm->turns; *at != NULL; at = &(*at)->next) {
        if (*at == turn) {
            *at = turn->next;
            break;
        }
    }
    http_loop_drop_timer(arm->cloud.loop, turn->timer);
    for (size_t i = 0; i < turn->key_count; i++)
        free(turn->keys[i]);
    free(turn);
    start_free_ones(arm);
}
