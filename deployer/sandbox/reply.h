/*
 * reply.h - an answer before it is sent, and errors in Azure Resource Manager's form. Inside the
 * sandbox a refusal is an err of kind ERR_API: its code is the HTTP status, its API code ARM's.
 */
#ifndef SANDBOX_REPLY_H
#define SANDBOX_REPLY_H

#include <stdint.h>

#include <jansson.h>

#include "base/err.h"

#define REPLY_HEADERS_MAX 24u

enum reply_ending {
    REPLY_WHOLE,
    REPLY_RESET, /* the connection is cut before the first byte */
    REPLY_CUT,   /* ... in the middle of the body */
};

struct reply_header {
    char *name;
    char *value;
};

struct reply {
    int status;
    json_t *body; /* owned; NULL for none */
    char *text;   /* owned; sent instead of the body as it is */
    const char *content_type;
    struct reply_header headers[REPLY_HEADERS_MAX];
    size_t header_count;
    int64_t delay_ms;
    enum reply_ending ending;
};

void reply_release(struct reply *r);
/* Takes `body`, which may be NULL. */
void reply_json(struct reply *r, int status, json_t *body);
/* A second header of a name replaces the first. */
void reply_header(struct reply *r, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
const char *reply_find_header(const struct reply *r, const char *name);
/* Borrows `e`: {"error": {"code", "message"}} with its status; an err of another kind is a 500. */
void reply_error(struct reply *r, const struct err *e);

/* Compact, members in the order they have: clients get back what they sent as they sent it. Owned.
 */
MUST_CHECK char *reply_dump(const json_t *j);

/* A refusal. */
MUST_CHECK struct err *refuse(int status, const char *code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* {"code", "message"} of an err; owned. */
MUST_CHECK json_t *refusal_json(const struct err *e);

static inline void auto_reply(struct reply *r)
{
    reply_release(r);
}

#endif
