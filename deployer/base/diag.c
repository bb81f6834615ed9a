#include "base/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static const char *const severity_names[] = { "error", "warning", "note" };
_Static_assert(ARRAY_LEN(severity_names) == DIAG_NOTE + 1, "one name a severity");

void diag_init(struct diag_list *list, struct arena *arena)
{
    *list = (struct diag_list){ .arena = arena };
}

static const char *vtext(struct arena *arena, const char *fmt, va_list ap)
        __attribute__((format(printf, 2, 0)));

static const char *vtext(struct arena *arena, const char *fmt, va_list ap)
{
    char *text = xvasprintf(fmt, ap);
    const char *copy = arena_text(arena, text);

    free(text);
    return copy;
}

struct diag *diag_add(struct diag_list *list, enum diag_severity severity, const char *code,
        struct place place, const char *path, const char *fmt, ...)
{
    static struct diag beyond_max;
    va_list ap;

    list->errors += severity == DIAG_ERROR;
    if (list->count == DIAG_MAX) {
        list->dropped++;
        return &beyond_max;
    }
    GROW(list->items, list->count, list->capacity);
    struct diag *d = &list->items[list->count++];

    *d = (struct diag){ .severity = severity,
        .code = arena_text(list->arena, code),
        .place = place,
        .path = arena_text(list->arena, path == NULL ? "" : path) };
    d->place.file = arena_text(list->arena, place.file);
    va_start(ap, fmt);
    d->text = vtext(list->arena, fmt, ap);
    va_end(ap);
    return d;
}

void diag_set_hint(struct diag_list *list, struct diag *d, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    d->hint = vtext(list->arena, fmt, ap);
    va_end(ap);
}

void diag_set_meant(struct diag_list *list, struct diag *d, const char *path)
{
    d->meant = arena_text(list->arena, path);
}

/* What follows "a.b" in "a.b", "a.b.c" and "a.b[0]"; NULL if the path does not begin with it. */
static const char *below(const char *outer, const char *path)
{
    const size_t len = outer == NULL ? 0 : strlen(outer);
    const bool is_below = len > 0 && strncmp(outer, path, len) == 0
                          && (path[len] == '\0' || path[len] == '.' || path[len] == '[');

    return is_below ? path + len : NULL;
}

static bool covers(const struct diag_list *list, const char *outer, const char *path)
{
    const char *inside = outer == NULL ? NULL : below(list->laid_over, outer);

    return below(outer, path) != NULL
           || (inside != NULL && inside[0] == '.' && below(inside + 1, path) != NULL);
}

bool diag_explains(const struct diag_list *list, const char *path)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct diag *d = &list->items[i];

        if (d->severity == DIAG_ERROR
                && (covers(list, d->path, path) || covers(list, d->meant, path)))
            return true;
    }
    return false;
}

static int by_place(const void *va, const void *vb)
{
    const struct diag *a = va;
    const struct diag *b = vb;
    const int c = str_cmp(str_of(a->place.file), str_of(b->place.file));

    if (c != 0)
        return c;
    if (a->place.line != b->place.line)
        return a->place.line < b->place.line ? -1 : 1;
    if (a->place.column != b->place.column)
        return a->place.column < b->place.column ? -1 : 1;
    return str_cmp(str_of(a->text), str_of(b->text));
}

void diag_sort(struct diag_list *list)
{
    if (list->count > 1)
        qsort(list->items, list->count, sizeof(list->items[0]), by_place);
}

const char *diag_severity_name(enum diag_severity severity)
{
    return severity_names[severity];
}

void diag_release(struct diag_list *list)
{
    free(list->items);
    *list = (struct diag_list){ .arena = list->arena };
}
