/* deployer apply: makes the cloud match the file. */
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "base/num.h"
#include "commands/command.h"
#include "commands/context.h"
#include "commands/guard.h"
#include "commands/marker.h"
#include "commands/names.h"
#include "commands/firstwrite.h"
#include "commands/runbook_set.h"
#include "commands/session.h"
#include "commands/verdict.h"
#include "precheck/precheck.h"
#include "report/plan_text.h"
#include "report/progress.h"
#include "report/result_text.h"
#include "report/style.h"
#include "state/state.h"

#define PLAN_FILE_MAX (64u << 20)

struct options {
    const char *plan_file;
    const char *auth;
    const char *lock_timeout;
    const char *fail_on;
    struct guard_consent consent;
    bool is_taken_over;
    struct firstwrite_options checks;
};

static struct plan_text text_of(const struct context *c, const struct session *s)
{
    return (struct plan_text){
        .plan = engine_result(s->engine),
        .has_color = c->has_color,
        .width = style_width(STDOUT_FILENO),
    };
}

/* ---- the plan ---- */

static struct err *check_saved(struct session *s, const json_t *saved)
{
    AUTO(free) char *digest = session_model_digest(s);
    const struct plan_basis basis = guard_basis(s, digest);

    return plan_check_stale(saved, engine_result(s->engine), &basis);
}

static struct err *make_plan(struct session *s, const struct options *o)
{
    json_auto_t *saved = NULL;

    if (o->plan_file != NULL) {
        AUTO(buf) struct buf text = BUF_INIT(PLAN_FILE_MAX);

        TRY(file_read(o->plan_file, PLAN_FILE_MAX, &text));
        TRY(plan_load(buf_str(&text), o->plan_file, &saved));
        TRY(guard_adopt_saved(s, saved));
    }
    TRY(firstwrite_prepare(s, &o->checks));
    if (saved == NULL)
        TRY(session_resume(s));
    TRY(session_refresh(s));
    TRY(marker_check(s, o->is_taken_over));
    TRY(engine_plan(s->engine));
    return saved == NULL ? NULL : check_saved(s, saved);
}

static struct err *show_plan(struct context *c, const struct session *s, const json_t *findings)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);
    const struct plan_text text = text_of(c, s);

    plan_text_write(&text, &out);
    firstwrite_add_text(findings, c->has_color, &out);
    return context_write(c, "text", buf_str(&out));
}

static struct err *ask(
        struct context *c, const struct session *s, const struct options *o, const json_t *findings)
{
    AUTO(err) struct err *refused = guard_check(s, &o->consent);

    if (refused == NULL)
        refused = precheck_refusal(findings, "written");

    if (refused != NULL)
        return TAKE(refused);
    /* A saved plan was looked at when it was made. */
    if (o->plan_file != NULL || !plan_has_changes(engine_result(s->engine)))
        return NULL;
    return context_confirm(c, "Carry this out?");
}

/* ---- carrying it out ---- */

static struct err *begin(struct session *s)
{
    TRY(guard_record_fixed(s));
    names_record(s->state, s->context->model);
    return NULL;
}

static struct err *print_text(struct context *c, struct session *s, int64_t elapsed_ms,
        const json_t *outputs, const json_t *notes)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);

    result_text_write(s->engine, elapsed_ms, c->has_color, &out);
    if (json_object_size(outputs) > 0) {
        buf_add_char(&out, '\n');
        style_add(&out, c->has_color, STYLE_BOLD, "Outputs");
        buf_add_char(&out, '\n');
        result_text_outputs(outputs, c->has_color, &out);
    }
    if (json_array_size(notes) > 0) {
        buf_add_char(&out, '\n');
        result_text_notes(notes, style_width(STDOUT_FILENO), c->has_color, &out);
    }
    return context_write(c, "text", buf_str(&out));
}

/* Values with marks in the words that people and machines are shown. */
static json_t *shown_outputs(const json_t *outputs)
{
    json_t *all = jsonx_must(json_object());
    const char *name = NULL;
    json_t *one = NULL;

    json_object_foreach ((json_t *)(uintptr_t)outputs, name, one)
        json_object_set_new(all, name,
                jsonx_bool(one, "secret", false) ? jsonx_must(json_string("(secret)"))
                                                 : jsonx_copy(json_object_get(one, "value")));
    return all;
}

static struct err *print_json(struct context *c, struct session *s, int64_t elapsed_ms,
        const json_t *outputs, const json_t *notes)
{
    json_auto_t *json = jsonx_must(json_pack("{s:i, s:o, s:o, s:o, s:O, s:f}", "format_version", 1,
            "plan", plan_json(engine_result(s->engine)), "results", result_json(s->engine),
            "outputs", shown_outputs(outputs), "notes", notes, "seconds",
            (double)elapsed_ms / 1000));

    return context_write_json(c, json);
}

