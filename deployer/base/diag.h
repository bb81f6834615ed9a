/*
 * diag.h - all that is wrong with a file, at once: a list of findings with their places.
 * Each reads "stack.yaml:14:7: services.redis.with.clustering: 'OssCluster' is not one of ...".
 */
#ifndef BASE_DIAG_H
#define BASE_DIAG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

/* Where something stands. Line and column count from 1; 0 where there is none. */
struct place {
    const char *file;
    int line;
    int column;
};

enum diag_severity { DIAG_ERROR, DIAG_WARNING, DIAG_NOTE };

struct diag {
    enum diag_severity severity;
    const char *code; /* stable: "stack.unknown-key", or a runbook's id "RED-003" */
    struct place place;
    const char *path; /* "services.redis.with.clustering", "" where there is none */
    const char *text;
    const char *hint;  /* the next step, or NULL */
    const char *meant; /* the path that a misspelt key stands for, or NULL */
};

/* More than DIAG_MAX findings are counted but not kept. */
#define DIAG_MAX 1000u

struct diag_list {
    struct arena *arena;   /* borrowed: every text of the list lives there */
    const char *laid_over; /* "environments.prod": paths below it are the root's, too; or NULL */
    struct diag *items;
    size_t count;
    size_t capacity;
    size_t dropped;
    size_t errors;
};

void diag_init(struct diag_list *list, struct arena *arena);
/* Copies what it is given into the arena. Returns the entry (never NULL) so that a hint can be set.
 */
struct diag *diag_add(struct diag_list *list, enum diag_severity severity, const char *code,
        struct place place, const char *path, const char *fmt, ...) PRINTF_LIKE(6, 7);
void diag_set_hint(struct diag_list *list, struct diag *d, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The path that was meant where a key is misspelt; copied. */
void diag_set_meant(struct diag_list *list, struct diag *d, const char *path);
/*
 * Whether an error that is told already says why nothing of use is at `path`: it is about that
 * value, about one that holds it, or about a key that was meant to be one of them. What is only
 * the consequence of an error is not told beside it.
 */
bool diag_explains(const struct diag_list *list, const char *path);
/* By file, line, column. */
void diag_sort(struct diag_list *list);
const char *diag_severity_name(enum diag_severity severity);
void diag_release(struct diag_list *list);

static inline void auto_diag(struct diag_list *list)
{
    diag_release(list);
}

#endif
