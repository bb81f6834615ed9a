/*
 * tcp.c - the tcp probe: a connection, and what the peer says by itself within a moment.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/jsonx.h"
#include "probe/net.h"

/* Servers that greet do so at once; waiting longer would slow every healthy check. */
#define GREETING_MS 200

static void run(const struct probe_job *job, json_t *evidence)
{
    AUTO(fd) int fd = net_dial(job, evidence, 0);
    char bytes[256];

    if (fd < 0)
        return;
    const int64_t until_ms = clock_now_ms() + GREETING_MS;
    const ssize_t n = net_recv(
            fd, bytes, sizeof(bytes), until_ms < job->deadline_ms ? until_ms : job->deadline_ms);

    if (n > 0) {
        probe_fact_text(
                job, evidence, "tcp.first_bytes", (struct str){ .p = bytes, .len = (size_t)n });
    } else if (n == 0 || errno != ETIMEDOUT) {
        probe_fact(
                evidence, "tcp.closed_at_once", jsonx_must(json_string(n == 0 ? "eof" : "reset")));
        probe_failed(job, evidence, n == 0 ? "EOF" : "ECONNRESET",
                STR("the connection was closed as soon as it was open"));
    }
}

const struct probe probe_tcp = {
    .name = "tcp",
    .summary = "a TCP connection",
    .run = run,
};
