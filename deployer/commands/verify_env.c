/*
 * verify --env-file: the environment of an application that the deployer did not deploy.
 */
#include "commands/verify_env.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/doc.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "catalog/embedded.h"
#include "commands/runbook_set.h"
#include "commands/verdict.h"
#include "stack/dotenv.h"
#include "verify/environment.h"

/* Each service may say what its variables mean; the first that does is taken. */
#define RULES_NAME "/env-targets.yaml"

static struct err *load_rules(struct context *c, json_t **ret)
{
    for (const struct embedded_file *f = embedded_files; f->path != NULL; f++) {
        if (!str_ends(str_of(f->path), STR(RULES_NAME)))
            continue;
        const struct doc_node *root = doc_parse(
                c->arena, (struct str){ .p = f->text, .len = f->len }, f->path, &c->diags);

        *ret = root == NULL ? NULL : doc_json(root, f->path, &c->diags);
        TRY(context_check_diags(c, "the rules for environments"));
        return NULL;
    }
    return err_new(ERR_INTERNAL, 0, "no rules for environments are built in");
}

static struct err *read_environment(
        struct context *c, const char *file, const json_t *rules, struct environment *ret)
{
    AUTO(buf) struct buf text = { .max_bytes = DOTENV_BYTES_MAX, .is_secret = true };
    AUTO(dotenv) struct dotenv env = { 0 };

    TRY(file_read(file, DOTENV_BYTES_MAX, &text));
    dotenv_parse(buf_str(&text), file, &c->diags, &env);
    TRY(context_check_diags(c, file));
    struct environment_value *values = xcalloc(env.count + 1, sizeof(*values));

    for (size_t i = 0; i < env.count; i++)
        values[i] = (struct environment_value){ .name = env.entries[i].name,
            .value = env.entries[i].value };
    struct err *e = environment_read(c->arena, rules, values, env.count, ret);

    free(values);
    return e;
}

/* The first name of each URL that is looked for. */
static struct err *nothing_known(const char *file, const json_t *rules)
{
    struct err *e =
            err_new(ERR_CONFIG, 0, "%s: no variable in it names a service that is known", file);
    AUTO(buf) struct buf names = BUF_INIT(BUF_TEXT_MAX);
    const char *service = NULL;
    json_t *target = NULL;

    json_object_foreach (json_object_get(rules, "targets"), service, target) {
        const char *name = json_string_value(json_array_get(json_object_get(target, "url"), 0));

        if (name != NULL)
            buf_addf(&names, "%s%s", names.len == 0 ? "" : ", ", name);
    }
    err_set_hint(e, "what it looks for: %s and their like", buf_text(&names));
    return e;
}

struct err *verify_env_file(struct context *c, const char *file, const char *fail_on)
{
    AUTO(environment) struct environment env = { .problems = NULL };
    json_auto_t *rules = NULL;
    struct runbooks set;
    struct probe_net net = { .resolver = c->resolver };
    const struct verify_options o = { .timeout_ms = c->timeout_ms, .net = &net };
    const int64_t started_ms = clock_now_ms();

    for (size_t i = 0; i < c->address_maps.count; i++)
        TRY(address_map_parse(&net.map, str_of(c->address_maps.items[i])));
    TRY(runbook_set_load(c, &set));
    TRY(load_rules(c, &rules));
    TRY(read_environment(c, file, rules, &env));
    if (env.jobs.count == 0 && json_array_size(env.problems) == 0)
        return nothing_known(file, rules);
    for (size_t i = 0; i < env.jobs.count && c->timeout_ms > 0; i++)
        env.jobs.items[i].timeout_ms = c->timeout_ms;
    verify_run(&env.jobs, &o, NULL, NULL);
    TRY(cancel_check());
    json_auto_t *checks = jsonx_copy(env.problems);
    json_auto_t *probed = verify_checks_json(&env.jobs);

    json_array_extend(checks, probed);
    json_auto_t *document = verdict_document(&set, "verify", checks, clock_now_ms() - started_ms);

    json_object_set_new(document, "env_file", jsonx_textf("%s", file));
    verdict_set_fail_on(document, fail_on);
    TRY(verdict_write(c, document));
    return verdict_status(document);
}
