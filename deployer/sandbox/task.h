/*
 * task.h - a recipe's list of steps, run one after the other without blocking: a program to its
 * end (its output judged), a file written, a request to the blob service.
 */
#ifndef SANDBOX_TASK_H
#define SANDBOX_TASK_H

#include "sandbox/backend_core.h"

struct task;

enum task_state { TASK_RUNNING, TASK_DONE, TASK_FAILED };

struct task_spec {
    const json_t *steps;    /* may be NULL: nothing to do; copied */
    const json_t *commands; /* what `use` names; copied */
    const json_t *scope;    /* copied */
    const char *dir;        /* the service's folder: files, working folder, log */
    const char *user;       /* or NULL */
    int64_t time_ms;        /* for all of it */
};

MUST_CHECK struct task *task_new(struct backend *b, const struct task_spec *spec);
enum task_state task_tick(struct task *t);
/* Why it failed: one line. */
const char *task_problem(const struct task *t);
/* What the last program printed. */
const char *task_output(const struct task *t);
/* NULL is accepted; a program that still runs is killed. */
void task_free(struct task *t);

/* The last lines of a log file, on one line, control characters escaped; owned. */
MUST_CHECK char *task_log_tail(const char *path);
/* "NAME=value" texts of an object, expanded, behind the ones every program gets; NULL-terminated.
 */
MUST_CHECK char **task_environment(const json_t *scope, const json_t *env, const char *dir);
/* The argv of a list, expanded; NULL-terminated. */
MUST_CHECK char **task_arguments(const json_t *scope, const json_t *run, const json_t *more);
/* Makes argv[0] an absolute path (process_find_program). ERR_NOINPUT: not installed. */
MUST_CHECK struct err *task_resolve(char **argv);
void task_free_texts(char **texts);
/* The sandbox's own environment as an object, for `${env.NAME}`; owned. */
MUST_CHECK json_t *task_own_environment(void);
/* The first word of an output that begins with a digit, "unknown" if there is none; owned. */
MUST_CHECK char *task_first_version(const char *output);
/* Writes a file of a recipe below `dir`, mode 0600, owned by `user`. */
MUST_CHECK struct err *task_write_file(
        const char *dir, const char *user, const char *path, const char *content);
MUST_CHECK struct err *task_give(const char *path, const char *user);

#endif