/* Outputs and notes are an addition: where they can't be had, the apply stands all the same. */
static void gather(struct session *s, json_t **ret_outputs, json_t **ret_notes)
{
    *ret_outputs = NULL;
    *ret_notes = NULL;
    err_ignore(session_outputs(s, ret_outputs), "after a failed apply some are not known");
    err_ignore(session_notes(s, ret_notes), "likewise");
    if (*ret_outputs == NULL)
        *ret_outputs = jsonx_must(json_object());
    if (*ret_notes == NULL)
        *ret_notes = jsonx_must(json_array());
}

/* What may not be read may differ from the file: a pipeline must not take that for done. */
static struct err *check_compared(const struct session *s)
{
    const size_t count = engine_result(s->engine)->counts[PLAN_UNKNOWN];

    if (count == 0)
        return NULL;
    struct err *e = err_new(ERR_DENIED, 0,
            "%zu of the stack's resources may not be read and were not compared", count);

    err_set_hint(e, "give the login Reader on the resource group; the plan above names each");
    return e;
}

static struct err *carry_out(struct context *c, struct session *s, const struct options *o)
{
    const int64_t began = clock_now_ms();
    json_auto_t *outputs = NULL;
    json_auto_t *notes = NULL;

    TRY(begin(s));
    progress_attach(s->progress, s->engine);
    AUTO(err) struct err *failed = engine_apply(s->engine, o->plan_file != NULL);

    progress_attach(s->progress, NULL);
    runbook_set_hint(c, s->engine);
    if (failed == NULL || err_kind(failed) == ERR_FAILED) {
        gather(s, &outputs, &notes);
    } else {
        outputs = jsonx_must(json_object());
        notes = jsonx_must(json_array());
    }
    const int64_t elapsed = clock_now_ms() - began;

    TRY(print_text(c, s, elapsed, outputs, notes));
    if (context_wants(c, "json"))
        TRY(print_json(c, s, elapsed, outputs, notes));
    return failed != NULL ? TAKE(failed) : check_compared(s);
}

static struct err *run(int argc, char **argv)
{
    AUTO(context) struct context c = { 0 };
    AUTO(session) struct session s = { 0 };
    struct options o = { 0 };
    int64_t lock_timeout_ms = 0;
    json_auto_t *findings = NULL;
    const struct context_option own[] = {
        { .name = "plan", .value = &o.plan_file },
        { .name = "auth", .value = &o.auth },
        { .name = "lock-timeout", .value = &o.lock_timeout },
        VERDICT_FAIL_ON(&o.fail_on),
        { .name = "allow-replace", .list = &o.consent.replace },
        { .name = "allow-data-loss", .list = &o.consent.data_loss },
        { .name = "allow-adopt", .list = &o.consent.adopt },
        { .name = "take-over", .flag = &o.is_taken_over },
        FIRSTWRITE_OPTIONS(o.checks),
    };

    TRY(context_parse(&c, argc, argv,
            &(struct context_spec){ .options = own,
                    .option_count = ARRAY_LEN(own),
                    .args_min = 1,
                    .args_max = 1,
                    .formats = "text json" }));
    TRY(firstwrite_check_options(&o.checks));
    if (o.lock_timeout != NULL)
        TRY(num_parse_duration_ms(str_of(o.lock_timeout), &lock_timeout_ms));
    TRY(session_open(&c,
            &(struct session_options){ .file = c.args[0],
                    .auth = o.auth,
                    .is_locked = true,
                    .lock_timeout_ms = lock_timeout_ms,
                    .is_checked = true,
                    .fail_on = o.fail_on },
            &s));
    TRY(make_plan(&s, &o));
    TRY(firstwrite_run(&s, &o.checks, &findings));
    TRY(show_plan(&c, &s, findings));
    TRY(guard_check_fixed(&s, &o.consent));
    TRY(ask(&c, &s, &o, findings));
    TRY(firstwrite_carry_out(&s, findings));
    return carry_out(&c, &s, &o);
}

const struct command command_apply = {
    .name = "apply",
    .summary = "make the cloud match the stack file",
    .usage =
            "Usage: deployer apply STACK [OPTIONS]\n\n"
            "Shows the plan, asks, and carries it out side by side. What fails holds up only what\n"
            "needs it. A run that was ended is taken up by the next.\n\n"
            "Options:\n"
            "      --plan FILE          does exactly the plan that plan --save kept, once\n"
            "      --allow-replace NAME     lets a resource be deleted and made again; "
            "repeatable\n"
            "      --allow-data-loss NAME   lets its data go; repeatable\n"
            "      --allow-adopt NAME       takes over what is there and not ours; repeatable\n"
            "      --fail-on SEVERITY   of the checks before anything is touched (validate): "
            "error\n"
            "                           (default), warn or note\n"
            "      --take-over          although the group is marked by another "
            "state\n" FIRSTWRITE_USAGE "      --lock-timeout TIME  waits for the state's lock\n"
            "      --auth NAME          forces a login\n" CONTEXT_USAGE,
    .run = run,
};
