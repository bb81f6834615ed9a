/*
 * match.c - from evidence to findings: which runbooks hold, which of them only follow from another.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "runbook/condition.h"
#include "runbook/runbook.h"

/* How specific a match is: the number of conditions in it. */
static size_t weight(const json_t *conditions)
{
    const json_t *any = json_object_get(conditions, "any");
    size_t n = 0;
    size_t i = 0;
    json_t *c = NULL;

    if (any != NULL)
        return 1;
    if (!json_is_array(conditions))
        return 1;
    json_array_foreach ((json_t *)(uintptr_t)conditions, i, c) {
        n += weight(c);
    }
    return n;
}

struct match {
    const struct runbook *runbook;
    size_t weight;
};

static int by_importance(const void *va, const void *vb)
{
    const struct match *a = va;
    const struct match *b = vb;

    if (a->runbook->severity != b->runbook->severity)
        return a->runbook->severity < b->runbook->severity ? -1 : 1;
    if (a->runbook->rank != b->runbook->rank)
        return a->runbook->rank > b->runbook->rank ? -1 : 1;
    if (a->weight != b->weight)
        return a->weight > b->weight ? -1 : 1;
    if (a->runbook->is_likely != b->runbook->is_likely)
        return a->runbook->is_likely ? 1 : -1;
    return strcmp(a->runbook->id, b->runbook->id);
}

static bool explains(const struct runbook *cause, const char *id)
{
    for (size_t i = 0; i < cause->explains_count; i++) {
        if (text_eq(cause->explains[i], id))
            return true;
    }
    return false;
}

static bool is_consequence(const struct match *matches, size_t count, const struct runbook *r)
{
    for (size_t i = 0; i < count; i++) {
        /* Two that explain each other both stay. */
        if (explains(matches[i].runbook, r->id) && !explains(r, matches[i].runbook->id))
            return true;
    }
    return false;
}

static char *endpoint_of(const json_t *evidence)
{
    const char *host = json_string_value(jsonx_at(evidence, "target.host"));
    const json_t *port = jsonx_at(evidence, "target.port");
    const json_t *tcp_port = jsonx_at(evidence, "tcp.port");

    if (host == NULL)
        return xstrdup("");
    if (!json_is_integer(port))
        port = tcp_port;
    if (!json_is_integer(port))
        return xstrdup(host);
    return xasprintf("%s:%lld", host, (long long)json_integer_value(port));
}

static json_t *finding_of(
        const struct runbook *r, const json_t *evidence, const char *check, const char *service)
{
    json_auto_t *facts = jsonx_copy(evidence);
    json_t *quotes = jsonx_must(json_array());
    AUTO(free) char *endpoint = endpoint_of(evidence);

    if (service != NULL)
        json_object_set_new(facts, "service", jsonx_textf("%s", service));
    if (check != NULL)
        json_object_set_new(facts, "check", jsonx_textf("%s", check));
    AUTO(free) char *cause = runbook_fill(r->cause == NULL ? r->title : r->cause, facts);
    AUTO(free) char *fix = runbook_fill(r->fix, facts);
    const json_t *error = jsonx_at(evidence, "probe.error");

    condition_quote(r->when, evidence, quotes);
    if (json_is_string(error))
        json_array_append_new(quotes, jsonx_textf("%s", json_string_value(error)));
    json_t *f = jsonx_must(json_object());

    json_object_set_new(f, "runbook", jsonx_textf("%s", r->id));
    json_object_set_new(f, "title", jsonx_textf("%s", r->title));
    json_object_set_new(f, "severity", jsonx_textf("%s", runbook_severity_name(r->severity)));
    json_object_set_new(f, "certainty", jsonx_textf("%s", r->is_likely ? "likely" : "certain"));
    json_object_set_new(f, "cause", jsonx_textf("%s", cause));
    json_object_set_new(f, "fix", jsonx_textf("%s", fix));
    json_object_set_new(f, "evidence", quotes);
    json_object_set_new(f, "endpoint", jsonx_textf("%s", endpoint));
    json_object_set_new(f, "checks", json_array());
    if (check != NULL)
        json_array_append_new(json_object_get(f, "checks"), jsonx_textf("%s", check));
    if (service != NULL)
        json_object_set_new(f, "service", jsonx_textf("%s", service));
    return f;
}

