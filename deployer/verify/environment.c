#include "verify/environment.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/num.h"
#include "base/text.h"
#include "probe/endpoint.h"
#include "runbook/condition.h"

struct reading {
    struct arena *arena;
    const json_t *rules;
    json_t *values; /* NAME -> text; an empty value counts as absent, as the applications read it */
    struct environment *ret;
};

/* --- problems ------------------------------------------------------------------------------ */

static json_t *problem_evidence(
        const char *problem, const char *variable, const char *text, const char *fix)
{
    json_t *evidence = jsonx_must(json_pack("{s:{s:s, s:b, s:s, s:s, s:s}, s:{s:s}}", "probe",
            "name", "environment", "ok", 0, "step", "environment", "error", text, "vantage", "here",
            "target", "host", variable));

    probe_fact(evidence, "env.problem", jsonx_textf("%s", problem));
    probe_fact(evidence, "env.variable", jsonx_textf("%s", variable));
    probe_fact(evidence, "env.text", jsonx_textf("%s", text));
    if (fix != NULL)
        probe_fact(evidence, "env.fix", jsonx_textf("%s", fix));
    return evidence;
}

static void add_problem(struct reading *r, const char *service, const char *problem,
        const char *variable, const char *text, const char *fix)
{
    AUTO(free) char *name = xasprintf("environment.%s", variable);

    json_array_append_new(r->ret->problems,
            jsonx_must(json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:o, s:[]}", "name", name,
                    "service", service, "probe", "environment", "status", "fail", "reason", text,
                    "vantage", "here", "duration_ms", 0, "evidence",
                    problem_evidence(problem, variable, text, fix), "findings")));
}

