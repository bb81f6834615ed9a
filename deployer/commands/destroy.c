/* deployer destroy: takes down everything that the state owns, and nothing else. */
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/num.h"
#include "commands/command.h"
#include "commands/context.h"
#include "commands/firstwrite.h"
#include "commands/runbook_set.h"
#include "commands/session.h"
#include "precheck/precheck.h"
#include "report/plan_text.h"
#include "report/progress.h"
#include "report/result_text.h"
#include "report/style.h"
#include "state/state.h"

static void add_data(const struct session *s, struct buf *out)
{
    const struct plan *p = engine_result(s->engine);
    size_t count = 0;

    for (size_t i = 0; i < p->count; i++) {
        if (!p->items[i].loses_data)
            continue;
        buf_addf(out, "%s%s", count == 0 ? "\nData that goes for good: " : ", ",
                p->items[i].address);
        count++;
    }
    if (count > 0)
        buf_add_char(out, '\n');
}

static struct err *show_plan(struct context *c, const struct session *s, const json_t *findings)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);
    const struct plan_text text = {
        .plan = engine_result(s->engine),
        .has_color = c->has_color,
        .width = style_width(STDOUT_FILENO),
        .is_destroy = true,
    };

    plan_text_write(&text, &out);
    add_data(s, &out);
    firstwrite_add_text(findings, c->has_color, &out);
    return context_write(c, "text", buf_str(&out));
}

/* Deleted, but kept by the service for a while: its name is taken until then. */
static void add_soft_deleted(const struct session *s, struct buf *out)
{
    bool has_head = false;

    for (size_t i = 0; i < engine_count(s->engine); i++) {
        const struct engine_node *n = engine_node(s->engine, i);

        if (!n->is_removed || n->kind->soft_delete == NULL || n->item->action != PLAN_DELETE)
            continue;
        if (!has_head)
            buf_add_text(out, "\nStays as soft-deleted (its name is taken until it is purged):\n");
        has_head = true;
        buf_addf(out, "  %s  %s\n", n->address, n->id);
    }
}

static struct err *print_result(
        struct context *c, const struct session *s, const json_t *findings, int64_t elapsed_ms)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);

    result_text_write(s->engine, elapsed_ms, c->has_color, &out);
    add_soft_deleted(s, &out);
    TRY(context_write(c, "text", buf_str(&out)));
    if (!context_wants(c, "json"))
        return NULL;
    json_auto_t *json = jsonx_must(json_pack("{s:i, s:o, s:O, s:o, s:f}", "format_version", 1,
            "plan", plan_json(engine_result(s->engine)), "checks", findings, "results",
            result_json(s->engine), "seconds", (double)elapsed_ms / 1000));

    return context_write_json(c, json);
}

static struct err *carry_out(struct context *c, struct session *s, const json_t *findings)
{
    const int64_t began = clock_now_ms();

    progress_attach(s->progress, s->engine);
    AUTO(err) struct err *failed = engine_apply(s->engine, false);

    progress_attach(s->progress, NULL);
    runbook_set_hint(c, s->engine);
    TRY(print_result(c, s, findings, clock_now_ms() - began));
    return TAKE(failed);
}

static struct err *run(int argc, char **argv)
{
    AUTO(context) struct context c = { 0 };
    AUTO(session) struct session s = { 0 };
    const char *auth = NULL;
    const char *lock_timeout = NULL;
    int64_t lock_timeout_ms = 0;
    struct firstwrite_options checks = { 0 };
    json_auto_t *findings = NULL;
    const struct context_option own[] = {
        { .name = "auth", .value = &auth },
        { .name = "lock-timeout", .value = &lock_timeout },
        { .name = "skip-checks", .flag = &checks.is_skipped },
    };

    TRY(context_parse(&c, argc, argv,
            &(struct context_spec){ .options = own,
                    .option_count = ARRAY_LEN(own),
                    .args_min = 1,
                    .args_max = 1,
                    .formats = "text json" }));
    if (lock_timeout != NULL)
        TRY(num_parse_duration_ms(str_of(lock_timeout), &lock_timeout_ms));
    TRY(session_open(&c,
            &(struct session_options){ .file = c.args[0],
                    .auth = auth,
                    .is_locked = true,
                    .lock_timeout_ms = lock_timeout_ms,
                    .is_without_secrets = true },
            &s));
    TRY(session_resume(&s));
    TRY(session_refresh(&s));
    TRY(engine_plan_destroy(s.engine));
    TRY(firstwrite_run(&s, &checks, &findings));
    TRY(show_plan(&c, &s, findings));
    TRY(precheck_refusal(findings, "deleted"));
    if (plan_has_changes(engine_result(s.engine)))
        TRY(context_confirm(&c, "Delete all of this?"));
    return carry_out(&c, &s, findings);
}

const struct command command_destroy = {
    .name = "destroy",
    .summary = "delete everything that the stack's state owns",
    .usage = "Usage: deployer destroy STACK [OPTIONS]\n\n"
             "Deletes in reverse order what this stack made or took over. What is named as "
             "existing\n"
             "is not touched; a resource group goes only if it is ours and holds nothing else.\n\n"
             "Options:\n"
             "      --skip-checks        without the checks before the first delete (rights, "
             "locks)\n"
             "      --lock-timeout TIME  waits for the state's lock\n"
             "      --auth NAME          forces a login\n" CONTEXT_USAGE,
    .run = run,
};
