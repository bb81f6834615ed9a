/* diff: compares one document that is wanted with one that is there, as a plan would. */
#include "commands/command.h"

#include "base/jsonx.h"
#include "catalog/catalog.h"
#include "commands/context.h"
#include "plan/plan.h"
#include "report/style.h"

#define DOCUMENT_MAX (16u << 20)
#define VALUE_COLUMNS 60u

struct diff_options {
    const char *type;
    const char *api_version;
    const char *desired;
    const char *actual;
    const char *last;
};

static struct err *read_options(struct context *c, int argc, char **argv, struct diff_options *o)
{
    const struct context_option own[] = { { .name = "type", .value = &o->type },
        { .name = "api-version", .value = &o->api_version },
        { .name = "desired", .value = &o->desired }, { .name = "actual", .value = &o->actual },
        { .name = "last-applied", .value = &o->last } };

    TRY(context_parse(c, argc, argv,
            &(struct context_spec){
                    .options = own, .option_count = ARRAY_LEN(own), .formats = "text json" }));
    if (o->type == NULL || o->desired == NULL || o->actual == NULL)
        return err_new(ERR_USAGE, 0, "diff: --type, --desired and --actual are needed");
    return NULL;
}

static struct err *read_document(const char *path, json_t **ret)
{
    json_auto_t *j = NULL;
    struct err *e = jsonx_load_file(path, DOCUMENT_MAX, &j);

    if (e != NULL && err_kind(e) == ERR_PROTO) {
        struct err *mine = err_new(ERR_CONFIG, 0, "%s", err_text(e));

        err_ignore(e, "what a user hands over is data, not a peer's protocol");
        return mine;
    }
    TRY(e);
    if (!json_is_object(j))
        return err_new(ERR_CONFIG, 0, "%s: wants one document, a JSON object, got %s", path,
                jsonx_type_name(j));
    *ret = TAKE(j);
    return NULL;
}

static const char *sign_of(enum change_action a)
{
    return a == CHANGE_ADD ? "+ " : a == CHANGE_REMOVE ? "- " : "~ ";
}

static enum style style_of(enum change_action a)
{
    return a == CHANGE_ADD ? STYLE_GOOD : a == CHANGE_REMOVE ? STYLE_BAD : STYLE_CHANGE;
}

static void add_values(struct buf *out, const struct change *change)
{
    if (change->is_secret) {
        buf_add_text(out, "(secret)");
        return;
    }
    if (change->action != CHANGE_ADD)
        style_value(out, change->old_value, VALUE_COLUMNS);
    if (change->action == CHANGE_UPDATE)
        buf_add_text(out, " -> ");
    if (change->action != CHANGE_REMOVE)
        style_value(out, change->new_value, VALUE_COLUMNS);
}

static void add_change(const struct context *c, const struct change *change, struct buf *out)
{
    style_add(out, c->has_color, style_of(change->action), sign_of(change->action));
    style_add(out, c->has_color, STYLE_PLAIN, change->path);
    buf_add_text(out, ": ");
    add_values(out, change);
    if (change->forces_replacement)
        style_addf(out, c->has_color, STYLE_BAD, "  # forces replacement: %s", change->reason);
    buf_add_char(out, '\n');
}

static struct err *write_text(struct context *c, const struct change_list *found)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);

    for (size_t i = 0; i < found->count; i++)
        add_change(c, &found->items[i], &out);
    return context_write(c, "text", buf_str(&out));
}

static struct err *write_json(struct context *c, const struct diff_options *o,
        const struct kind *kind, const struct change_list *found)
{
    json_auto_t *changes = jsonx_must(json_array());

    for (size_t i = 0; i < found->count; i++)
        json_array_append_new(changes, plan_change_json(&found->items[i]));
    json_auto_t *out = jsonx_must(
            json_pack("{s:i, s:s, s:s?, s:s?, s:b, s:O}", "format_version", 1, "type", o->type,
                    "api_version", o->api_version, "kind", kind == NULL ? NULL : kind->name,
                    "differs", (int)(found->count > 0), "changes", changes));

    return context_write_json(c, out);
}

static struct err *run(int argc, char **argv)
{
    AUTO(context) struct context c = { 0 };
    struct diff_options o = { 0 };
    json_auto_t *desired = NULL;
    json_auto_t *actual = NULL;
    json_auto_t *last = NULL;
    struct change_list found = { 0 };

    TRY(read_options(&c, argc, argv, &o));
    TRY(read_document(o.desired, &desired));
    TRY(read_document(o.actual, &actual));
    if (o.last != NULL)
        TRY(read_document(o.last, &last));
    TRY(context_load_catalog(&c));
    const struct kind *kind = catalog_kind_by_type(c.catalog, o.type);

    plan_diff(c.arena,
            &(struct diff_input){
                    .kind = kind, .desired = desired, .last_applied = last, .actual = actual },
            &found, NULL);
    if (context_wants(&c, "text"))
        TRY(write_text(&c, &found));
    if (context_wants(&c, "json"))
        TRY(write_json(&c, &o, kind, &found));
    return found.count > 0 ? err_new(ERR_FAILED, 0, "%s", "") : NULL;
}

const struct command command_diff = {
    .name = "diff",
    .summary = "compare a document that is wanted with one that is there",
    .usage = "Usage: deployer diff --type TYPE --desired FILE --actual FILE [options]\n\n"
             "Compares two documents of one resource as a plan does: what the server adds, "
             "re-cases\n"
             "or spells its own way is no change. Exit status 0: no change, 1: changes, as "
             "diff(1).\n"
             "Types that no kind of the catalog describes are compared by general rules.\n\n"
             "      --type TYPE          the resource's type: Microsoft.App/containerApps\n"
             "      --api-version V      for the record; the rules are those of the kind\n"
             "      --desired FILE       what is to be sent ('-' is standard input)\n"
             "      --actual FILE        what a GET returned\n"
             "      --last-applied FILE  what was sent last: what it has and --desired lacks goes\n"
             "Formats: text (default), json.\n" CONTEXT_USAGE,
    .run = run,
};
