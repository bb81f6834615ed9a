/* deployer env: the environment of a service's containers. */
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "catalog/expr.h"
#include "catalog/model.h"
#include "commands/command.h"
#include "commands/context.h"
#include "commands/env_file.h"
#include "commands/session.h"
#include "commands/verdict.h"
#include "report/dotenv_text.h"
#include "stack/stack.h"

#define ENV_FORMAT_VERSION 1

struct options {
    bool is_revealed, is_offline;
    const char *auth;
    const char *container; /* NULL: all */
    struct env_file_options file;
};

/* What resolves values: the cloud's engine, or the files alone. */
struct env {
    struct context *context;
    struct session session; /* is_offline: empty */
    struct secret_table secrets;
    struct options options;
    const char *service;
};

static void auto_env(struct env *e)
{
    secret_table_release(&e->secrets);
    session_close(&e->session);
}

static struct secret *find_secret(void *arg, const char *name)
{
    return stack_secret(arg, name);
}

static struct err *resolve(struct env *e, const json_t *value, json_t **ret)
{
    if (!e->options.is_offline)
        return engine_resolve(e->session.engine, value, ret);
    const struct expr_env env = { .arg = e->context->stack, .secret = find_secret };

    return expr_resolve(value, &env, &e->secrets, ret);
}

/* A text of the value in clear: only for --reveal. */
static struct err *reveal(const struct env *e, const json_t *value, json_t **ret)
{
    const struct secret_table *secrets =
            e->options.is_offline ? &e->secrets : engine_secrets(e->session.engine);
    AUTO(buf) struct buf wire = { .max_bytes = BUF_TEXT_MAX, .is_secret = true };

    TRY(expr_write_wire(value, secrets, &wire));
    *ret = json_loadb(wire.p, wire.len, JSON_DECODE_ANY, NULL);
    return *ret != NULL ? NULL : err_new(ERR_INTERNAL, 0, "a value that is no JSON");
}

/* {"value", "secret", "reason"}; the value is null while it is unknown or hidden. */
static struct err *describe(struct env *e, const struct env_variable *v, json_t **ret)
{
    json_auto_t *value = NULL;
    json_auto_t *shown = NULL;
    const char *unknown = NULL;

    TRY(err_wrap(resolve(e, v->value, &value), "%s.%s: %s", v->service, v->container, v->name));
    json_auto_t *one =
            jsonx_must(json_pack("{s:b, s:s?}", "secret", (int)v->is_secret, "reason", v->reason));

    if (expr_has_unknown(value, &unknown))
        json_object_set_new(one, "unknown", jsonx_must(json_string(unknown)));
    else if (!v->is_secret)
        shown = jsonx_copy(value);
    else if (e->options.is_revealed)
        TRY(reveal(e, value, &shown));
    json_object_set_new(one, "value", shown == NULL ? json_null() : TAKE(shown));
    *ret = TAKE(one);
    return NULL;
}

/* {CONTAINER: {NAME: {...}}} in the order of the model. */
static struct err *collect(struct env *e, json_t **ret)
{
    const struct model *m = e->context->model;
    json_auto_t *all = jsonx_must(json_object());

    for (size_t i = 0; i < m->variable_count; i++) {
        const struct env_variable *v = &m->variables[i];
        json_t *one = NULL;

        if (!text_eq(v->service, e->service)
                || (e->options.container != NULL && !text_eq(v->container, e->options.container)))
            continue;
        if (json_object_get(all, v->container) == NULL)
            json_object_set_new(all, v->container, jsonx_must(json_object()));
        TRY(describe(e, v, &one));
        json_object_set_new(json_object_get(all, v->container), v->name, one);
    }
    *ret = TAKE(all);
    return NULL;
}

static struct err *no_such(const struct env *e)
{
    const struct model *m = e->context->model;
    AUTO(free) const char **names = xcalloc(m->variable_count, sizeof(*names));
    size_t count = 0;
    bool is_service = false;

