/* validate: the file, the catalog and their rules, without a network. */
#include "commands/command.h"

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "catalog/model.h"
#include "commands/context.h"
#include "commands/preflight.h"
#include "commands/verdict.h"
#include "report/findings.h"
#include "report/lint_text.h"
#include "stack/stack.h"

static void add_count(struct buf *out, const char *before, size_t count, const char *noun)
{
    buf_addf(out, "%s%zu %s%s", before, count, noun, count == 1 ? "" : "s");
}

/* The environments that this run did not look at, and how to. */
static void add_others(struct buf *out, const struct context *c)
{
    const struct doc_node *all = doc_get(c->stack->file_root, "environments");

    if (c->environment != NULL || all == NULL || all->kind != DOC_MAP || all->count == 0)
        return;
    AUTO(free) const char **names = xcalloc(all->count, sizeof(*names));

    for (size_t i = 0; i < all->count; i++)
        names[i] = all->entries[i].key;
    buf_add_text(out, "This was the base alone; with -e NAME an environment is laid over it: ");
    text_add_list(out, names, all->count, 12);
    buf_add_char(out, '\n');
}

static struct err *write_text(struct context *c, const json_t *findings, const json_t *document)
{
    AUTO(free) char *why = findings_why(document);
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);
    const struct model *m = c->model;
    const size_t warnings = c->diags.count;

    buf_addf(&out, "%s is valid: %s%s%s", c->stack->file, m->stack,
            m->environment[0] == '\0' ? "" : ", environment ", m->environment);
    add_count(&out, ": ", c->stack->service_count, "service");
    add_count(&out, ", ", m->resource_count, "resource");
    add_count(&out, ", ", m->check_count, "check");
    add_count(&out, ", ", m->secret_count, "secret");
    if (warnings > 0)
        add_count(&out, "; ", warnings, "warning");
    buf_add_char(&out, '\n');
    if (json_array_size(findings) > 0)
        add_count(&out, "", json_array_size(findings), "finding");
    if (json_array_size(findings) > 0)
        buf_add_char(&out, '\n');
    add_others(&out, c);
    report_lint_text(findings, c->has_color, &out);
    if (why != NULL)
        buf_addf(&out, "\n%s\n", why);
    return context_write(c, "text", buf_str(&out));
}

/* What would be sent for each resource, as far as it is known without a network: never a secret. */
static json_t *documents_json(const struct model *m)
{
    json_t *out = jsonx_must(json_array());

    for (size_t i = 0; i < m->resource_count; i++) {
        const struct resource *r = &m->resources[i];

        if (r->existing != NULL)
            continue;
        json_t *body = r->body == NULL ? jsonx_must(json_object()) : jsonx_copy(r->body);

        if (r->location != NULL)
            json_object_set(body, "location", r->location);
        json_array_append_new(
                out, jsonx_must(json_pack("{s:s, s:s, s:s, s:s, s:O, s:o}", "address", r->address,
                             "kind", r->kind->name, "type", r->kind->type, "api_version",
                             r->kind->api_version, "name", r->arm_name, "body", body)));
    }
    return out;
}

/* Messages about the file and findings on what it makes, each with the members of both. */
static json_t *all_findings(const struct context *c, const json_t *findings)
{
    json_t *all = context_diags_json(&c->diags);
    size_t i = 0;
    json_t *f = NULL;

    json_array_foreach ((json_t *)(uintptr_t)findings, i, f) {
        json_t *one = jsonx_copy(f);

        json_object_set(one, "text", json_object_get(f, "cause"));
        if (json_object_get(f, "fix") != NULL)
            json_object_set(one, "hint", json_object_get(f, "fix"));
        json_array_append_new(all, one);
    }
    return all;
}

static struct err *write_json(struct context *c, bool with_documents, const json_t *findings)
{
    const struct stack *s = c->stack;
    const struct model *m = c->model;
    json_auto_t *out = jsonx_must(json_object());

    json_object_set_new(out, "format_version", json_integer(1));
    json_object_set_new(out, "valid", json_boolean(m != NULL));
    json_object_set_new(out, "findings", all_findings(c, findings));
    if (s != NULL) {
        json_object_set_new(out, "stack", text_json(str_of(s->name)));
        json_object_set_new(out, "environment", text_json(str_of(s->environment)));
        json_object_set_new(out, "services", json_integer((json_int_t)s->service_count));
    }
    if (m != NULL) {
        json_object_set_new(out, "resources", json_integer((json_int_t)m->resource_count));
        json_object_set_new(out, "checks", json_integer((json_int_t)m->check_count));
        json_object_set_new(out, "secrets", json_integer((json_int_t)m->secret_count));
        if (with_documents)
            json_object_set_new(out, "documents", documents_json(m));
    }
    return context_write_json(c, out);
}

/* A file that makes no model has messages only: the report formats show them as findings. */
static json_t *document_of(const struct context *c, const json_t *findings, const char *fail_on)
{
    json_auto_t *all = all_findings(c, findings);
    json_t *document = c->model != NULL
                               ? preflight_document(c, "validate", all)
                               : jsonx_must(json_pack("{s:i, s:s, s:[], s:O}", "format_version", 1,
                                       "kind", "validate", "checks", "findings", all));

    verdict_set_fail_on(document, fail_on);
    return document;
}

static struct err *run(int argc, char **argv)
{
    AUTO(context) struct context c = { 0 };
    bool with_documents = false;
    const char *fail_on = NULL;
    json_auto_t *findings = NULL;
    const struct context_option options[] = { { .name = "documents", .flag = &with_documents },
        VERDICT_FAIL_ON(&fail_on) };

    TRY(context_parse(&c, argc, argv,
            &(struct context_spec){ .options = options,
                    .option_count = ARRAY_LEN(options),
                    .args_min = 1,
                    .args_max = 1,
                    .formats = VERDICT_FORMATS }));
    c.checks_overlays = true;
    AUTO(err) struct err *invalid = context_load_model(&c, c.args[0]);

    if (invalid == NULL)
        TRY(preflight_findings(&c, &findings));
    json_auto_t *document = document_of(&c, findings, fail_on);

    if (context_wants(&c, "json"))
        TRY(write_json(&c, with_documents, findings));
    if (invalid == NULL && context_wants(&c, "text"))
        TRY(write_text(&c, findings, document));
    TRY(verdict_write_reports(&c, document));
    return invalid != NULL ? TAKE(invalid) : verdict_status(document);
}

const struct command command_validate = {
    .name = "validate",
    .summary = "check the stack file and what it makes, without a network",
    .usage = "Usage: deployer validate STACK [options]\n\n"
             "Checks the file, its environment (-e) and what the catalog makes of it, and says\n"
             "everything that is wrong with line and column. Exit status 65 when something is.\n"
             "Then what it makes: bodies against their kinds, the rules of ARM and the lints of\n"
             "the runbooks. Exit status 1 when one of them is found.\n\n"
             "      --fail-on SEVERITY   of findings and messages: error (default), warn or note\n"
             "      --documents          with -o json: what would be sent for each resource\n\n"
             "Formats: text (default), json, junit, sarif, markdown, github, html.\n" CONTEXT_USAGE,
    .run = run,
};
