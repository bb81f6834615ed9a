/*
 * tcp.c - the tcp probe: a connection, and who speaks there: the peer by itself, or in answer to
 * the first message of one of the protocols that are known here.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/jsonx.h"
#include "probe/hello.h"
#include "probe/net.h"

/* Servers that greet do so at once; waiting longer would slow every healthy check. */
#define GREETING_MS 200
static int64_t sooner(int64_t a_ms, int64_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

static void run(const struct probe_job *job, json_t *evidence)
{
    const char *host = jsonx_text(job->target, "host");
    const int64_t port = jsonx_int(job->target, "port", 0);
    struct net_addresses addresses;
    char bytes[256];

    if (host == NULL || host[0] == '\0' || port < 1 || port > 65535) {
        probe_failed(job, evidence, "target", STR("the target has no host and port"));
        return;
    }
    if (!net_resolve(job, evidence, host, (uint16_t)port, &addresses))
        return;
    AUTO(fd) int fd = net_connect(job, evidence, &addresses);

    if (fd < 0)
        return;
    const ssize_t n = net_recv(
            fd, bytes, sizeof(bytes), sooner(clock_now_ms() + GREETING_MS, job->deadline_ms));

    if (n > 0) {
        probe_fact_text(
                job, evidence, "tcp.first_bytes", (struct str){ .p = bytes, .len = (size_t)n });
    } else if (n < 0 && errno == ETIMEDOUT) {
        const size_t used = json_array_size(jsonx_at(evidence, "tcp.attempts"));

        hello_try_all(job, evidence, &addresses.items[used > 0 ? used - 1 : 0]);
    } else {
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
