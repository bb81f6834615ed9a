/*
 * proc.h - runs another program without a shell and takes what it prints.
 */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct proc_run {
    const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH */
    struct str input;        /* for its standard input */
    int64_t deadline_ms;     /* monotonic; the program is killed then */
};

/*
 * Standard output goes to `out`, standard error to `err_out` (either NULL: dropped); their caps
 * hold. *ret_status is the exit status, or 128 + signal. Not for threads: only before any are
 * started. Errors: ERR_NOINPUT not found; ERR_TIMEOUT; ERR_LIMIT.
 */
MUST_CHECK struct err *proc_run(
        const struct proc_run *run, struct buf *out, struct buf *err_out, int *ret_status);

#endif
