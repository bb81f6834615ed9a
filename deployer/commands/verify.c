/*
 * verify - proves that what a stack describes works, by speaking each service's own protocol.
 */
#include "base/cancel.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "commands/command.h"
#include "commands/context.h"
#include "commands/control.h"
#include "commands/runbook_set.h"
#include "commands/session.h"
#include "commands/verdict.h"
#include "commands/verify_env.h"
#include "report/progress.h"
#include "state/state.h"
#include "verify/verify.h"

struct options {
    struct context_list only;
    const char *fail_on;
    const char *auth;
    const char *env_file;
    bool is_require_all;
    int64_t timeout_ms; /* of each check */
};

static struct err *resolve(void *arg, const json_t *doc, json_t **ret)
{
    return engine_resolve(((struct session *)arg)->engine, doc, ret);
}

static const struct secret_table *secrets(void *arg)
{
    return engine_secrets(((struct session *)arg)->engine);
}

/* What the last apply noted at the service's resources: "not running". */
static const char *not_running(void *arg, const char *service)
{
    const struct session *s = arg;
    const json_t *entries = json_object_get(state_document(s->state), "entries");
    const char *key = NULL;
    json_t *entry = NULL;

    json_object_foreach ((json_t *)(uintptr_t)entries, key, entry) {
        struct str rest = str_of(jsonx_text(entry, "address"));
        const struct str owner = str_cut(&rest, '.');

        if (jsonx_text(entry, "note") != NULL && str_eq(owner, str_of(service)))
            return jsonx_text(entry, "note");
    }
    return NULL;
}

/* The resources that the model has and the state has not: then there is nothing to verify yet. */
static bool is_deployed(const struct session *s)
{
    return json_object_size(json_object_get(state_document(s->state), "entries")) > 0;
}

static void set_stack(json_t *document, const struct model *m)
{
    json_object_set_new(document, "stack", jsonx_textf("%s", m->stack));
    json_object_set_new(document, "environment", jsonx_textf("%s", m->environment));
    json_object_set_new(document, "target", jsonx_textf("%s", m->target));
}

/* "9 of 14: redis.login, langfuse.trace" */
static void show(void *arg, const struct verify_progress *p)
{
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);

    buf_addf(&text, "%zu of %zu", p->done, p->of);
    for (size_t i = 0; i < p->running_count; i++)
        buf_addf(&text, "%s%s", i == 0 ? ": " : ", ", p->running[i]->name);
    progress_detail(arg, buf_text(&text));
}

static struct err *check_all(
        struct context *c, struct session *s, const struct options *o, json_t **ret)
{
    const struct probe_net net = { .resolver = s->dial.resolver,
        .map = s->dial.map == NULL ? (struct address_map){ .count = 0 } : *s->dial.map,
        .ca_file = s->ca_file };
    const struct verify_options options = { .only = o->only.items,
        .only_count = o->only.count,
        .timeout_ms = o->timeout_ms,
        .is_require_all = o->is_require_all,
        .net = &net };
    const struct verify_source source = {
        .arg = s, .resolve = resolve, .secrets = secrets, .not_running = not_running
    };
    AUTO(verify_jobs) struct verify_jobs jobs = { 0 };

    TRY(verify_prepare(c->model, &source, &options, &jobs));
    progress_stage(s->progress, "checking");
    verify_run(&jobs, &options, show, s->progress);
    progress_stage(s->progress, "asking the control plane");
    const struct control_source control = control_source_of(s, not_running);

    struct err *e = cancel_check();

    if (e == NULL)
        e = verify_control(&jobs, &control);
    progress_stage(s->progress, NULL);
    TRY(e);
    verify_stack_facts(&jobs, c->model);
    *ret = verify_checks_json(&jobs);
    return NULL;
}

static struct err *run(int argc, char **argv)
{
    AUTO(context) struct context c = { 0 };
    AUTO(session) struct session s = { 0 };
    struct options o = { 0 };
    struct runbooks set;
    json_auto_t *checks = NULL;
    const struct context_option own[] = {
        { .name = "only", .list = &o.only },
        VERDICT_FAIL_ON(&o.fail_on),
        { .name = "require-all", .flag = &o.is_require_all },
        { .name = "auth", .value = &o.auth },
        { .name = "env-file", .value = &o.env_file },
    };

    TRY(context_parse(&c, argc, argv,
            &(struct context_spec){ .options = own,
                    .option_count = ARRAY_LEN(own),
                    .args_max = 1,
                    .formats = VERDICT_FORMATS }));
    if ((o.env_file != NULL) == (c.arg_count == 1))
        return err_new(ERR_USAGE, 0, "verify: name a stack file, or --env-file FILE");
    if (o.env_file != NULL)
        return verify_env_file(&c, o.env_file, o.fail_on);
    o.timeout_ms = c.timeout_ms;
    c.timeout_ms = 0; /* here not of the whole run */
    TRY(runbook_set_load(&c, &set));
    TRY(session_open(&c, &(struct session_options){ .file = c.args[0], .auth = o.auth }, &s));
    if (!is_deployed(&s)) {
        struct err *e = err_new(ERR_CONFIG, 0, "%s: nothing is deployed yet", c.args[0]);

        err_set_hint(e, "deployer apply %s", c.args[0]);
        return e;
    }
    TRY(session_refresh(&s));
    const int64_t started_ms = clock_now_ms();

    TRY(check_all(&c, &s, &o, &checks));
    json_auto_t *document = verdict_document(&set, "verify", checks, clock_now_ms() - started_ms);

    set_stack(document, c.model);
    verdict_set_fail_on(document, o.fail_on);
    TRY(verdict_write(&c, document));
    return verdict_status(document);
}

const struct command command_verify = {
    .name = "verify",
    .summary = "prove that the stack works: DNS, TLS and each service's own protocol",
    .usage = "Usage: deployer verify STACK [OPTIONS]\n"
             "       deployer verify --env-file FILE [OPTIONS]\n"
             "\n"
             "Runs every check of the stack's services side by side. What fails is explained by a "
             "runbook.\n"
             "A check of a private endpoint that this machine can't reach is skipped, not failed.\n"
             "\n"
             "With --env-file the services are those that an application's variables name "
             "(DATABASE_URL, REDIS_HOST,\n"
             "CLICKHOUSE_URL ...): what disagrees in them is said, and what they lead to is "
             "probed.\n"
             "\n"
             "Options:\n"
             "      --env-file FILE      an application's variables instead of a stack\n"
             "      --only NAME          a service (redis) or a check (redis.login); repeatable\n"
             "      --require-all        what is skipped fails\n"
             "      --fail-on SEVERITY   of findings: error (default), warn or note\n"
             "      --auth NAME          forces a login\n"
             "With --timeout each check ends after that time (10s).\n" CONTEXT_USAGE,
    .run = run,
};
