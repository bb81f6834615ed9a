/*
 * conn.h - a probe's byte stream, in plaintext or over TLS, from a target: resolved, connected,
 * handshaken, with the facts of each step.
 */
#ifndef PROBE_CONN_H
#define PROBE_CONN_H

#include "probe/net.h"
#include "probe/tls_session.h"

struct conn {
    int fd;                  /* -1 when closed */
    struct tls_session *tls; /* NULL in plaintext */
    struct net_addresses addresses;
};

#define CONN_INIT                                                                                  \
    {                                                                                              \
        .fd = -1                                                                                   \
    }

/* From the target. False after probe_failed; where only verification failed the stream is open all
 * the same. */
bool conn_open(const struct probe_job *job, json_t *evidence, uint16_t default_port,
        enum tls_mode default_tls, struct conn *ret);
/* A second stream to the same address without facts; `tls` NULL: plaintext. False: not open. */
bool conn_open_again(const struct probe_job *job, const struct conn *first,
        const struct tls_options *tls, struct conn *ret);
bool conn_send(struct conn *c, struct str bytes, int64_t deadline_ms);
/* As net_recv. */
ssize_t conn_recv(struct conn *c, void *p, size_t len, int64_t deadline_ms);
void conn_close(struct conn *c);

static inline void auto_conn(struct conn *c)
{
    conn_close(c);
}

#endif