    for (size_t i = 0; i < m->variable_count; i++) {
        const struct env_variable *v = &m->variables[i];
        const bool is_own = text_eq(v->service, e->service);
        const char *name = is_own ? v->container : v->service;

        if (is_own && !is_service)
            count = 0; /* the service is right: its containers are what can be meant */
        is_service = is_service || is_own;
        if (is_own == is_service && (count == 0 || !text_eq(names[count - 1], name)))
            names[count++] = name;
    }
    AUTO(buf) struct buf list = BUF_INIT(BUF_TEXT_MAX);
    struct err *err =
            is_service ? err_new(ERR_USAGE, 0, "env: service '%s' has no container '%s'",
                    e->service, e->options.container)
                       : err_new(ERR_USAGE, 0, "env: no container of a service '%s'", e->service);

    text_add_list(&list, names, count, 20);
    if (count > 0)
        err_set_hint(err, "there are: %s", buf_text(&list));
    return err;
}

/* --- formats --- */

static const char *shown_text(const json_t *one)
{
    if (jsonx_text(one, "unknown") != NULL)
        return "(known after apply)";
    const char *value = jsonx_text(one, "value");

    return value != NULL ? value : jsonx_bool(one, "secret", false) ? "(secret)" : "";
}

static void add_text(const json_t *all, struct buf *out)
{
    const char *container = NULL;
    json_t *variables = NULL;

    json_object_foreach ((json_t *)(uintptr_t)all, container, variables) {
        const char *name = NULL;
        json_t *one = NULL;

        buf_addf(out, "%s%s\n", out->len == 0 ? "" : "\n", container);
        json_object_foreach (variables, name, one) {
            const char *reason = jsonx_text(one, "reason");

            buf_addf(out, "  %s=", name);
            text_add_escaped(out, str_of(shown_text(one)));
            buf_addf(out, "%s%s\n", reason == NULL ? "" : "  # ", reason == NULL ? "" : reason);
        }
    }
}

static void add_dotenv_one(struct buf *out, const char *name, const json_t *one)
{
    const char *value = jsonx_text(one, "value");

    if (value != NULL)
        dotenv_text_add(out, name, value);
    else
        buf_addf(out, "# %s=%s\n", name, shown_text(one));
}

/* One file for all containers: they must agree on what they share. */
static struct err *add_dotenv(const json_t *all, struct buf *out)
{
    json_auto_t *seen = jsonx_must(json_object());
    const char *container = NULL;
    json_t *variables = NULL;

    json_object_foreach ((json_t *)(uintptr_t)all, container, variables) {
        const char *name = NULL;
        json_t *one = NULL;

        json_object_foreach (variables, name, one) {
            const json_t *before = json_object_get(seen, name);

            if (before == NULL)
                add_dotenv_one(out, name, one);
            else if (json_equal(json_object_get(before, "value"), json_object_get(one, "value"))
                     != 1)
                return err_new(ERR_USAGE, 0,
                        "env: the containers have different values of %s: choose one with "
                        "--container",
                        name);
            json_object_set(seen, name, one);
        }
    }
    return NULL;
}

static struct err *write_out(struct env *e, const char *format, const struct buf *text)
{
    return e->options.is_revealed ? context_write_revealed(e->context, format, buf_str(text))
                                  : context_write(e->context, format, buf_str(text));
}

static struct err *print(struct env *e, const json_t *all)
{
    AUTO(buf) struct buf text = { .max_bytes = BUF_TEXT_MAX, .is_secret = true };
    AUTO(buf) struct buf dotenv = { .max_bytes = BUF_TEXT_MAX, .is_secret = true };
    AUTO(buf) struct buf docker = { .max_bytes = BUF_TEXT_MAX, .is_secret = true };
    AUTO(buf) struct buf k8s = { .max_bytes = BUF_TEXT_MAX, .is_secret = true };
    AUTO(buf) struct buf json = { .max_bytes = BUF_TEXT_MAX, .is_secret = true };
    json_auto_t *document = jsonx_must(json_pack("{s:i, s:s, s:O}", "format_version",
            ENV_FORMAT_VERSION, "service", e->service, "containers", all));
    AUTO(free) char *pretty = jsonx_pretty(document);

