/*
 * procedure.h - what a kind wants done around a write, step by step: a job is started and waited
 * for, a revision must run, an old one must be gone first. The steps are data (docs/catalog.md,
 * "Procedures"); this is their interpreter.
 * Pure: it says what to ask next and is told the answer; the engine sends, waits and knows the
 * time.
 */
#ifndef ENGINE_PROCEDURE_H
#define ENGINE_PROCEDURE_H

#include <stdint.h>

#include <jansson.h>

#include "base/err.h"

struct procedure;

enum procedure_want {
    PROCEDURE_ACT,    /* send `method` to `path` below the resource; "" is the resource itself */
    PROCEDURE_WAIT,   /* nothing until `at_ms`, then ask again */
    PROCEDURE_DONE,   /* through; procedure_tolerated may have a word on it */
    PROCEDURE_FAILED, /* procedure_error says why */
};

/* Borrowed from the procedure until its next call. */
struct procedure_request {
    const char *method;
    const char *path;
    const json_t *body; /* or NULL */
    int64_t at_ms;      /* PROCEDURE_WAIT */
};

/*
 * `steps` is the kind's list (borrowed, must outlive it), `self` the resource as just read (a
 * reference is kept), `target` "azure" or "sandbox".
 */
MUST_CHECK struct procedure *procedure_new(
        const json_t *steps, json_t *self, const char *target, int64_t now_ms);
void procedure_free(struct procedure *p);
enum procedure_want procedure_next(
        struct procedure *p, int64_t now_ms, struct procedure_request *ret);
/*
 * The answer to the last PROCEDURE_ACT. `document` is borrowed, NULL when there was none or the
 * thing is not there; `e` (taken) when it failed otherwise.
 */
void procedure_answer(struct procedure *p, int64_t now_ms, json_t *document, struct err *e);
/* Owned by the caller from then on; NULL if there is none. */
MUST_CHECK struct err *procedure_take_error(struct procedure *p);
/* "not running": why it counts as done although it is not; NULL normally. Borrowed. */
const char *procedure_tolerated(const struct procedure *p);
/* For people: "waits for revisions/x: properties.runningState is Processing". Borrowed. */
const char *procedure_doing(const struct procedure *p);

/* Whether all paths of `condition` (path -> value or list of values) hold in `document`. */
bool procedure_holds(const json_t *condition, const json_t *document);

#endif
