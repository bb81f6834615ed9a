/*
 * tls.c - the tls probe: a handshake, the certificate, and a moment to see whether the peer closes
 * right after it (a refusal of client certificates comes only then with TLS 1.3).
 */
#include <errno.h>

#include "base/clock.h"
#include "base/jsonx.h"
#include "probe/net.h"
#include "probe/tls_session.h"

#define AFTER_HANDSHAKE_MS 150

static void watch_for_close(const struct probe_job *job, json_t *evidence, struct tls_session *s)
{
    const int64_t until_ms = clock_now_ms() + AFTER_HANDSHAKE_MS;
    char byte = 0;
    const ssize_t n = tls_session_recv(
            s, &byte, 1, until_ms < job->deadline_ms ? until_ms : job->deadline_ms);

    if (tls_session_alert(s) != 0)
        probe_fact(evidence, "tls.alert", json_integer(tls_session_alert(s)));
    if (n > 0 || (n < 0 && errno == ETIMEDOUT))
        return;
    probe_fact(evidence, "tls.closed_after_handshake",
            jsonx_must(json_string(n == 0 ? "eof" : "reset")));
    probe_failed(job, evidence, n == 0 ? "EOF" : "ECONNRESET",
            STR("the peer closed right after a good TLS handshake"));
}

/* Whether the same address accepts a client that sends no server name. */
static void try_without_sni(const struct probe_job *job, json_t *evidence, struct tls_options o)
{
    json_auto_t *aside = jsonx_must(json_object());
    AUTO(fd) int fd = net_dial(job, aside, 443);

    if (fd < 0)
        return;
    o.sni = NULL;
    probe_fact(evidence, "tls.without_sni",
            jsonx_must(json_string(tls_try(job, fd, &o, job->deadline_ms))));
}

static void run(const struct probe_job *job, json_t *evidence)
{
    AUTO(fd) int fd = net_dial(job, evidence, 443);
    AUTO(tls) struct tls_session *s = NULL;
    const struct tls_options o = tls_options_of(job->target, TLS_MODE_VERIFY);

    if (fd < 0)
        return;
    tls_session_open(job, evidence, fd, &o, &s);
    if (s == NULL)
        return;
    watch_for_close(job, evidence, s);
    if (o.sni != NULL)
        try_without_sni(job, evidence, o);
}

const struct probe probe_tls = {
    .name = "tls",
    .summary = "a TLS handshake and the certificate",
    .run = run,
};