    buf_add_text(&json, pretty);
    add_text(all, &text);
    if (context_wants(e->context, "dotenv"))
        TRY(add_dotenv(all, &dotenv));
    if (context_wants(e->context, "docker"))
        TRY(env_file_docker(all, &docker));
    env_file_k8s(e->service, all, &k8s);
    TRY(write_out(e, "text", &text));
    TRY(write_out(e, "dotenv", &dotenv));
    TRY(write_out(e, "docker", &docker));
    TRY(write_out(e, "k8s", &k8s));
    return write_out(e, "json", &json);
}

static struct err *open_values(struct env *e)
{
    const struct session_options o = { .file = e->context->args[0], .auth = e->options.auth };

    if (e->options.is_offline)
        return context_load_model(e->context, o.file);
    TRY(session_open(e->context, &o, &e->session));
    return session_refresh(&e->session);
}

static struct err *run(int argc, char **argv)
{
    AUTO(context) struct context c = { 0 };
    AUTO(env) struct env e = { .context = &c };
    json_auto_t *all = NULL;
    const struct context_option own[] = {
        { .name = "reveal", .flag = &e.options.is_revealed },
        { .name = "offline", .flag = &e.options.is_offline },
        { .name = "container", .value = &e.options.container },
        { .name = "auth", .value = &e.options.auth },
        { .name = "check", .value = &e.options.file.check },
        { .name = "file", .value = &e.options.file.file },
        { .name = "service", .value = &e.options.file.service },
        { .name = "context", .list = &e.options.file.context },
        VERDICT_FAIL_ON(&e.options.file.fail_on),
        { .name = "template", .flag = &e.options.file.is_template },
        { .name = "table", .flag = &e.options.file.is_table },
    };

    TRY(context_parse(&c, argc, argv,
            &(struct context_spec){ .options = own,
                    .option_count = ARRAY_LEN(own),
                    .args_max = 2,
                    .formats = "text json dotenv docker k8s junit sarif markdown github html" }));
    if (env_file_is_asked(&e.options.file))
        return env_file_run(&c, &e.options.file);
    if (c.arg_count < 2)
        return err_new(ERR_USAGE, 0, "env: an argument is missing: STACK SERVICE, or --check FILE");
    e.service = c.args[1];
    TRY(open_values(&e));
    TRY(collect(&e, &all));
    if (json_object_size(all) == 0)
        return no_such(&e);
    return print(&e, all);
}

const struct command command_env = {
    .name = "env",
    .summary = "print the environment of a service's containers",
    .usage =
            "Usage: deployer env STACK SERVICE [OPTIONS]\n"
            "       deployer env --check FILE [--service NAME] [OPTIONS]\n"
            "       deployer env --file FILE [--service NAME] [-o dotenv|json|docker|k8s]\n\n"
            "Secrets are masked. What is known only after apply is said to be; with -o dotenv\n"
            "both are comments.\n\n"
            "Options:\n"
            "      --container NAME     of one container; default: all of the service\n"
            "      --reveal             prints secrets too\n"
            "      --offline            without a login: what the files say\n"
            "      --auth NAME          forces a login\n"
            "      --check FILE         judges an existing .env by the service's contract; exit\n"
            "                           status 1 with what is wrong\n"
            "      --file FILE          prints a .env completed: DATABASE_URL from DB_*, and back\n"
            "      --service NAME       whose contract (default langfuse)\n"
            "      --context NAME=VALUE what FILE can't say: clusteringPolicy=NoCluster, "
            "version=4,\n"
            "                           mounts=PATH; repeatable\n"
            "      --fail-on SEVERITY   of findings: warn (default), error or note\n"
            "      --template           prints .env.template\n"
            "      --table              prints docs/langfuse-variables.md\n"
            "\nFormats: text, json, dotenv, docker, k8s; with --check text, json, junit, sarif,\n"
            "markdown, github, html.\n" CONTEXT_USAGE,
    .run = run,
};
