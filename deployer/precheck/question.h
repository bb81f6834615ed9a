/*
 * question.h - what a kind asks before the first write (`before:` in docs/catalog.md): a request
 * made of the resource's own values, and what its answer has to say. Pure.
 */
#ifndef PRECHECK_QUESTION_H
#define PRECHECK_QUESTION_H

#include <stdbool.h>

#include <jansson.h>

#include "base/diag.h"
#include "catalog/kind.h"

/* One resource that a plan writes or deletes. Everything is borrowed. */
struct precheck_subject {
    const char *address;
    struct place place; /* in the stack file */
    const struct kind *kind;
    const char *id;        /* NULL: known only after apply */
    const char *scope;     /* what rights are asked for at; NULL: not known */
    const char *near;      /* the nearest that is there, where a right may be given too; or NULL */
    const char *name;      /* NULL: known only after apply */
    const char *location;  /* NULL: has none */
    const json_t *desired; /* NULL: is deleted */
    const json_t *actual;  /* as it is; NULL: not there */
    const json_t *each;    /* {each}: of a question that is asked of each value at a path */
    const json_t *values;  /* of the question (terms.h) */
    bool is_created;
    bool is_written;
    bool is_deleted;   /* by a request of its own */
    bool is_taken;     /* goes with its parent */
    bool is_name_ours; /* its creation was under way: that the name is taken says nothing */
};

/*
 * Fills {name}, {location}, {subscription}, {id}, {each}, the question's values and {PATH} of the
 * document to send into `text`. Owned; NULL while one of them is absent or known only after apply.
 */
char *question_fill(const char *text, const struct precheck_subject *s, const char *subscription);
/* The same for every text of a JSON document. Owned; NULL likewise. */
json_t *question_fill_json(
        const json_t *j, const struct precheck_subject *s, const char *subscription);
/* Whether it is to be asked for this resource (`when`, `unless`, `if`, `always`, `updated`). */
bool question_applies(const json_t *question, const struct precheck_subject *s);

enum question_verdict {
    QUESTION_HOLDS,
    QUESTION_FAILS,
    QUESTION_OPEN, /* the answer doesn't say */
};

struct question_case {
    const json_t *question;
    const struct precheck_subject *subject;
    const char *subscription;
    const json_t *answer;
    long status;   /* HTTP's */
    double amount; /* of a quota: what all that ask for a part of it take */
};

struct question_failure {
    char *text;       /* owned by the caller */
    bool has_numbers; /* of a quota: */
    double used, limit;
};

/* Judges an answer; *ret only where it fails. */
enum question_verdict question_judge(const struct question_case *c, struct question_failure *ret);

/*
 * Calls fn for each value at a path in which [] stands for every element, [key=value] for those of
 * them that have it.
 */
void question_each(
        const json_t *j, const char *path, void (*fn)(void *arg, const json_t *value), void *arg);

#endif
