/*
 * runbooks - list, show, and test of the runbooks themselves.
 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "commands/command.h"
#include "commands/context.h"
#include "commands/runbook_set.h"
#include "runbook/condition.h"

#define EVIDENCE_MAX (4u << 20)

static struct err *list_all(struct context *c, const struct runbooks *set)
{
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);
    json_auto_t *list = jsonx_must(json_array());

    for (size_t i = 0; i < set->count; i++) {
        const struct runbook *r = &set->items[i];
        json_t *o = jsonx_must(json_object());

        buf_addf(&text, "%-9s %-10s %s\n", r->id, r->area == NULL ? "" : r->area, r->title);
        json_object_set_new(o, "id", jsonx_textf("%s", r->id));
        json_object_set_new(o, "title", jsonx_textf("%s", r->title));
        json_object_set_new(o, "area", jsonx_textf("%s", r->area));
        json_object_set_new(o, "severity", jsonx_textf("%s", runbook_severity_name(r->severity)));
        json_object_set_new(o, "file", jsonx_textf("%s", r->file));
        json_array_append_new(list, o);
    }
    json_auto_t *document = jsonx_must(json_pack(
            "{s:i, s:s, s:O}", "format_version", 1, "kind", "runbooks", "runbooks", list));

    TRY(context_write(c, "text", buf_str(&text)));
    return context_write_json(c, document);
}

static struct err *need_runbook(
        const struct runbooks *set, const char *id, const struct runbook **ret)
{
    *ret = runbook_find(set, id);
    return *ret != NULL ? NULL
                        : err_new(ERR_USAGE, 0,
                                "there is no runbook %s: see deployer runbooks list", id);
}

static struct err *show(struct context *c, const struct runbooks *set, const char *id)
{
    const struct runbook *r = NULL;
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);

    TRY(need_runbook(set, id, &r));
    buf_addf(&text, "# %s: %s\n\n%s\n", r->id, r->title, r->body);
    return context_write(c, "text", buf_str(&text));
}

static const char *truth_word(enum truth t)
{
    return t == TRUTH_TRUE ? "holds" : t == TRUTH_FALSE ? "does not hold" : "unknown";
}

/* A runbook's own conditions, one by one, on a saved evidence file. */
static struct err *test(
        struct context *c, const struct runbooks *set, const char *id, const char *file)
{
    const struct runbook *r = NULL;
    json_auto_t *evidence = NULL;
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);
    size_t i = 0;
    json_t *condition = NULL;

    TRY(need_runbook(set, id, &r));
    TRY(jsonx_load_file(file, EVIDENCE_MAX, &evidence));
    if (json_object_get(evidence, "evidence") != NULL) {
        json_t *inner = json_incref(json_object_get(evidence, "evidence"));

        json_decref(evidence);
        evidence = inner;
    }
    json_array_foreach ((json_t *)(uintptr_t)r->when, i, condition) {
        AUTO(free) char *shown = jsonx_dump(condition);

        buf_addf(&text, "%-13s %s\n", truth_word(condition_eval(condition, evidence)), shown);
    }
    const enum truth all = r->when == NULL ? TRUTH_UNKNOWN : condition_eval(r->when, evidence);

    buf_addf(&text, "%s %s on %s\n", r->id, truth_word(all), file);
    TRY(context_write(c, "text", buf_str(&text)));
    return all == TRUTH_TRUE ? NULL : err_new(ERR_FAILED, 0, "%s", "");
}

static struct err *run(int argc, char **argv)
{
    AUTO(context) struct context c = { 0 };
    static const char *const verbs[] = { "list", "show", "test", NULL };
    struct runbooks set;

    TRY(context_parse(&c, argc, argv,
            &(struct context_spec){
                    .args_min = 1, .args_max = 3, .verbs = verbs, .formats = "text json" }));
    TRY(runbook_set_load(&c, &set));
    if (text_eq(c.args[0], "list") && c.arg_count == 1)
        return list_all(&c, &set);
    if (text_eq(c.args[0], "show") && c.arg_count == 2)
        return show(&c, &set, c.args[1]);
    if (text_eq(c.args[0], "test") && c.arg_count == 3)
        return test(&c, &set, c.args[1], c.args[2]);
    return err_new(ERR_USAGE, 0, "runbooks: list, show ID, or test ID EVIDENCE-FILE");
}

const struct command command_runbooks = {
    .name = "runbooks",
    .summary = "list the runbooks, show one, or test one on saved evidence",
    .usage = "Usage: deployer runbooks list\n"
             "       deployer runbooks show ID\n"
             "       deployer runbooks test ID EVIDENCE-FILE\n"
             "\n"
             "`test` says of each condition of the runbook whether it holds on the evidence of a "
             "check, as\n"
             "`verify -o json` and `probe -o json` write it. Exit status 1 when the runbook does "
             "not hold.\n" CONTEXT_USAGE,
    .run = run,
};
