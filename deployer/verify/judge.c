#include "verify/judge.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "runbook/condition.h"

static const char *const status_names[] = { "pass", "fail", "warn", "skip" };
_Static_assert(ARRAY_LEN(status_names) == VERIFY_SKIP + 1, "one name a status");

const char *verify_status_name(enum verify_status status)
{
    return status_names[status];
}

static bool fact_is(const json_t *evidence, const char *path, const char *word)
{
    return text_eq(json_string_value(jsonx_at(evidence, path)), word);
}

/*
 * Whether a private check failed only because this machine is outside of the network: the private
 * name is unknown or public here, or the private address can't be reached. Where an address map is
 * on, everything is within reach.
 */
static const char *not_reachable(const struct verify_job *job, const struct verify_options *o)
{
    const json_t *e = job->evidence;

    if (!job->check->is_private || o->net->map.count > 0 || o->is_inside)
        return NULL;
    if (fact_is(e, "probe.step", "dns")) {
        if (json_is_true(jsonx_at(e, "dns.any_public")))
            return "not reachable from here: the name has a public address outside of the network";
        return "not reachable from here: the private name is not known outside of the network";
    }
    if (json_is_true(jsonx_at(e, "dns.all_private"))
            && (fact_is(e, "tcp.status", "timeout") || fact_is(e, "tcp.status", "unreachable")))
        return "not reachable from here: nothing leads to the private address";
    if (json_is_true(jsonx_at(e, "dns.any_public")) && !json_is_true(jsonx_at(e, "probe.ok")))
        return "not reachable from here: the name has a public address outside of the network";
    return NULL;
}

static void set(struct verify_job *job, enum verify_status status, const char *reason)
{
    char *copy = xstrdup(reason);

    free(job->reason);
    job->status = status;
    job->reason = copy;
}

/* A port that nobody serves, and the time in which something in between would have answered. */
#define CANARY_PORT 9
#define CANARY_MS 500

/*
 * Some networks lead every connection to a proxy of theirs. Whoever answers at the private address
 * on a port where nothing is, is not the service; what it says is nobody's fault.
 */
static bool is_intercepted(const struct verify_job *job, const struct verify_options *o)
{
    const char *address = json_string_value(jsonx_at(job->evidence, "tcp.address"));

    if (!job->check->is_private || o->net->map.count > 0 || address == NULL
            || !fact_is(job->evidence, "tcp.status", "ok")
            || !json_is_true(jsonx_at(job->evidence, "dns.all_private")))
        return false;
    json_auto_t *target = jsonx_must(json_pack("{s:s, s:i}", "host", address, "port", CANARY_PORT));
    const struct probe_job canary = {
        .probe = "tcp", .target = target, .net = o->net, .deadline_ms = clock_now_ms() + CANARY_MS
    };
    json_auto_t *evidence = probe_run(&canary);

    return fact_is(evidence, "tcp.status", "ok");
}

static void judge_evidence(struct verify_job *job, const struct verify_options *o)
{
    const json_t *e = job->evidence;
    const bool is_ok = json_is_true(jsonx_at(e, "probe.ok"));
    const enum truth expected =
            job->check->expect == NULL ? TRUTH_TRUE : condition_eval(job->check->expect, e);
    const char *error = json_string_value(jsonx_at(e, "probe.error"));

    if (is_ok && expected == TRUTH_TRUE) {
        set(job, VERIFY_PASS, NULL);
        return;
    }
    const char *outside = is_ok ? NULL : not_reachable(job, o);

    if (!is_ok && outside == NULL && is_intercepted(job, o))
        outside = "not reachable from here: something in between answers for every address";
    if (outside != NULL) {
        probe_fact(job->evidence, "probe.reachable", json_false());
        set(job, VERIFY_SKIP, outside);
    } else if (!is_ok && job->tolerated != NULL) {
        set(job, VERIFY_SKIP, job->tolerated);
    } else if (is_ok) {
        set(job, VERIFY_FAIL,
                expected == TRUTH_FALSE ? "what was expected does not hold"
                                        : "what was expected could not be seen");
    } else {
        set(job, VERIFY_FAIL, error == NULL ? "failed" : error);
    }
}

void verify_judge(struct verify_job *job, const struct verify_options *o)
{
    if (job->broken != NULL)
        set(job, VERIFY_FAIL, job->broken);
    else if (job->skip != NULL)
        set(job, VERIFY_SKIP, job->skip);
    else
        judge_evidence(job, o);
    if (job->status == VERIFY_SKIP && o->is_require_all)
        job->status = VERIFY_FAIL;
}

/* Whether a private check passed at its private address: this machine is in the network. */
static bool is_answered_inside(const struct verify_job *job)
{
    return job->check->is_private && job->status == VERIFY_PASS
           && fact_is(job->evidence, "tcp.status", "ok")
           && json_is_true(jsonx_at(job->evidence, "dns.all_private"));
}

void verify_settle(struct verify_jobs *jobs, const struct verify_options *o)
{
    struct verify_options inside = *o;

    for (size_t i = 0; i < jobs->count; i++)
        inside.is_inside = inside.is_inside || is_answered_inside(&jobs->items[i]);
    for (size_t i = 0; i < jobs->count && inside.is_inside; i++) {
        struct verify_job *job = &jobs->items[i];

        if (!json_is_false(jsonx_at(job->evidence, "probe.reachable")))
            continue;
        json_object_del(json_object_get(job->evidence, "probe"), "reachable");
        verify_judge(job, &inside);
    }
}

size_t verify_count(const struct verify_jobs *jobs, enum verify_status status)
{
    size_t n = 0;

    for (size_t i = 0; i < jobs->count; i++)
        n += jobs->items[i].status == status;
    return n;
}

static void set_text(json_t *o, const char *key, const char *text)
{
    if (text != NULL)
        json_object_set_new(o, key, jsonx_textf("%s", text));
}

json_t *verify_checks_json(const struct verify_jobs *jobs)
{
    json_t *list = jsonx_must(json_array());

    for (size_t i = 0; i < jobs->count; i++) {
        const struct verify_job *job = &jobs->items[i];
        json_t *o = jsonx_must(json_object());

        set_text(o, "name", job->check->name);
        set_text(o, "service", job->check->service);
        set_text(o, "probe", job->check->probe);
        set_text(o, "status", verify_status_name(job->status));
        set_text(o, "reason", job->reason);
        set_text(o, "vantage", "here");
        json_object_set_new(o, "duration_ms", json_integer(job->duration_ms));
        json_object_set_new(
                o, "target", job->target == NULL ? json_object() : jsonx_copy(job->target));
        if (job->evidence != NULL)
            json_object_set_new(o, "evidence", jsonx_copy(job->evidence));
        json_object_set_new(o, "findings", json_array());
        json_array_append_new(list, o);
    }
    return list;
}
