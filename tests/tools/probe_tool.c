/*
 * probe_tool - runs one probe on a target and prints its evidence: probe_tool PROBE TARGET-JSON
 * [MEMBER=SECRET]... For tests of probes that no URL reaches (deployer probe).
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "probe/probe.h"

#define SECRETS_MAX 4

int main(int argc, char **argv)
{
    json_auto_t *target = NULL;
    struct probe_net net = { .resolver = getenv("PROBE_RESOLVER"), .ca_file = getenv("PROBE_CA") };
    struct probe_secret secrets[SECRETS_MAX];
    size_t count = 0;
    struct err *e = argc < 3 ? err_new(ERR_USAGE, 0, "probe_tool PROBE TARGET [MEMBER=SECRET]...")
                             : jsonx_load(str_of(argv[2]), "target", &target);

    if (e != NULL) {
        fprintf(stderr, "%s\n", err_text(e));
        err_free(e);
        return 64;
    }
    signal(SIGPIPE, SIG_IGN);
    for (int i = 3; i < argc && count < SECRETS_MAX; i++) {
        struct str value = str_of(argv[i]);
        const struct str member = str_cut(&value, '=');

        secrets[count++] =
                (struct probe_secret){ .member = str_dup(member), .value = secret_new(value) };
    }
    const struct probe_job job = { .probe = argv[1],
        .target = target,
        .secrets = secrets,
        .secret_count = count,
        .net = &net,
        .deadline_ms = clock_now_ms() + jsonx_int(target, "timeout_s", 10) * 1000 };
    json_auto_t *evidence = probe_run(&job);
    AUTO(free) char *text = jsonx_pretty(evidence);

    fputs(text, stdout);
    for (size_t i = 0; i < count; i++) {
        secret_unref(secrets[i].value);
        free((void *)(uintptr_t)secrets[i].member);
    }
    return 0;
}
