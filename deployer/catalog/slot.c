#include "catalog/expand.h"

#include <string.h>

#include "base/jsonx.h"
#include "catalog/reader.h"

void *arena_grow(struct arena *a, void *array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return array;
    *capacity = *capacity == 0 ? 4 : *capacity * 2;
    void *grown = arena_alloc(a, *capacity * size);

    if (count > 0)
        memcpy(grown, array, count * size);
    return grown;
}

void deps_add(struct expansion *x, struct deps *deps, const char *address)
{
    if (deps == NULL)
        return;
    for (size_t i = 0; i < deps->count; i++) {
        if (strcmp(deps->items[i], address) == 0)
            return;
    }
    deps->items =
            arena_grow(x->arena, deps->items, deps->count, &deps->capacity, sizeof(*deps->items));
    deps->items[deps->count++] = address;
}

void deps_add_all(struct expansion *x, struct deps *deps, const struct deps *more)
{
    for (size_t i = 0; i < more->count; i++)
        deps_add(x, deps, more->items[i]);
}

/* Where the service of "services.NAME..." stands in the stack; else its beginning. */
static struct place place_of(const struct expansion *x, const char *what)
{
    struct str rest = str_of(what);

    (void)str_cut(&rest, '.');
    const struct str name = str_cut(&rest, '.');

    for (size_t i = 0; i < x->stack->service_count; i++) {
        if (str_eq(str_of(x->stack->services[i].name), name))
            return x->stack->services[i].place;
    }
    return x->stack->root->place;
}

static json_t *report_cycle(struct expansion *x, const struct slot *slot, const char *what)
{
    AUTO(buf) struct buf members = BUF_INIT(BUF_TEXT_MAX);
    const struct frame *f = x->frames;

    buf_add_text(&members, what);
    const char *last = what;

    for (; f != NULL && f->slot != slot; f = f->up) {
        if (strcmp(f->what, last) != 0) /* a resource has several slots */
            buf_addf(&members, " <- %s", f->what);
        last = f->what;
    }
    buf_addf(&members, " <- %s", what);
    diag_add(x->diags, DIAG_ERROR, "catalog.cycle", place_of(x, what), what,
            "depends on itself: %s", buf_text(&members));
    return eval_poison();
}

json_t *slot_value(struct expansion *x, struct slot *slot, const char *what, struct deps *deps,
        json_t *(*compute)(struct expansion *x, void *arg, struct deps *deps), void *arg)
{
    if (slot->state == SLOT_BUSY) {
        if (slot->value == NULL)
            slot->value = reader_keep(x->arena, report_cycle(x, slot, what));
        return slot->value;
    }
    if (slot->state == SLOT_NEW) {
        const struct frame frame = { .slot = slot, .what = what, .up = x->frames };

        slot->state = SLOT_BUSY;
        x->frames = &frame;
        json_t *value = compute(x, arg, &slot->deps);

        x->frames = frame.up;
        slot->state = SLOT_DONE;
        slot->value = reader_keep(x->arena, value);
    }
    if (deps != NULL)
        deps_add_all(x, deps, &slot->deps);
    return slot->value;
}
