/*
 * deployer bootstrap: makes what a remote state and a pipeline's login need, as a stack of its own:
 * services/bootstrap says what it is, the engine makes it. A second run changes nothing.
 */
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "catalog/model.h"
#include "commands/command.h"
#include "commands/context.h"
#include "commands/firstwrite.h"
#include "commands/guard.h"
#include "commands/session.h"
#include "precheck/precheck.h"
#include "report/plan_text.h"
#include "report/progress.h"
#include "report/result_text.h"
#include "report/style.h"
#include "stack/stack.h"
#include "state/state.h"

/* The service of the catalog that is applied. */
#define SERVICE "bootstrap"
#define STACK_FILE_MAX (1u << 20)

struct options {
    const char *auth;
    const char *github;
    const char *pipelines;
    const char *organization_id;
    const char *grant;
    struct context_list branches;
    struct context_list environments;
    bool has_pull_requests;
    struct firstwrite_options checks;
};

/* ---- the stack that is applied ---- */

static void set_text(json_t *j, const char *key, const char *value)
{
    if (value != NULL && value[0] != '\0')
        json_object_set_new(j, key, jsonx_must(json_string(value)));
}

static void add_all(json_t *with, const char *key, const struct context_list *list)
{
    json_t *all = json_object_get(with, key);

    if (all == NULL) {
        all = jsonx_must(json_array());
        json_object_set_new(with, key, all);
    }
    for (size_t i = 0; i < list->count; i++) {
        json_auto_t *one = jsonx_must(json_string(list->items[i]));
        bool is_there = false;

        for (size_t k = 0; k < json_array_size(all); k++)
            is_there = is_there || json_equal(json_array_get(all, k), one) == 1;
        if (!is_there)
            json_array_append(all, one);
    }
}

/*
 * What an earlier run was told stays: a run for another environment, or with fewer options, adds
 * and takes nothing away. Who wants less edits the file.
 */
static json_t *inputs_json(const struct context *c, const struct options *o, const json_t *old)
{
    const json_t *before = jsonx_at(old, "services." SERVICE ".with");
    json_t *with = before == NULL ? jsonx_must(json_object()) : jsonx_copy(before);
    const struct context_list main_alone = { .items = &(const char *){ "main" }, .count = 1 };
    const bool names_none =
            o->branches.count == 0 && o->environments.count == 0 && !o->has_pull_requests;

    json_object_set_new(with, "stack", jsonx_must(json_string(c->model->stack)));
    json_object_set_new(with, "environment", jsonx_must(json_string(c->model->environment)));
    set_text(with, "github", o->github);
    set_text(with, "pipelines", o->pipelines);
    set_text(with, "organization_id", o->organization_id);
    set_text(with, "grant", o->grant);
    add_all(with, "branches", names_none && o->github != NULL ? &main_alone : &o->branches);
    add_all(with, "environments", &o->environments);
    if (o->has_pull_requests)
        json_object_set_new(with, "pull_requests", json_true());
    return with;
}

/* JSON is YAML: the file can be read, kept, and applied by itself. */
static struct err *write_stack(const struct context *c, const struct options *o, const char *file)
{
    const struct model *m = c->model;
    json_auto_t *old = NULL;

    if (file_exists(file))
        err_ignore(jsonx_load_file(file, STACK_FILE_MAX, &old), "then it is written anew");
    /* Where it is, it stays, although another environment is elsewhere. */
    const char *location = jsonx_text(old, "location");
    json_t *azure = jsonx_must(json_pack("{s:s, s:o}", "subscription", m->subscription,
            "resource_group", jsonx_textf("rg-%s-state", m->stack)));

    set_text(azure, "tenant", m->tenant);
    json_auto_t *stack = jsonx_must(json_pack("{s:i, s:o, s:s, s:o, s:{s:{s:s, s:o}}}", "deployer",
            1, "stack", jsonx_textf("%s-state", m->stack), "location",
            location == NULL ? m->location : location, "azure", azure, "services", SERVICE, "use",
            SERVICE, "with", inputs_json(c, o, old)));
    AUTO(free) char *text = jsonx_pretty(stack);
    AUTO(free) char *dir = file_dirname(file);

    TRY(file_make_dir(dir, 0700));
    return file_write_named(file, str_of(text), 0644);
}

