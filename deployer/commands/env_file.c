#include "commands/env_file.h"

#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "catalog/catalog.h"
#include "commands/runbook_set.h"
#include "commands/verdict.h"
#include "lint/contract.h"
#include "lint/lint.h"
#include "report/dotenv_text.h"
#include "report/findings.h"
#include "report/lint_text.h"
#include "stack/dotenv.h"

struct checked {
    const char *path;
    struct dotenv dotenv;
    struct runbooks runbooks;
    json_t *env, *context, *findings;
    const json_t *contract;
};

bool env_file_is_asked(const struct env_file_options *o)
{
    return o->check != NULL || o->file != NULL || o->is_template || o->is_table;
}

static void auto_checked(struct checked *x)
{
    dotenv_release(&x->dotenv);
    json_decref(x->env);
    json_decref(x->context);
    json_decref(x->findings);
}

/* ---- findings ---- */

static bool is_said(const json_t *findings, const struct contract_finding *f)
{
    size_t i = 0;
    json_t *one = NULL;

    json_array_foreach ((json_t *)(uintptr_t)findings, i, one) {
        if (text_eq(jsonx_text(one, "path"), f->variable)
                && text_eq(jsonx_text(one, "cause"), f->text))
            return true;
    }
    return false;
}

static void on_finding(void *arg, const struct contract_finding *f)
{
    struct checked *x = arg;
    const struct dotenv_entry *e =
            f->variable == NULL ? NULL : dotenv_find(&x->dotenv, str_of(f->variable));
    const struct runbook *r = f->runbook == NULL ? NULL : runbook_find(&x->runbooks, f->runbook);

    if (is_said(x->findings, f))
        return;
    json_t *one =
            jsonx_must(json_pack("{s:s, s:s?, s:s?, s:s, s:s, s:s, s:s?, s:s, s:s?, s:i, s:i, "
                                 "s:[], s:[]}",
                    "code", r == NULL ? f->code : r->id, "runbook", r == NULL ? NULL : r->id,
                    "title", r == NULL ? f->variable : r->title, "severity", f->severity,
                    "certainty", "certain", "cause", f->text, "fix", f->fix, "file", x->path,
                    "path", f->variable, "line", e == NULL ? 1 : e->place.line, "column",
                    e == NULL ? 1 : e->place.column, "evidence", "checks"));

    json_object_set_new(one, "rule", jsonx_textf("%s", f->code));
    json_object_set_new(one, "variable", jsonx_textf("%s", f->variable == NULL ? "" : f->variable));
    json_array_append_new(x->findings, one);
}

/* Shells and dotenv libraries drop a blank at the end of a line, docker --env-file keeps it. */
static void check_trailing(struct checked *x, struct str line)
{
    const struct str name = str_trim(str_cut(&line, '='));

    if (line.p == NULL || name.len == 0 || name.p[0] == '#' || line.len == 0)
        return;
    if (line.p[line.len - 1] == '\r')
        line.len--;
    if (line.len == 0 || (line.p[line.len - 1] != ' ' && line.p[line.len - 1] != '\t'))
        return;
    AUTO(free) char *own = str_dup(name);
    AUTO(free)
    char *text = xasprintf(
            "%s has a blank at its end: docker --env-file and secret stores keep it", own);

    on_finding(x, &(struct contract_finding){ .code = "env.blank",
                          .runbook = "CR-004",
                          .severity = "error",
                          .variable = own,
                          .text = text,
                          .fix = "take the blank away" });
}

/* ---- reading ---- */

static void add_context(json_t *context, struct str text)
{
    const struct str name = str_cut(&text, '=');
    AUTO(free) char *own = str_dup(name);
    size_t end = 0;

    if (text.p == NULL)
        return;
    while (end < text.len && strchr(" \t:;,|", text.p[end]) == NULL)
        end++;
    if (json_object_get(context, own) == NULL)
        json_object_set_new(context, own, jsonx_must(json_array()));
    json_array_append_new(json_object_get(context, own), text_json(str_slice(text, 0, end)));
}

