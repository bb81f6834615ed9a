/*
 * dns.c - the dns probe: only the name.
 */
#include "base/jsonx.h"
#include "probe/net.h"

static void run(const struct probe_job *job, json_t *evidence)
{
    const char *host = jsonx_text(job->target, "host");
    struct net_addresses addresses;

    if (host == NULL || host[0] == '\0') {
        probe_failed(job, evidence, "target", STR("the target has no host"));
        return;
    }
    if (!net_resolve(job, evidence, host, 0, &addresses))
        return;
    const json_t *expected = json_object_get(job->target, "expect_private");

    if (json_is_true(expected) && !json_is_true(jsonx_at(evidence, "dns.all_private"))
            && !json_is_true(jsonx_at(evidence, "dns.is_literal")))
        probe_failed(job, evidence, "public-address",
                STR("a private address was expected, a public one was answered"));
}

const struct probe probe_dns = {
    .name = "dns",
    .summary = "a name's addresses and the chain behind it",
    .run = run,
};