json_t *runbook_match(
        const struct runbooks *set, const json_t *evidence, const char *check, const char *service)
{
    struct match *matches = xcalloc(set->count, sizeof(*matches));
    json_t *findings = jsonx_must(json_array());
    size_t count = 0;

    for (size_t i = 0; i < set->count; i++) {
        const struct runbook *r = &set->items[i];

        if (r->when != NULL && condition_eval(r->when, evidence) == TRUTH_TRUE)
            matches[count++] = (struct match){ .runbook = r, .weight = weight(r->when) };
    }
    if (count > 1)
        qsort(matches, count, sizeof(*matches), by_importance);
    for (size_t i = 0; i < count; i++) {
        if (!is_consequence(matches, count, matches[i].runbook))
            json_array_append_new(
                    findings, finding_of(matches[i].runbook, evidence, check, service));
    }
    free(matches);
    return findings;
}

/* The finding of the same runbook on the same host, or NULL. */
static json_t *same_finding(const json_t *list, const json_t *finding)
{
    const struct str endpoint = str_of(jsonx_text(finding, "endpoint"));
    struct str rest = endpoint;
    const struct str host = str_cut(&rest, ':');
    size_t i = 0;
    json_t *f = NULL;

    json_array_foreach ((json_t *)(uintptr_t)list, i, f) {
        struct str other = str_of(jsonx_text(f, "endpoint"));

        if (text_eq(jsonx_text(f, "runbook"), jsonx_text(finding, "runbook"))
                && str_eq(str_cut(&other, ':'), host))
            return f;
    }
    return NULL;
}

static void add_finding(json_t *list, const json_t *finding)
{
    json_t *there = same_finding(list, finding);

    if (there == NULL)
        json_array_append_new(list, jsonx_copy(finding));
    else
        json_array_extend(json_object_get(there, "checks"), json_object_get(finding, "checks"));
}

/* Whether some finding on the same service or host explains this one. */
static bool is_explained(const struct runbooks *set, const json_t *list, const json_t *finding)
{
    size_t i = 0;
    json_t *f = NULL;

    json_array_foreach ((json_t *)(uintptr_t)list, i, f) {
        const struct runbook *r = runbook_find(set, jsonx_text(f, "runbook"));
        const bool is_near = text_eq(jsonx_text(f, "service"), jsonx_text(finding, "service"))
                             || text_eq(jsonx_text(f, "endpoint"), jsonx_text(finding, "endpoint"));

        if (r != NULL && f != finding && is_near && explains(r, jsonx_text(finding, "runbook")))
            return true;
    }
    return false;
}

json_t *runbook_merge(const struct runbooks *set, const json_t *checks)
{
    json_auto_t *all = jsonx_must(json_array());
    json_t *list = jsonx_must(json_array());
    size_t i = 0;
    size_t k = 0;
    json_t *c = NULL;
    json_t *f = NULL;

    json_array_foreach ((json_t *)(uintptr_t)checks, i, c) {
        json_array_foreach (json_object_get(c, "findings"), k, f) {
            add_finding(all, f);
        }
    }
    /* Within one check they are in order; of several, what is broken comes before advice. */
    for (int severity = RUNBOOK_ERROR; severity <= RUNBOOK_NOTE; severity++) {
        json_array_foreach (all, i, f) {
            if (text_eq(jsonx_text(f, "severity"),
                        runbook_severity_name((enum runbook_severity)severity))
                    && !is_explained(set, all, f))
                json_array_append(list, f);
        }
    }
    return list;
}
