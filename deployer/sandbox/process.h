/*
 * process.h - the sandbox's child processes: each in a process group of its own, its output in a
 * file, never restarted, stopped by process id (its signal, then KILL), reaped. None survives the
 * sandbox, not even when that is killed: the kernel kills the child (PR_SET_PDEATHSIG), and a
 * small guardian process kills what the child may have started.
 * Not for threads: one thread starts, ticks and stops.
 */
#ifndef SANDBOX_PROCESS_H
#define SANDBOX_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

struct supervisor;
struct process;

struct process_spec {
    const char *const *argv; /* NULL-terminated; argv[0] is an absolute path */
    const char *const *env;  /* "NAME=value", NULL-terminated: all that it gets */
    const char *cwd;         /* NULL: "/" */
    const char *log_path;    /* standard output and error are appended here */
    const char *user;        /* to run as where we are root; NULL: as ourselves */
    struct str input;        /* standard input, at most PROCESS_INPUT_MAX */
    int stop_signal;         /* 0: TERM */
    int64_t kill_after_ms;   /* between that and KILL; 0: 5 s */
};

/* What fits into a pipe without anybody reading. */
#define PROCESS_INPUT_MAX (60u << 10)

MUST_CHECK struct err *supervisor_new(struct supervisor **ret);
/* Stops every process and waits until all have ended (KILL after four seconds at the latest). */
void supervisor_drain(struct supervisor *s);
/* Drains, then frees, handles too. NULL is accepted. */
void supervisor_free(struct supervisor *s);
/* Reaps what has ended; sends KILL where it is due. */
void supervisor_tick(struct supervisor *s, int64_t now_ms);
/* Processes that have not been reaped. */
size_t supervisor_running(const struct supervisor *s);

/* ERR_NOINPUT: no such program. What fails behind the fork ends the process with status 127. */
MUST_CHECK struct err *process_start(
        struct supervisor *s, const struct process_spec *spec, struct process **ret);
bool process_is_running(const struct process *p);
/* Once it has ended: the exit status, or 128 + signal. */
int process_exit_status(const struct process *p);
pid_t process_pid(const struct process *p);
/* Begins to stop it; does nothing when it has ended. */
void process_stop(struct process *p);
void process_kill(struct process *p);
/* Gives the handle back; what still runs is stopped and reaped behind the scenes. NULL is fine. */
void process_free(struct process *p);

/*
 * The absolute path of a program: the first of `names` (NULL-terminated) that exists; a name with
 * a slash may hold `*`, of which the last match counts; others are looked up in PATH and in the
 * usual sbin folders. Owned; NULL if there is none.
 */
MUST_CHECK char *process_find_program(const char *const *names);

#endif
