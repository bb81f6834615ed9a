/*
 * question.h - what a kind asks before the first write (`before:` in docs/catalog.md): a request
 * made of the resource's own values, and what its answer has to say. Pure.
 */
#ifndef PRECHECK_QUESTION_H
#define PRECHECK_QUESTION_H

#include <stdbool.h>

#include <jansson.h>

#include "catalog/kind.h"

/* One resource that a plan writes or deletes. Everything is borrowed. */
struct precheck_subject {
    const char *address;
    const struct kind *kind;
    const char *id;        /* NULL: known only after apply */
    const char *scope;     /* what rights are asked for at; NULL: not known */
    const char *name;      /* NULL: known only after apply */
    const char *location;  /* NULL: has none */
    const json_t *desired; /* NULL: is deleted */
    const char *each;      /* {each}: of a question that is asked of each value at a path */
    bool is_created;
    bool is_written;
    bool is_deleted;
    bool is_name_ours; /* its creation was under way: that the name is taken says nothing */
};

/*
 * Fills {name}, {location}, {subscription}, {id} and {PATH} of the document to send into `text`.
 * Owned; NULL while one of them is absent or known only after apply.
 */
char *question_fill(const char *text, const struct precheck_subject *s, const char *subscription);
/* The same for every text of a JSON document. Owned; NULL likewise. */
json_t *question_fill_json(
        const json_t *j, const struct precheck_subject *s, const char *subscription);
/* Whether `when` and `unless` let it be asked for this resource. */
bool question_applies(const json_t *question, const struct precheck_subject *s);

enum question_verdict {
    QUESTION_HOLDS,
    QUESTION_FAILS,
    QUESTION_OPEN, /* the answer doesn't say */
};

/*
 * Judges an answer. `status` is the HTTP status; `count` how many resources of the plan ask the
 * same (for quotas). *ret_text (owned) tells what is wrong where it fails.
 */
enum question_verdict question_judge(const json_t *question, const struct precheck_subject *s,
        const char *subscription, const json_t *answer, long status, size_t count, char **ret_text);

/* Calls fn for each value at a path in which [] stands for every element. For tests and images. */
void question_each(
        const json_t *j, const char *path, void (*fn)(void *arg, const json_t *value), void *arg);

#endif
