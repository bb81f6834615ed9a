#include "probe/probe.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/jsonx.h"
#include "base/text.h"

/* A check that speaks to nobody: what the control plane says of its resources is all there is. */
static void say_nothing(const struct probe_job *job, json_t *evidence)
{
    (void)job;
    probe_step(evidence, "control");
}

static const struct probe probe_control = {
    .name = "control",
    .summary = "nothing is sent; what the control plane says of the resources is the evidence",
    .run = say_nothing,
};

static const struct probe *const probes[] = { &probe_dns, &probe_tcp, &probe_tls, &probe_http,
    &probe_dialog, &probe_redis, &probe_clickhouse, &probe_postgres, &probe_blob, &probe_control,
    NULL };

const struct probe *probe_find(const char *name)
{
    for (size_t i = 0; probes[i] != NULL; i++) {
        if (text_eq(probes[i]->name, name))
            return probes[i];
    }
    return NULL;
}

const struct probe *const *probe_all(void)
{
    return probes;
}

struct secret *probe_secret(const struct probe_job *job, const char *member)
{
    for (size_t i = 0; i < job->secret_count; i++) {
        if (text_eq(job->secrets[i].member, member))
            return job->secrets[i].value;
    }
    return NULL;
}

void probe_fact(json_t *evidence, const char *path, json_t *value)
{
    if (value != NULL)
        jsonx_set_at(evidence, path, value);
}

void probe_fact_text(
        const struct probe_job *job, json_t *evidence, const char *path, struct str text)
{
    AUTO(buf) struct buf scrubbed = BUF_INIT(BUF_TEXT_MAX);
    AUTO(buf) struct buf shown = BUF_INIT(BUF_TEXT_MAX);

    (void)job;
    buf_add_str(&scrubbed, text);
    secret_scrub(&scrubbed);
    text_add_escaped(&shown, buf_str(&scrubbed));
    probe_fact(evidence, path, text_json(buf_str(&shown)));
}

void probe_step(json_t *evidence, const char *step)
{
    probe_fact(evidence, "probe.step", jsonx_must(json_string(step)));
}

void probe_failed(const struct probe_job *job, json_t *evidence, const char *code, struct str text)
{
    /* The first failure is the one that explains; what follows from it would only hide it. */
    if (json_is_false(jsonx_at(evidence, "probe.ok")))
        return;
    probe_fact(evidence, "probe.ok", json_false());
    if (code != NULL)
        probe_fact_text(job, evidence, "probe.error_code", str_of(code));
    probe_fact_text(job, evidence, "probe.error", text);
}

static bool is_address(const char *host)
{
    unsigned char raw[16];

    return host != NULL
           && (inet_pton(AF_INET, host, raw) == 1 || inet_pton(AF_INET6, host, raw) == 1);
}

/* What the target says, in the words of docs/probes.md. */
static void describe_target(const struct probe_job *job, json_t *evidence)
{
    static const char *const facts[] = { "target.host", "target.port", "target.native_port",
        "target.tls", "target.server_name", "target.scheme", "target.user", "target.path",
        "target.database", "target.url_has_userinfo", "target.container", "target.expect_private" };

    for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
        const json_t *v = json_object_get(job->target, facts[i] + strlen("target."));

        if (v != NULL && !json_is_null(v))
            probe_fact(evidence, facts[i], jsonx_copy(v));
    }
    const char *host = jsonx_text(job->target, "host");

    if (host != NULL)
        probe_fact(evidence, "target.host_is_ip", json_boolean(is_address(host)));
    probe_fact(
            evidence, "target.has_password", json_boolean(probe_secret(job, "password") != NULL));
    if (json_is_object(json_object_get(job->target, "client")))
        probe_fact(evidence, "client", jsonx_copy(json_object_get(job->target, "client")));
}

json_t *probe_run(const struct probe_job *job)
{
    const struct probe *p = probe_find(job->probe);
    json_t *evidence = jsonx_must(json_object());
    const int64_t started_ms = clock_now_ms();

    probe_fact(evidence, "probe.name", jsonx_must(json_string(job->probe)));
    probe_fact(evidence, "probe.ok", json_true());
    probe_fact(evidence, "probe.vantage", jsonx_must(json_string("here")));
    describe_target(job, evidence);
    if (p == NULL)
        probe_failed(job, evidence, "no-such-probe", STR("no probe of this name"));
    else
        p->run(job, evidence);
    probe_fact(evidence, "probe.duration_ms", json_integer(clock_now_ms() - started_ms));
    return evidence;
}
