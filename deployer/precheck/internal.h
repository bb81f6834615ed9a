/*
 * internal.h - what the files of precheck/ share. Not for others.
 */
#ifndef PRECHECK_INTERNAL_H
#define PRECHECK_INTERNAL_H

#include "precheck/precheck.h"

/* One request, whoever needs its answer. */
struct asked {
    struct run *run;
    char *key;
    const char *method; /* borrowed */
    char *path;
    json_t *body;
    json_t *document;
    struct err *error;
    long status;
    bool is_done;
    bool is_absent;
    bool is_told; /* that it has no answer */
    struct asked *next;
};

struct run {
    const struct precheck *p;
    struct asked *asked;
    struct image_check *images;
    struct quota_part *parts;
    json_t *findings;
    size_t outstanding;
};

/* Asks unless it was asked. The answer is there after the turn. NULL path gives NULL. */
struct asked *run_ask(struct run *r, const char *method, const char *path, const json_t *body);
/* Whether there is an answer to judge; adds a note once where there is none. */
bool run_has_answer(struct run *r, struct asked *a, const char *check, const char *what);
/* Adds a finding and returns it, for further members. Borrowed. */
json_t *run_add(struct run *r, const char *check, const char *severity, const char *address,
        const char *text, const char *hint);
bool run_is_named(const json_t *names, const struct precheck_subject *s);

/*
 * What is asked at a resource itself is asked only for what the scope above it left open: answers
 * are there from phase to phase.
 */
enum run_phase { RUN_ASK, RUN_ASK_CLOSER, RUN_JUDGE, RUN_PHASE_COUNT };

void rights_step(struct run *r, enum run_phase phase);
void offers_step(struct run *r, enum run_phase phase);
void locks_step(struct run *r, enum run_phase phase);
void buried_step(struct run *r, enum run_phase phase);
void images_step(struct run *r, enum run_phase phase);
void images_free(struct run *r);
/* Notes what the resource takes of the quota that the question asks for; sign -1: gives back. */
void quota_add(struct run *r, struct asked *a, const json_t *question,
        const struct precheck_subject *s, double sign);
/* All of them, once they are noted. */
void quotas_judge(struct run *r);
void quotas_free(struct run *r);

#endif