/* A comment "... CONTEXT NAME=VALUE" tells of the other side what variables can't. */
static void read_line(struct checked *x, struct str line)
{
    const ptrdiff_t at = str_find(line, STR("CONTEXT "));

    if (line.len > 0 && line.p[0] == '#' && at > 0)
        add_context(x->context, str_slice(line, (size_t)at + 8, line.len));
    check_trailing(x, line);
}

static struct err *read_env(struct context *c, const struct env_file_options *o, struct checked *x)
{
    AUTO(buf) struct buf text = { .max_bytes = DOTENV_BYTES_MAX, .is_secret = true };

    TRY(file_read(x->path, DOTENV_BYTES_MAX, &text));
    dotenv_parse(buf_str(&text), x->path, &c->diags, &x->dotenv);
    TRY(context_check_diags(c, x->path));
    for (size_t i = 0; i < x->dotenv.count; i++)
        json_object_set_new(
                x->env, x->dotenv.entries[i].name, text_json(str_of(x->dotenv.entries[i].value)));
    for (size_t i = 0; i < o->context.count; i++)
        add_context(x->context, str_of(o->context.items[i]));
    struct str rest = buf_str(&text);

    while (rest.p != NULL)
        read_line(x, str_cut(&rest, '\n'));
    return NULL;
}

static struct err *find_contract(
        struct context *c, const struct env_file_options *o, const json_t **ret)
{
    const char *service = o->service == NULL ? "langfuse" : o->service;

    if (c->catalog == NULL)
        TRY(context_load_catalog(c));
    *ret = catalog_contract(c->catalog, service, NULL, &c->diags);
    if (c->catalogs.count > 0)
        lint_check_contract(c->catalog, service, &c->diags);
    TRY(context_check_diags(c, "the contract"));
    if (*ret == NULL)
        return err_new(ERR_USAGE, 0, "env: service '%s' has no contract", service);
    return NULL;
}

/* ---- check ---- */

static struct err *write_findings(struct context *c, const struct checked *x, json_t *document)
{
    AUTO(free) char *why = findings_why(document);
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);
    const size_t count = json_array_size(x->findings);

    buf_addf(&text, "%s: %zu variable%s, ", x->path, x->dotenv.count,
            x->dotenv.count == 1 ? "" : "s");
    if (count == 0)
        buf_add_text(&text, "nothing wrong\n");
    else
        buf_addf(&text, "%zu finding%s\n", count, count == 1 ? "" : "s");
    report_lint_text(x->findings, c->has_color, &text);
    if (why != NULL)
        buf_addf(&text, "\n%s\n", why);
    TRY(context_write(c, "text", buf_str(&text)));
    TRY(verdict_write_reports(c, document));
    return context_write_json(c, document);
}

static struct err *check(struct context *c, const struct env_file_options *o, struct checked *x)
{
    TRY(runbook_set_load(c, &x->runbooks));
    TRY(read_env(c, o, x));
    AUTO(err)
    struct err *not_judged = contract_judge(&(struct contract_subject){ .contract = x->contract,
            .env = x->env,
            .context = x->context,
            .fn = on_finding,
            .arg = x });

    json_auto_t *document = jsonx_must(json_pack("{s:i, s:s, s:s, s:s?, s:i, s:[], s:{}, s:O}",
            "format_version", 1, "kind", "env", "file", x->path, "service",
            jsonx_text(x->contract, "contract"), "variables", (int)x->dotenv.count, "checks",
            "summary", "findings", x->findings));

    /* A file that is asked for by name has to be right: a warning fails, too. */
    verdict_set_fail_on(document, o->fail_on == NULL ? "warn" : o->fail_on);
    TRY(write_findings(c, x, document));
    return not_judged != NULL ? TAKE(not_judged) : verdict_status(document);
}

/* ---- formats ---- */

static struct err *line_ends(const char *name)
{
    struct err *e = err_new(
            ERR_USAGE, 0, "env: docker's format has no way to write the line ends in %s", name);

    err_set_hint(e, "-o dotenv, -o json and -o k8s have one");
    return e;
}

