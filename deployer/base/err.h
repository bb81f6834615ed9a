/*
 * err.h - the one way in which anything fails: NULL is success, else an owned error with a kind,
 * the foreign code, a message and the frames of context added on the way up. Callers branch on the
 * kind, never on the text. Only commands/ prints errors.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

#include "base/compiler.h"

enum err_kind {
    ERR_USAGE,    /* the command line: exit 64 */
    ERR_CONFIG,   /* the stack or its data: exit 65 */
    ERR_NOINPUT,  /* a file is missing: exit 66 */
    ERR_AUTH,     /* no login, or a refused one: exit 77 */
    ERR_DENIED,   /* logged in, but not allowed: exit 77 */
    ERR_NET,      /* could not connect, reset, name not resolved: exit 69 */
    ERR_TLS,      /* handshake or certificate: exit 69 */
    ERR_PROTO,    /* the peer broke its protocol: exit 1 */
    ERR_API,      /* the service answered with an error: exit 1 */
    ERR_TIMEOUT,  /* a deadline passed: exit 1 */
    ERR_LIMIT,    /* more than we take: exit 65 */
    ERR_PROTECT,  /* refused by a protection: exit 73 */
    ERR_STALE,    /* the saved plan is stale: exit 74 */
    ERR_LOCKED,   /* somebody else holds the lock: exit 75 */
    ERR_CANCELED, /* ended by a signal: exit 130 or 143 (the code) */
    ERR_FAILED,   /* an operation, check or comparison failed and was reported: exit 1 */
    ERR_INTERNAL, /* our own fault: exit 70 */
};

struct err;

/* A new error. `code`: errno, CURLcode, HTTP status, X.509 verify code ..., 0 if there is none. */
MUST_CHECK struct err *err_new(enum err_kind kind, long code, const char *fmt, ...)
        PRINTF_LIKE(3, 4);
/* Puts "context: " before the message. Takes `e`; NULL stays NULL. */
MUST_CHECK struct err *err_wrap(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* ERR_NOINPUT for ENOENT, ERR_DENIED for what the user may not do, else ERR_INTERNAL:
 * "WHAT: No such file or directory". */
MUST_CHECK struct err *err_errno(int errnum, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The same once more, for another who waits. */
MUST_CHECK struct err *err_copy(const struct err *e);

/* Whether the same request may be sent again; decided once, where the foreign code is known. */
void err_set_retryable(struct err *e, bool is_retryable);
/* The service's own name of the failure (ARM's code, SQLSTATE) and its request id; copied. */
void err_set_api(struct err *e, const char *api_code, const char *request_id);
/* What the user does next, one line; copied. */
void err_set_hint(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

enum err_kind err_kind(const struct err *e);
const char *err_kind_name(enum err_kind kind);
long err_code(const struct err *e);
bool err_is_retryable(const struct err *e);
/* Borrowed; "" when there is none. */
const char *err_text(const struct err *e);
const char *err_api_code(const struct err *e);
const char *err_request_id(const struct err *e);
const char *err_hint(const struct err *e);
/* The process's exit status for this error (DESIGN, section 6). */
int err_exit_status(const struct err *e);

/* Drops an error on purpose; `why` is for the reader of the code. NULL is accepted. */
void err_ignore(struct err *e, const char *why);
void err_free(struct err *e);

static inline void auto_err(struct err **e)
{
    err_free(*e);
}

#endif
