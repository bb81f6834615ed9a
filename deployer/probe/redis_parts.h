/*
 * redis_parts.h - what the files of the redis probe share.
 */
#ifndef PROBE_REDIS_PARTS_H
#define PROBE_REDIS_PARTS_H

#include <stdbool.h>

#include "probe/conn.h"
#include "probe/probe.h"
#include "probe/resp.h"

struct redis_dialog {
    const struct probe_job *job;
    json_t *evidence;
    struct conn conn;
    struct resp_reader *reader;
    const char *last_step; /* "connect", "handshake", "auth", "ping": for redis.closed_after */
    bool is_broken;        /* the stream ended or spoke something else */
};

/* A command; false after probe_failed where no reply came. */
bool redis_call(struct redis_dialog *d, const char *step, const struct str *args, size_t count,
        json_t **ret);
/* AUTH where the target has a password: redis.auth. False: not logged in. */
bool redis_authenticate(struct redis_dialog *d);
/* Reads an INFO answer into redis.* facts. */
void redis_record_info(const struct probe_job *job, json_t *evidence, struct str info);
/* CLUSTER INFO and SLOTS, and each node reached: redis.cluster_*, redis.nodes*. False: stream
 * broken. */
bool redis_record_cluster(struct redis_dialog *d);
/* After a close: whether the other of TLS and plaintext answers, and whether the server name
 * matters. */
void redis_explain_close(struct redis_dialog *d);

static inline void auto_redis_dialog(struct redis_dialog *d)
{
    conn_close(&d->conn);
    resp_reader_free(d->reader);
}

#endif