struct err *env_file_docker(const json_t *all, struct buf *out)
{
    json_auto_t *seen = jsonx_must(json_object());
    const char *container = NULL;
    json_t *variables = NULL;

    json_object_foreach ((json_t *)(uintptr_t)all, container, variables) {
        const char *name = NULL;
        json_t *one = NULL;

        json_object_foreach (variables, name, one) {
            const char *value = jsonx_text(one, "value");
            const json_t *before = json_object_get(seen, name);

            if (before != NULL && json_equal(before, json_object_get(one, "value")) != 1)
                return err_new(ERR_USAGE, 0,
                        "env: the containers have different values of %s: choose one with "
                        "--container",
                        name);
            if (value != NULL && strpbrk(value, "\r\n") != NULL)
                return line_ends(name);
            if (before == NULL && value != NULL)
                buf_addf(out, "%s=%s\n", name, value);
            else if (before == NULL)
                buf_addf(out, "# %s is not shown\n", name);
            json_object_set(seen, name, json_object_get(one, "value"));
        }
    }
    return NULL;
}

static void add_manifest(struct buf *out, const char *kind, const char *name,
        const json_t *variables, bool is_secret)
{
    const char *key = NULL;
    json_t *one = NULL;

    buf_addf(out, "%sapiVersion: v1\nkind: %s\nmetadata:\n  name: %s\n%s:\n",
            out->len == 0 ? "" : "---\n", kind, name, is_secret ? "stringData" : "data");
    json_object_foreach ((json_t *)(uintptr_t)variables, key, one) {
        const json_t *value = json_object_get(one, "value");

        if (jsonx_bool(one, "secret", false) != is_secret)
            continue;
        if (!json_is_string(value)) {
            buf_addf(out, "  # %s is not shown\n", key);
            continue;
        }
        buf_addf(out, "  %s: ", key);
        jsonx_print(out, value, 0);
        buf_add_char(out, '\n');
    }
}

void env_file_k8s(const char *service, const json_t *all, struct buf *out)
{
    const char *container = NULL;
    json_t *variables = NULL;

    json_object_foreach ((json_t *)(uintptr_t)all, container, variables) {
        AUTO(free) char *name = xasprintf("%s-%s", service, container);

        add_manifest(out, "ConfigMap", name, variables, false);
        add_manifest(out, "Secret", name, variables, true);
    }
}

static bool is_in(const json_t *contract, const char *name, const char *container)
{
    const json_t *in =
            json_object_get(json_object_get(json_object_get(contract, "variables"), name), "in");
    size_t i = 0;
    json_t *one = NULL;

    json_array_foreach ((json_t *)(uintptr_t)in, i, one) {
        if (text_eq(json_string_value(one), container))
            return true;
    }
    return in == NULL;
}

/* {CONTAINER: {NAME: {"value", "secret"}}}: each gets what it reads. Owned. */
static json_t *by_container(const struct checked *x)
{
    json_t *all = jsonx_must(json_object());
    size_t i = 0;
    json_t *container = NULL;

    json_array_foreach (json_object_get(x->contract, "containers"), i, container) {
        json_t *own = jsonx_must(json_object());
        const char *name = NULL;
        json_t *value = NULL;

        json_object_foreach (x->env, name, value) {
            const json_t *v = json_object_get(json_object_get(x->contract, "variables"), name);

            if (is_in(x->contract, name, json_string_value(container)))
                json_object_set_new(own, name,
                        jsonx_must(json_pack("{s:O, s:b}", "value", value, "secret",
                                (int)(jsonx_bool(v, "secret", false)
                                        || str_ends(str_of(name), STR("PASSWORD"))))));
        }
        json_object_set_new(all, json_string_value(container), own);
    }
    return all;
}

static struct err *complete(struct context *c, const struct env_file_options *o, struct checked *x)
{
    AUTO(buf) struct buf lines = { .max_bytes = BUF_TEXT_MAX, .is_secret = true };
    AUTO(buf) struct buf other = { .max_bytes = BUF_TEXT_MAX, .is_secret = true };
    const char *name = NULL;
    json_t *value = NULL;

