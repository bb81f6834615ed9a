/*
 * resp.h - commands and replies of the Redis protocol (RESP2), the replies as JSON. hiredis' reader
 * does the decoding, with object functions of our own that keep what a hostile server may make us
 * allocate small (its own reserve 15 GB for "*2000000000").
 * Pure but for resp_call. Spec: https://redis.io/docs/latest/develop/reference/protocol-spec/
 *
 * Replies: status and bulk -> string, integer -> integer, nil -> null, array -> array, an error ->
 * {"error": "WRONGPASS invalid ..."}.
 */
#ifndef PROBE_RESP_H
#define PROBE_RESP_H

#include <stddef.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "probe/conn.h"

#define RESP_REPLY_MAX (1u << 20) /* bytes of one reply */
#define RESP_ELEMENTS_MAX 20000u  /* members of one array */

struct resp_reader;

MUST_CHECK struct resp_reader *resp_reader_new(void);
void resp_reader_free(struct resp_reader *r);
/*
 * Feeds bytes from outside. *ret is the next whole reply (owned) or NULL where more is needed.
 * Errors: ERR_PROTO not RESP; ERR_LIMIT more than we take. The reader is then dead.
 */
MUST_CHECK struct err *resp_reader_feed(struct resp_reader *r, struct str bytes, json_t **ret);

/* Adds a command as an array of bulk strings. */
void resp_add_command(struct buf *out, const struct str *args, size_t count);
/* The error's text, or NULL where the reply is none. Borrowed. */
const char *resp_error(const json_t *reply);

enum resp_outcome {
    RESP_ANSWERED,
    RESP_EOF,   /* the peer closed */
    RESP_RESET, /* the connection was reset, or writing failed for that */
    RESP_TIMEOUT,
    RESP_NOT_RESP, /* the peer speaks something else */
};

const char *resp_outcome_name(enum resp_outcome outcome);
/* One command and its reply (owned in *ret when RESP_ANSWERED). The command is wiped from memory
 * after sending. */
enum resp_outcome resp_call(struct conn *c, struct resp_reader *r, const struct str *args,
        size_t count, int64_t deadline_ms, json_t **ret);

static inline void auto_resp(struct resp_reader **r)
{
    resp_reader_free(*r);
}

#endif
