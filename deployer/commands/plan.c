/* deployer plan: what apply would do. Reads, and changes nothing. */
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "commands/command.h"
#include "commands/context.h"
#include "commands/guard.h"
#include "commands/marker.h"
#include "commands/firstwrite.h"
#include "commands/session.h"
#include "commands/verdict.h"
#include "report/html_plan.h"
#include "report/plan_text.h"
#include "report/style.h"
#include "state/state.h"

struct options {
    const char *save;
    const char *auth;
    const char *fail_on;
    bool has_detailed_status;
    bool has_drift;
    bool is_taken_over;
    struct firstwrite_options checks;
};

static struct err *save(const struct session *s, const char *file)
{
    AUTO(free) char *digest = session_model_digest(s);
    const struct plan_basis basis = guard_basis(s, digest);
    json_auto_t *saved = plan_save(engine_result(s->engine), &basis);
    AUTO(free) char *text = jsonx_pretty(saved);

    return file_write_named(file, str_of(text), 0600);
}

static struct err *print(
        struct context *c, const struct session *s, const struct options *o, const json_t *findings)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);
    const struct plan_text text = {
        .plan = engine_result(s->engine),
        .has_color = c->has_color,
        .has_drift = o->has_drift,
        .width = style_width(STDOUT_FILENO),
    };

    plan_text_write(&text, &out);
    guard_add_warnings(s, &out);
    firstwrite_add_text(findings, c->has_color, &out);
    if (o->save != NULL)
        buf_addf(&out, "Saved: deployer apply %s --plan %s does exactly this\n", c->args[0],
                o->save);
    TRY(context_write(c, "text", buf_str(&out)));
    json_auto_t *json = plan_json(engine_result(s->engine));

    if (context_wants(c, "html")) {
        buf_clear(&out);
        report_html_plan(json, &out);
        TRY(context_write(c, "html", buf_str(&out)));
    }
    if (!context_wants(c, "json"))
        return NULL;

    json_object_set(json, "checks", (json_t *)(uintptr_t)findings);
    return context_write_json(c, json);
}

static struct err *run(int argc, char **argv)
{
    AUTO(context) struct context c = { 0 };
    AUTO(session) struct session s = { 0 };
    struct options o = { 0 };
    const struct context_option own[] = {
        { .name = "save", .value = &o.save },
        { .name = "auth", .value = &o.auth },
        { .name = "detailed-exitcode", .flag = &o.has_detailed_status },
        { .name = "drift", .flag = &o.has_drift },
        VERDICT_FAIL_ON(&o.fail_on),
        { .name = "take-over", .flag = &o.is_taken_over },
        FIRSTWRITE_OPTIONS(o.checks),
    };

    TRY(context_parse(&c, argc, argv,
            &(struct context_spec){ .options = own,
                    .option_count = ARRAY_LEN(own),
                    .args_min = 1,
                    .args_max = 1,
                    .formats = "text json html" }));
    TRY(firstwrite_check_options(&o.checks));
    TRY(session_open(&c,
            &(struct session_options){
                    .file = c.args[0], .auth = o.auth, .is_checked = true, .fail_on = o.fail_on },
            &s));
    json_auto_t *findings = NULL;

    TRY(firstwrite_prepare(&s, &o.checks));
    TRY(session_refresh(&s));
    TRY(marker_check(&s, o.is_taken_over));
    TRY(engine_plan(s.engine));
    TRY(firstwrite_run(&s, &o.checks, &findings));
    TRY(print(&c, &s, &o, findings));
    if (o.save != NULL)
        TRY(save(&s, o.save));
    /* No error, but an exit status of its own: as Terraform's. */
    return o.has_detailed_status && plan_has_changes(engine_result(s.engine))
                   ? err_new(ERR_CANCELED, 2, "%s", "")
                   : NULL;
}

const struct command command_plan = {
    .name = "plan",
    .summary = "show what apply would do",
    .usage = "Usage: deployer plan STACK [OPTIONS]\n\n"
             "Shows what apply would create, change, replace and delete, and what that costs in\n"
             "downtime and data. Reads only, and needs no lock.\n\n"
             "Options:\n"
             "      --save FILE          keeps the plan: apply --plan FILE does exactly it, once\n"
             "      --detailed-exitcode  exit status 2 when something would change\n"
             "      --drift              also what others changed, with properties the stack does "
             "not set\n"
             "      --fail-on SEVERITY   of the checks before anything is asked (validate): error\n"
             "                           (default), warn or note\n"
             "      --take-over          although the group is marked by another "
             "state\n" FIRSTWRITE_USAGE "      --auth NAME          forces a login\n" CONTEXT_USAGE,
    .run = run,
};