/* The login's variables may stand in the .env beside the stack; the generated one has none. */
static void keep_login(const struct context *c)
{
    static const char *const names[] = { "AZURE_TENANT_ID", "AZURE_CLIENT_ID",
        "AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PASSWORD",
        "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST", "AZURE_RESOURCE_MANAGER_ENDPOINT" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *value = stack_env(c->stack, names[i]);

        if (value != NULL && setenv(names[i], value, 1) != 0)
            die_oom();
    }
}

/* From here on the context is the generated stack's. */
static struct err *enter(struct context *c, const struct options *o, const char **ret_file)
{
    TRY(session_load_model(c, c->args[0]));
    keep_login(c);
    /* One a subscription, for all of the stack's environments there. */
    AUTO(free)
    char *base = xasprintf(".deployer/bootstrap-%s-%.8s", c->model->stack, c->model->subscription);
    AUTO(free) char *name = xasprintf("%s.yaml", base);
    AUTO(free) char *file = file_join(c->stack->dir, name);
    AUTO(free) char *state = xasprintf("%s.json", base);
    AUTO(free) char *state_file = file_join(c->stack->dir, state);

    TRY(write_stack(c, o, file));
    c->environment = NULL;
    c->vars = (struct context_list){ 0 };
    c->suffix = NULL;
    c->ids = NULL;
    c->labels = NULL;
    /* By name, as in CI: what is lost with it is found again and taken over. */
    c->state_url = arena_text(c->arena, state_file);
    *ret_file = arena_text(c->arena, file);
    return NULL;
}

/* ---- plan and apply ---- */

static struct err *plan(struct session *s, const struct options *o, json_t **ret_findings)
{
    TRY(firstwrite_prepare(s, &o->checks));
    TRY(session_resume(s));
    TRY(session_refresh(s));
    TRY(engine_plan(s->engine));
    return firstwrite_run(s, &o->checks, ret_findings);
}

static struct err *show(struct context *c, const struct session *s, const json_t *findings)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);
    const struct plan_text text = { .plan = engine_result(s->engine),
        .has_color = c->has_color,
        .width = style_width(STDOUT_FILENO) };

    plan_text_write(&text, &out);
    firstwrite_add_text(findings, c->has_color, &out);
    return context_write(c, "text", buf_str(&out));
}

/* What an earlier bootstrap made is ours, whatever became of its state. */
static struct err *agree(struct context *c, const struct session *s, const json_t *findings)
{
    const char *all = "all";
    const struct guard_consent consent = { .adopt = { .items = &all, .count = 1 } };

    TRY(guard_check(s, &consent));
    TRY(precheck_refusal(findings, "written"));
    return plan_has_changes(engine_result(s->engine)) ? context_confirm(c, "Carry this out?")
                                                      : NULL;
}

static struct err *apply(struct session *s, const json_t *findings)
{
    TRY(firstwrite_carry_out(s, findings));
    if (s->context->model->suffix != NULL)
        state_set(s->state, "suffix", jsonx_must(json_string(s->context->model->suffix)));
    progress_attach(s->progress, s->engine);
    struct err *e = engine_apply(s->engine, false);

    progress_attach(s->progress, NULL);
    return e;
}

/* ---- what to set ---- */

static void add_block(struct buf *out, const json_t *outputs, const char *name, const char *title)
{
    AUTO(free) char *key = xasprintf("%s.%s", SERVICE, name);
    const char *value = jsonx_text(json_object_get(outputs, key), "value");
    struct str rest = str_of(value);

    if (value == NULL)
        return;
    buf_addf(out, "\n%s\n", title);
    while (rest.p != NULL && rest.len > 0) {
        const struct str line = str_cut(&rest, '\n');

        buf_addf(out, "  %.*s\n", STR_ARG(line));
    }
}

