/*
 * tls_session.h - a TLS connection that records everything about its handshake as facts tls.* and
 * lets the caller go on even where verification failed: what is behind a bad certificate is
 * evidence too. OpenSSL. One thread a session.
 */
#ifndef PROBE_TLS_SESSION_H
#define PROBE_TLS_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"
#include "probe/probe.h"

struct tls_session;

/* VERIFY_CA: who signed it counts, not for whom (libpq's verify-ca). */
enum tls_mode { TLS_MODE_OFF, TLS_MODE_REQUIRE, TLS_MODE_VERIFY_CA, TLS_MODE_VERIFY };

struct tls_options {
    enum tls_mode mode;
    const char *check_name; /* name or address that the certificate must hold */
    const char *sni;        /* server name to send, NULL: none */
    int max_version;        /* TLS1_2_VERSION to try that alone; 0: the best */
};

/* The target's `tls`, or `otherwise` where it has none. */
enum tls_mode tls_mode_of(const json_t *target, enum tls_mode otherwise);
/*
 * Handshakes on a connected non-blocking socket (borrowed; the session does not close it) and
 * records tls.*. False after probe_failed: no handshake, or not verified as the mode wants; a
 * session is handed out all the same when there was a handshake.
 */
bool tls_session_open(const struct probe_job *job, json_t *evidence, int fd,
        const struct tls_options *o, struct tls_session **ret);
/* The options that a target's host, tls, server_name say. */
struct tls_options tls_options_of(const json_t *target, enum tls_mode otherwise);
bool tls_session_send(struct tls_session *s, struct str bytes, int64_t deadline_ms);
/* As net_recv; a TLS alert gives -1 with errno EPROTO. */
ssize_t tls_session_recv(struct tls_session *s, void *p, size_t len, int64_t deadline_ms);
/* The last alert received, 0 if there was none. */
int tls_session_alert(const struct tls_session *s);
/* Sends no close_notify: the socket goes with its owner. NULL is accepted. */
void tls_session_free(struct tls_session *s);
/* A handshake without facts: "ok", "failed", "closed", "timeout"; a static text. */
const char *tls_try(
        const struct probe_job *job, int fd, const struct tls_options *o, int64_t deadline_ms);

static inline void auto_tls(struct tls_session **s)
{
    tls_session_free(*s);
}

#endif
