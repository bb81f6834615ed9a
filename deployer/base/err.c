#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

struct err {
    enum err_kind kind;
    long code;
    bool is_retryable;
    char *text;
    char *api_code;
    char *request_id;
    char *hint;
};

static const struct {
    const char *name;
    int exit_status;
} kinds[] = {
    [ERR_USAGE] = { "usage", 64 },
    [ERR_CONFIG] = { "config", 65 },
    [ERR_NOINPUT] = { "noinput", 66 },
    [ERR_AUTH] = { "auth", 77 },
    [ERR_DENIED] = { "denied", 77 },
    [ERR_NET] = { "net", 69 },
    [ERR_TLS] = { "tls", 69 },
    [ERR_PROTO] = { "proto", 1 },
    [ERR_API] = { "api", 1 },
    [ERR_TIMEOUT] = { "timeout", 1 },
    [ERR_LIMIT] = { "limit", 65 },
    [ERR_PROTECT] = { "protect", 73 },
    [ERR_STALE] = { "stale", 74 },
    [ERR_LOCKED] = { "locked", 75 },
    [ERR_CANCELED] = { "canceled", 130 },
    [ERR_FAILED] = { "failed", 1 },
    [ERR_INTERNAL] = { "internal", 70 },
};
_Static_assert(ARRAY_LEN(kinds) == ERR_INTERNAL + 1, "one row a kind");

struct err *err_new(enum err_kind kind, long code, const char *fmt, ...)
{
    struct err *e = xcalloc(1, sizeof(*e));
    va_list ap;

    va_start(ap, fmt);
    e->text = xvasprintf(fmt, ap);
    va_end(ap);
    e->kind = kind;
    e->code = code;
    return e;
}

struct err *err_wrap(struct err *e, const char *fmt, ...)
{
    va_list ap;

    if (e == NULL)
        return NULL;
    va_start(ap, fmt);
    AUTO(free) char *context = xvasprintf(fmt, ap);
    va_end(ap);
    char *text = xasprintf("%s: %s", context, e->text);

    free(e->text);
    e->text = text;
    return e;
}

static enum err_kind kind_of(int errnum)
{
    if (errnum == ENOENT)
        return ERR_NOINPUT;
    return errnum == EACCES || errnum == EPERM || errnum == EROFS ? ERR_DENIED : ERR_INTERNAL;
}

struct err *err_errno(int errnum, const char *fmt, ...)
{
    char reason[128] = "";
    va_list ap;

    va_start(ap, fmt);
    AUTO(free) char *what = xvasprintf(fmt, ap);
    va_end(ap);
    return err_new(
            kind_of(errnum), errnum, "%s: %s", what, strerror_r(errnum, reason, sizeof(reason)));
}

struct err *err_copy(const struct err *e)
{
    struct err *copy = xcalloc(1, sizeof(*copy));

    *copy = (struct err){ .kind = e->kind,
        .code = e->code,
        .is_retryable = e->is_retryable,
        .text = xstrdup(e->text),
        .api_code = xstrdup(e->api_code),
        .request_id = xstrdup(e->request_id),
        .hint = xstrdup(e->hint) };
    return copy;
}

void err_set_retryable(struct err *e, bool is_retryable)
{
    e->is_retryable = is_retryable;
}

void err_set_api(struct err *e, const char *api_code, const char *request_id)
{
    free(e->api_code);
    free(e->request_id);
    e->api_code = xstrdup(api_code);
    e->request_id = xstrdup(request_id);
}

void err_set_hint(struct err *e, const char *fmt, ...)
{
    va_list ap;

    free(e->hint);
    va_start(ap, fmt);
    e->hint = xvasprintf(fmt, ap);
    va_end(ap);
}

enum err_kind err_kind(const struct err *e)
{
    return e->kind;
}

const char *err_kind_name(enum err_kind kind)
{
    return kinds[kind].name;
}

long err_code(const struct err *e)
{
    return e->code;
}

bool err_is_retryable(const struct err *e)
{
    return e->is_retryable;
}

static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

const char *err_text(const struct err *e)
{
    return or_empty(e->text);
}

const char *err_api_code(const struct err *e)
{
    return or_empty(e->api_code);
}

const char *err_request_id(const struct err *e)
{
    return or_empty(e->request_id);
}

const char *err_hint(const struct err *e)
{
    return or_empty(e->hint);
}

int err_exit_status(const struct err *e)
{
    if (e->kind == ERR_CANCELED && e->code != 0)
        return (int)e->code;
    return kinds[e->kind].exit_status;
}

void err_ignore(struct err *e, const char *why)
{
    (void)why;
    err_free(e);
}

void err_free(struct err *e)
{
    if (e == NULL)
        return;
    free(e->text);
    free(e->api_code);
    free(e->request_id);
    free(e->hint);
    free(e);
}