static struct err *tell(struct context *c, struct session *s)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);
    json_auto_t *outputs = NULL;
    json_auto_t *notes = NULL;

    TRY(session_outputs(s, &outputs));
    TRY(session_notes(s, &notes));
    const char *url = jsonx_text(json_object_get(outputs, SERVICE ".state"), "value");

    buf_addf(&out,
            "\nIn the stack file (a role just given takes up to ten minutes to count):\n"
            "  state: %s\n",
            url == NULL ? "" : url);
    add_block(&out, outputs, "client_id", "AZURE_CLIENT_ID of the pipeline:");
    add_block(&out, outputs, "tenant_id", "AZURE_TENANT_ID:");
    add_block(&out, outputs, "subscription_id", "AZURE_SUBSCRIPTION_ID:");
    add_block(&out, outputs, "github_workflow", "For .github/workflows/deploy.yaml:");
    add_block(&out, outputs, "azure_pipeline", "For azure-pipelines.yml:");
    if (json_array_size(notes) > 0) {
        buf_add_char(&out, '\n');
        result_text_notes(notes, style_width(STDOUT_FILENO), c->has_color, &out);
    }
    TRY(context_write(c, "text", buf_str(&out)));
    if (!context_wants(c, "json"))
        return NULL;
    json_auto_t *json = jsonx_must(json_pack("{s:i, s:o, s:O, s:O, s:O}", "format_version", 1,
            "plan", plan_json(engine_result(s->engine)), "outputs", outputs, "notes", notes,
            "state", json_object_get(json_object_get(outputs, SERVICE ".state"), "value")));

    return context_write_json(c, json);
}

static struct err *check_options(const struct options *o)
{
    if (o->pipelines != NULL && o->organization_id == NULL)
        return err_new(ERR_USAGE, 0,
                "--azure-pipelines needs --organization-id, the GUID that is in the issuer which "
                "the "
                "service connection shows");
    if (o->github == NULL
            && (o->branches.count > 0 || o->environments.count > 0 || o->has_pull_requests))
        return err_new(
                ERR_USAGE, 0, "--branch, --ci-environment and --pull-requests need --github");
    return NULL;
}

static struct err *run(int argc, char **argv)
{
    AUTO(context) struct context c = { 0 };
    AUTO(session) struct session s = { 0 };
    struct options o = { 0 };
    json_auto_t *findings = NULL;
    const char *file = NULL;
    const struct context_option own[] = {
        { .name = "auth", .value = &o.auth },
        { .name = "github", .value = &o.github },
        { .name = "branch", .list = &o.branches },
        { .name = "ci-environment", .list = &o.environments },
        { .name = "pull-requests", .flag = &o.has_pull_requests },
        { .name = "azure-pipelines", .value = &o.pipelines },
        { .name = "organization-id", .value = &o.organization_id },
        { .name = "grant", .value = &o.grant },
        FIRSTWRITE_OPTIONS(o.checks),
    };

    TRY(context_parse(&c, argc, argv,
            &(struct context_spec){ .options = own,
                    .option_count = ARRAY_LEN(own),
                    .args_min = 1,
                    .args_max = 1,
                    .formats = "text json" }));
    TRY(check_options(&o));
    TRY(enter(&c, &o, &file));
    TRY(session_open(
            &c, &(struct session_options){ .file = file, .auth = o.auth, .is_locked = true }, &s));
    TRY(plan(&s, &o, &findings));
    TRY(show(&c, &s, findings));
    TRY(agree(&c, &s, findings));
    TRY(apply(&s, findings));
    return tell(&c, &s);
}

const struct command command_bootstrap = {
    .name = "bootstrap",
    .summary = "make the storage for a remote state and a pipeline's login",
    .usage = "Usage: deployer bootstrap STACK [OPTIONS]\n\n"
             "Makes, in a resource group of its own (rg-STACK-state), the storage account and\n"
             "container for the stack's state, and for a pipeline an identity with federated\n"
             "credentials, so that no secret is stored. Prints what to set. A second run changes\n"
             "nothing.\n\n"
             "Options:\n"
             "      --github OWNER/REPO     a GitHub repository may log in as the identity:\n"
             "      --branch NAME           from this branch (default main); repeatable\n"
             "      --ci-environment NAME   from this deployment environment; repeatable\n"
             "      --pull-requests         from pull requests\n"
             "      --azure-pipelines ORGANIZATION/PROJECT/CONNECTION  a service connection may\n"
             "      --organization-id GUID  of that organization\n"
             "      --grant WHERE           subscription: the identity may deploy there (default: "
             "none)\n" FIRSTWRITE_USAGE
             "      --auth NAME             forces a login\n" CONTEXT_USAGE,
    .run = run,
};