static bool matches(const char *text, const char *pattern)
{
    regex_t re;

    if (pattern == NULL || regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    const bool is_match = regexec(&re, text, 0, NULL, 0) == 0;

    regfree(&re);
    return is_match;
}

/* Rules that look at each value by itself. */
static void judge_values(struct reading *r)
{
    size_t i = 0;
    json_t *rule = NULL;
    const char *name = NULL;
    json_t *value = NULL;

    json_array_foreach (json_object_get(r->rules, "values"), i, rule) {
        json_object_foreach (r->values, name, value) {
            if (!matches(json_string_value(value), jsonx_text(rule, "matches")))
                continue;
            AUTO(free) char *text = xasprintf("%s %s", name, jsonx_text(rule, "text"));

            add_problem(r, "environment", jsonx_text(rule, "problem"), name, text, NULL);
        }
    }
}

static bool holds(const struct reading *r, const json_t *when)
{
    return when == NULL || condition_eval(when, r->values) == TRUTH_TRUE;
}

static void judge_relations(struct reading *r)
{
    size_t i = 0;
    json_t *rule = NULL;

    json_array_foreach (json_object_get(r->rules, "problems"), i, rule) {
        if (holds(r, json_object_get(rule, "when")))
            add_problem(r, jsonx_text(rule, "service"), jsonx_text(rule, "problem"),
                    jsonx_text(rule, "variable"), jsonx_text(rule, "text"),
                    jsonx_text(rule, "fix"));
    }
}

/* --- targets ------------------------------------------------------------------------------- */

/* The first of the names that has a value, or NULL. */
static const char *first_set(const struct reading *r, const json_t *names)
{
    size_t i = 0;
    json_t *name = NULL;

    json_array_foreach ((json_t *)(uintptr_t)names, i, name) {
        if (json_object_get(r->values, json_string_value(name)) != NULL)
            return json_string_value(name);
    }
    return NULL;
}

static const char *value_of(const struct reading *r, const char *name)
{
    return name == NULL ? NULL : jsonx_text(r->values, name);
}

/* A URL variable as an endpoint; `schemes` tells which of its schemes mean another one here. */
static bool read_url(struct reading *r, const char *service, const json_t *schemes,
        const char *name, struct endpoint *ret)
{
    const struct str url = str_of(value_of(r, name));
    const ptrdiff_t colon = str_find(url, STR("://"));
    AUTO(free) char *scheme = str_dup(str_slice(url, 0, colon < 0 ? 0 : (size_t)colon));
    const char *means = jsonx_text(schemes, scheme);
    AUTO(buf) struct buf text = { .max_bytes = URI_BYTES_MAX * 2, .is_secret = true };

    buf_add_text(&text, means == NULL ? scheme : means);
    buf_add_str(&text, colon < 0 ? url : str_slice(url, (size_t)colon, url.len));
    struct err *e = endpoint_parse(buf_str(&text), &(struct endpoint_options){ .ca = NULL }, ret);

    if (e == NULL)
        return true;
    AUTO(free) char *what = xasprintf("%s: %s", name, err_text(e));

    err_free(e);
    add_problem(r, service, "unparsable", name, what, NULL);
    return false;
}

/* HOST:PORT, the first of a list. */
static void read_node(struct reading *r, const json_t *spec, struct endpoint *e)
{
    struct str rest = str_of(value_of(r, first_set(r, json_object_get(spec, "nodes"))));
    struct str node = str_cut(&rest, ',');
    const struct str host = str_cut(&node, ':');
    int64_t port = 0;

    if (host.len == 0 || node.p == NULL)
        return;
    struct err *bad = num_parse_i64(str_trim(node), 1, 65535, &port);

    if (bad == NULL) {
        json_object_set_new(e->target, "host", text_json(host));
        json_object_set_new(e->target, "port", json_integer(port));
    }
    err_ignore(bad, "a rule of the data names a list of another form");
}

static bool is_secret_member(const struct reading *r, const char *member)
{
    size_t i = 0;
    json_t *name = NULL;

    json_array_foreach (json_object_get(r->rules, "secrets"), i, name) {
        if (text_eq(json_string_value(name), member))
            return true;
    }
    return false;
}

static void disagree(struct reading *r, const char *service, const char *url, const char *part,
        const char *member)
{
    AUTO(free)
    char *text = xasprintf("%s and %s name another %s: which one counts depends on the program",
            url, part, member);

    add_problem(r, service, "disagree", part, text, NULL);
}

/* A part that is a secret: kept apart; with a URL that has one too, they are compared. */
static void take_secret(struct reading *r, struct endpoint *e, struct verify_job *job,
        const char *service, const char *member, const char *url, const char *part)
{
    struct secret *own = secret_new(str_of(value_of(r, part)));

    if (text_eq(member, "password") && e->password != NULL) {
        if (url != NULL && !secret_equal(e->password, own))
            disagree(r, service, url, part, member);
        secret_unref(own);
        return;
    }
    job->members[job->secret_count] = xstrdup(member);
    job->secrets[job->secret_count] =
            (struct probe_secret){ .member = job->members[job->secret_count], .value = own };
    job->secret_count++;
}

static json_t *typed(const char *member, const char *text)
{
    int64_t port = 0;

    if (!text_eq(member, "port"))
        return jsonx_textf("%s", text);
    struct err *e = num_parse_i64(str_of(text), 1, 65535, &port);
    const bool is_number = e == NULL;

    err_ignore(e, "a port that is none stays a text, and the probe says so");
    return is_number ? json_integer(port) : jsonx_textf("%s", text);
}

static void take_parts(struct reading *r, const char *service, const json_t *spec, const char *url,
        struct endpoint *e, struct verify_job *job)
{
    const bool is_compared = jsonx_bool(spec, "compare", false);
    const char *member = NULL;
    json_t *names = NULL;

    json_object_foreach (json_object_get(spec, "parts"), member, names) {
        const char *part = first_set(r, names);
        const json_t *said = json_object_get(e->target, member);

        if (part == NULL)
            continue;
        if (is_secret_member(r, member)) {
            if (job->secret_count < VERIFY_SECRETS_MAX)
                take_secret(r, e, job, service, member, is_compared ? url : NULL, part);
            continue;
        }
        json_auto_t *own = typed(member, value_of(r, part));

        if (said == NULL)
            json_object_set(e->target, member, own);
        else if (url != NULL && is_compared && json_equal(said, own) == 0)
            disagree(r, service, url, part, member);
    }
}

/* Members that are not there yet (values), or that hold from now on (set). */
static void apply_settings(struct reading *r, const json_t *spec, struct endpoint *e)
{
    size_t i = 0;
    json_t *set = NULL;
    const json_t *said = json_object_get(spec, "values");
    json_auto_t *defaults = said == NULL ? NULL : jsonx_copy(said);

    if (defaults != NULL)
        json_object_update_missing(e->target, defaults);
    json_t *client = json_object_get(e->target, "client");

    json_array_foreach (json_object_get(spec, "set"), i, set) {
        const json_t *values = json_object_get(set, "values");
        const char *key = NULL;
        json_t *value = NULL;

        if (!holds(r, json_object_get(set, "when")))
            continue;
        json_object_foreach ((json_t *)(uintptr_t)values, key, value) {
            if (json_is_object(value) && client != NULL && text_eq(key, "client"))
                json_object_update(client, value);
            else
                json_object_set(e->target, key, value);
        }
    }
    if (jsonx_text(spec, "path") != NULL)
        json_object_set(e->target, "path", json_object_get(spec, "path"));
}

static void add_job(struct reading *r, const char *service, const json_t *spec, struct endpoint *e,
        struct verify_job *job)
{
    if (jsonx_text(e->target, "host") == NULL)
        return;
    if (e->password != NULL && job->secret_count < VERIFY_SECRETS_MAX) {
        job->members[job->secret_count] = xstrdup("password");
        job->secrets[job->secret_count] =
                (struct probe_secret){ .member = job->members[job->secret_count],
                    .value = secret_ref(e->password) };
        job->secret_count++;
    }
    const char *probe = e->probe != NULL ? e->probe : jsonx_text(spec, "probe");

    struct check *check = arena_alloc(r->arena, sizeof(*check));

    *check = (struct check){ .name = arena_printf(r->arena, "%s.%s", service, probe),
        .service = arena_text(r->arena, service),
        .probe = arena_text(r->arena, probe) };
    job->check = check;
    job->target = json_incref(e->target);
    job->timeout_ms = VERIFY_TIMEOUT_MS;
    r->ret->jobs.items[r->ret->jobs.count++] = *job;
    *job = (struct verify_job){ .check = NULL };
}

static void release_job(struct verify_job *job)
{
    for (size_t i = 0; i < job->secret_count; i++) {
        secret_unref(job->secrets[i].value);
        free(job->members[i]);
    }
}

/* The other URL of one server. */
static void join_second(struct reading *r, const char *service, const json_t *spec, const char *url,
        const char *join, struct endpoint *e)
{
    const json_t *joined = json_object_get(spec, "joined");
    const bool is_special = joined != NULL && holds(r, json_object_get(joined, "when"));
    AUTO(endpoint) struct endpoint other = { .target = NULL };

    if (!read_url(r, service, json_object_get(is_special ? joined : spec, "schemes"), join, &other)
            || endpoint_join(e, &other))
        return;
    const bool same_host = text_eq(jsonx_text(e->target, "host"), jsonx_text(other.target, "host"));

    disagree(r, service, url, join, same_host ? "protocol or TLS setting" : "host");
}

static void add_target(struct reading *r, const char *service, const json_t *spec)
{
    AUTO(endpoint) struct endpoint e = { .target = NULL };
    struct verify_job job = { .check = NULL };
    const char *url = first_set(r, json_object_get(spec, "url"));
    const char *join = first_set(r, json_object_get(spec, "join"));

    if (!holds(r, json_object_get(spec, "when")))
        return;
    if (url != NULL && !read_url(r, service, json_object_get(spec, "schemes"), url, &e))
        return;
    if (url != NULL && join != NULL)
        join_second(r, service, spec, url, join, &e);
    if (e.target == NULL)
        e.target = jsonx_must(json_object());
    read_node(r, spec, &e);
    take_parts(r, service, spec, url, &e, &job);
    apply_settings(r, spec, &e);
    /* Two names of one probe: the data's word counts ("http" that is ClickHouse was joined). */
    if (jsonx_text(spec, "probe") != NULL)
        e.probe = jsonx_text(spec, "probe");
    add_job(r, service, spec, &e, &job);
    release_job(&job);
}

struct err *environment_read(struct arena *arena, const json_t *rules,
        const struct environment_value *values, size_t count, struct environment *ret)
{
    json_auto_t *known = jsonx_must(json_object());
    struct reading r = { .arena = arena, .rules = rules, .values = known, .ret = ret };
    const char *service = NULL;
    json_t *spec = NULL;

    if (jsonx_int(rules, "format", 0) != 1 || !json_is_object(json_object_get(rules, "targets")))
        return err_new(ERR_INTERNAL, 0, "the rules for environments have another form");
    ret->problems = jsonx_must(json_array());
    ret->jobs.items =
            xcalloc(json_object_size(json_object_get(rules, "targets")), sizeof(*ret->jobs.items));
    for (size_t i = 0; i < count; i++) {
        if (values[i].value[0] != '\0')
            json_object_set_new(known, values[i].name, text_json(str_of(values[i].value)));
    }
    judge_values(&r);
    judge_relations(&r);
    json_object_foreach (json_object_get(rules, "targets"), service, spec) {
        add_target(&r, service, spec);
    }
    return NULL;
}

void environment_release(struct environment *e)
{
    json_decref(e->problems);
    e->problems = NULL;
    verify_jobs_release(&e->jobs);
}