    TRY(read_env(c, o, x));
    TRY(contract_derive(x->contract, x->env));
    json_auto_t *all = by_container(x);

    json_object_foreach (x->env, name, value) {
        dotenv_text_add(&lines, name, json_string_value(value));
    }
    TRY(context_write_revealed(c, "text", buf_str(&lines)));
    TRY(context_write_revealed(c, "dotenv", buf_str(&lines)));
    if (context_wants(c, "docker"))
        TRY(env_file_docker(all, &other));
    TRY(context_write_revealed(c, "docker", buf_str(&other)));
    buf_clear(&other);
    env_file_k8s(jsonx_text(x->contract, "contract"), all, &other);
    TRY(context_write_revealed(c, "k8s", buf_str(&other)));
    json_auto_t *document = jsonx_must(json_pack("{s:i, s:s, s:O}", "format_version", 1, "service",
            jsonx_text(x->contract, "contract"), "containers", all));
    AUTO(free) char *pretty = jsonx_pretty(document);

    return context_write_revealed(c, "json", str_of(pretty));
}

/* ---- template, table ---- */

/* The names that the service's containers have by itself. Owned. */
static json_t *names_of(const json_t *service)
{
    json_t *names = jsonx_must(json_object());
    const char *container = NULL;
    json_t *variables = NULL;

    json_object_foreach (json_object_get(service, "environment"), container, variables) {
        const char *name = NULL;
        json_t *v = NULL;

        json_object_foreach (variables, name, v) {
            json_object_set_new(names, name, json_true());
        }
    }
    return names;
}

/* What the inputs of services take from the environment. */
static void add_inputs(struct buf *out, const struct catalog *c, const char *service)
{
    const json_t *inputs = json_object_get(catalog_service(c, service), "inputs");
    const char *name = NULL;
    json_t *input = NULL;
    bool is_first = true;

    json_object_foreach ((json_t *)(uintptr_t)inputs, name, input) {
        const char *env = jsonx_text(input, "env");
        const char *doc = jsonx_text(input, "doc");

        if (env == NULL)
            continue;
        if (is_first)
            buf_addf(out, "\n# --- %s\n", service);
        is_first = false;
        buf_addf(out, "# %s%s%s\n%s=\n", doc == NULL ? name : doc,
                jsonx_bool(input, "required", false) ? " (required)" : "",
                jsonx_bool(input, "secret", false) ? " (secret)" : "", env);
    }
}

static struct err *print_template(struct context *c, const json_t *contract)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);
    const char *service = jsonx_text(contract, "contract");
    json_auto_t *names = names_of(catalog_service(c->catalog, service));

    buf_add_text(&out, "# Every variable of the default stack. Generated by `deployer env "
                       "--template`; copy it to .env beside\n"
                       "# stack.yaml (deployer init writes one with generated secrets). Never "
                       "commit the copy.\n\n"
                       "# --- the stack\n# subscription that everything is made in "
                       "(required)\nAZURE_SUBSCRIPTION_ID=\n");
    for (size_t i = 0; i < catalog_service_count(c->catalog); i++)
        add_inputs(&out, c->catalog, catalog_service_name(c->catalog, i));
    buf_addf(&out,
            "\n# --- what %s's containers read: set by the stack, here for a .env of one's own "
            "(deployer env --check)\n",
            service);
    contract_template(contract, names, &out);
    return context_write(c, "text", buf_str(&out));
}

static struct err *print_table(struct context *c, const json_t *contract)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);

    contract_table(contract, &out);
    return context_write(c, "text", buf_str(&out));
}

struct err *env_file_run(struct context *c, const struct env_file_options *o)
{
    AUTO(checked)
    struct checked x = { .path = o->check != NULL ? o->check : o->file,
        .env = jsonx_must(json_object()),
        .context = jsonx_must(json_object()),
        .findings = jsonx_must(json_array()) };

    TRY(find_contract(c, o, &x.contract));
    if (o->is_template)
        return print_template(c, x.contract);
    if (o->is_table)
        return print_table(c, x.contract);
    return o->check != NULL ? check(c, o, &x) : complete(c, o, &x);
}
