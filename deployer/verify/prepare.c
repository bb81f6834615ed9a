/*
 * prepare.c - from a model's checks to jobs: targets resolved, secrets taken out of them.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "verify/verify.h"

static bool is_wanted(const struct check *c, const struct verify_options *o)
{
    for (size_t i = 0; i < o->only_count; i++) {
        if (text_eq(o->only[i], c->service) || text_eq(o->only[i], c->name))
            return true;
    }
    return o->only_count == 0;
}

/* Every --only must name something: a typo would otherwise check nothing and pass. */
static struct err *check_only(const struct model *m, const struct verify_options *o)
{
    for (size_t i = 0; i < o->only_count; i++) {
        const struct verify_options one = { .only = &o->only[i], .only_count = 1 };
        bool is_found = false;

        for (size_t k = 0; k < m->check_count && !is_found; k++)
            is_found = is_wanted(&m->checks[k], &one);
        if (is_found)
            continue;
        const char **names = xcalloc(m->check_count * 2 + 1, sizeof(*names));

        for (size_t k = 0; k < m->check_count; k++) {
            names[k * 2] = m->checks[k].service;
            names[k * 2 + 1] = m->checks[k].name;
        }
        const char *meant = text_suggest(str_of(o->only[i]), names, m->check_count * 2);
        struct err *e = err_new(ERR_USAGE, 0,
                "--only %s: no service or check of this stack has that name%s%s%s", o->only[i],
                meant == NULL ? "" : " (did you mean ", meant == NULL ? "" : meant,
                meant == NULL ? "" : "?)");

        free(names);
        return e;
    }
    return NULL;
}

static void skip(struct verify_job *job, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void skip(struct verify_job *job, const char *fmt, ...)
{
    char *formatted = NULL;
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&formatted, fmt, ap) < 0)
        die_oom();
    va_end(ap);
    free(job->skip);
    job->skip = formatted;
}

/* Moves {"$secret": N} members of the target to the job's secrets. */
static void take_secrets(struct verify_job *job, const struct secret_table *secrets)
{
    void *next = NULL;
    const char *member = NULL;
    json_t *value = NULL;

    json_object_foreach_safe (job->target, next, member, value) {
        const json_t *number = json_object_get(value, "$secret");
        const size_t n = (size_t)json_integer_value(number);

        if (!json_is_integer(number))
            continue;
        if (n < secrets->count && job->secret_count < VERIFY_SECRETS_MAX) {
            job->members[job->secret_count] = xstrdup(member);
            job->secrets[job->secret_count] = (struct probe_secret){
                .member = job->members[job->secret_count],
                .value = secret_ref(secrets->entries[n].value),
            };
            job->secret_count++;
        }
        json_object_del(job->target, member);
    }
}

/* Why the check's service, or one that it needs, has no process behind it; NULL. */
static const char *not_running(
        const struct model *m, const struct check *c, const struct verify_source *source)
{
    const char *why = source->not_running(source->arg, c->service);
    const json_t *needs = json_object_get(json_object_get(m->services, c->service), "needs");
    const char *name = NULL;
    json_t *needed = NULL;

    json_object_foreach ((json_t *)(uintptr_t)needs, name, needed) {
        if (why == NULL && json_is_string(needed))
            why = source->not_running(source->arg, json_string_value(needed));
    }
    return why;
}

static void prepare_job(const struct model *m, const struct check *c,
        const struct verify_source *source, const struct verify_options *o, struct verify_job *job)
{
    const char *unknown = NULL;

    job->check = c;
    job->timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : VERIFY_TIMEOUT_MS;
    struct err *e = source->resolve(source->arg, c->target, &job->target);

    if (e != NULL) {
        job->broken = xstrdup(err_text(e));
        err_free(e);
        return;
    }
    if (expr_has_unknown(job->target, &unknown)) {
        skip(job, "not deployed yet: %s is not known", unknown == NULL ? "its target" : unknown);
        return;
    }
    take_secrets(job, source->secrets(source->arg));
    if (o->timeout_ms == 0 && jsonx_int(job->target, "timeout_s", 0) > 0)
        job->timeout_ms = jsonx_int(job->target, "timeout_s", 0) * 1000;
    if (c->tolerate != NULL && text_eq(m->target, "sandbox"))
        job->tolerated = xstrdup(not_running(m, c, source));
    if (job->tolerated != NULL && text_eq(c->probe, "control"))
        skip(job, "%s", job->tolerated);
}

struct err *verify_prepare(const struct model *m, const struct verify_source *source,
        const struct verify_options *o, struct verify_jobs *ret)
{
    AUTO(verify_jobs) struct verify_jobs jobs = { 0 };

    TRY(check_only(m, o));
    jobs.items = xcalloc(m->check_count, sizeof(jobs.items[0]));
    for (size_t i = 0; i < m->check_count; i++) {
        if (!is_wanted(&m->checks[i], o))
            continue;
        prepare_job(m, &m->checks[i], source, o, &jobs.items[jobs.count++]);
    }
    *ret = jobs;
    jobs = (struct verify_jobs){ 0 };
    return NULL;
}

void verify_stack_facts(struct verify_jobs *jobs, const struct model *m)
{
    for (size_t i = 0; i < jobs->count; i++) {
        if (jobs->items[i].evidence != NULL)
            probe_fact(jobs->items[i].evidence, "stack.target", jsonx_textf("%s", m->target));
    }
}

void verify_jobs_release(struct verify_jobs *jobs)
{
    for (size_t i = 0; i < jobs->count; i++) {
        struct verify_job *job = &jobs->items[i];

        for (size_t k = 0; k < job->secret_count; k++) {
            secret_unref(job->secrets[k].value);
            free(job->members[k]);
        }
        json_decref(job->target);
        json_decref(job->evidence);
        free(job->skip);
        free(job->tolerated);
        free(job->broken);
        free(job->reason);
    }
    free(jobs->items);
    *jobs = (struct verify_jobs){ 0 };
}
