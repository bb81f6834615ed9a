/* config: every value of the stack as it counts in the end, and where it comes from. */
#include "commands/command.h"

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "catalog/load.h"
#include "commands/context.h"
#include "stack/references.h"
#include "stack/sources.h"
#include "stack/stack.h"
#include "stack/values.h"

#define SECRET_SHOWN "(secret)"

struct listing {
    struct context *c;
    struct diag_list scratch; /* of the catalog: `validate` reports those */
    json_t *rows;             /* {path, value, origin, file, line, column} */
};

/* Takes `value`. */
static void add_row(
        struct listing *l, const char *path, json_t *value, const char *origin, struct place place)
{
    json_t *row = jsonx_must(json_object());

    json_object_set_new(row, "path", text_json(str_of(path)));
    json_object_set_new(row, "value", value);
    json_object_set_new(row, "origin", text_json(str_of(origin)));
    if (place.file != NULL && place.line > 0) {
        json_object_set_new(row, "file", text_json(str_of(place.file)));
        json_object_set_new(row, "line", json_integer(place.line));
        json_object_set_new(row, "column", json_integer(place.column));
    }
    json_array_append_new(l->rows, row);
}

static const struct service_input *find_input(
        struct listing *l, const char *service, const char *name)
{
    const struct stack *s = l->c->stack;

    for (size_t i = 0; i < s->service_count; i++) {
        if (!text_eq(s->services[i].name, service))
            continue;
        const struct service *known = load_service(l->c->catalog, s->services[i].use, &l->scratch);

        return known == NULL ? NULL : service_input(known, name);
    }
    return NULL;
}

/* Whether "services.NAME.with.INPUT" is a secret that somebody wrote into the file. */
static bool is_secret_input(struct listing *l, const char *path)
{
    struct str rest = str_of(path);
    const struct str top = str_cut(&rest, '.');
    AUTO(free) char *service = str_dup(str_cut(&rest, '.'));
    const struct str with = str_cut(&rest, '.');
    AUTO(free) char *name = rest.p == NULL ? NULL : str_dup(str_cut(&rest, '.'));

    if (!str_eq(top, STR("services")) || !str_eq(with, STR("with")) || name == NULL)
        return false;
    const struct service_input *input = find_input(l, service, name);

    return input != NULL && input->is_secret;
}

static bool is_overlaid(const struct listing *l, const char *path)
{
    return l->c->stack->overlay != NULL && doc_at(l->c->stack->overlay, path) != NULL;
}

static void add_leaf(struct listing *l, const struct doc_node *node, const char *path)
{
    AUTO(free) char *overlay = xasprintf("environment %s", l->c->stack->environment);
    const struct str text = str_of(node->kind == DOC_SCALAR ? node->text : NULL);
    const char *settled = text_eq(path, "vault")   ? l->c->stack->vault
                          : text_eq(path, "state") ? l->c->stack->state_url
                                                   : NULL;
    const bool is_reference = str_starts(text, STR("${")) && str_ends(text, STR("}"));
    const bool may_show = is_reference || !is_secret_input(l, path);

    json_t *value = settled != NULL ? text_json(str_of(settled))
                    : may_show      ? doc_json(node, path, &l->scratch)
                                    : jsonx_textf(SECRET_SHOWN);

    add_row(l, path, value, is_overlaid(l, path) ? overlay : "stack file", node->place);
}

static void add_tree(struct listing *l, const struct doc_node *node, const char *path)
{
    if (node->kind != DOC_MAP || node->count == 0) {
        add_leaf(l, node, path);
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        const struct doc_entry *e = &node->entries[i];
        AUTO(free) char *sub = xasprintf("%s%s%s", path, path[0] == '\0' ? "" : ".", e->key);

        if (!text_eq(sub, "inputs"))
            add_tree(l, e->value, sub);
    }
}

static bool is_given(const struct context *c, const char *name)
{
    for (size_t i = 0; i < c->vars.count; i++) {
        struct str rest = str_of(c->vars.items[i]);

        if (str_eq(str_cut(&rest, '='), str_of(name)))
            return true;
    }
    return false;
}

static void add_inputs(struct listing *l)
{
    const struct stack *s = l->c->stack;
    AUTO(free) char *overlay = xasprintf("environment %s", s->environment);
    const char *name = NULL;
    json_t *value = NULL;

    json_object_foreach (s->vars, name, value) {
        AUTO(free) char *path = xasprintf("inputs.%s", name);
        AUTO(free) char *at = xasprintf("inputs.%s.default", name);
        const struct doc_node *node = doc_at(s->root, at);
        const struct doc_node *declaration = doc_at(s->root, path);
        const char *source = sources_key(declaration);
        const struct place none = { 0 };

        if (is_given(l->c, name))
            add_row(l, path, json_incref(value), "--var", none);
        else if (source != NULL)
            add_row(l, path, json_incref(value), source, doc_get(declaration, source)->place);
        else
            add_row(l, path, json_incref(value), is_overlaid(l, at) ? overlay : "default",
                    node == NULL ? none : node->place);
    }
}

/* A variable of the process environment or .env, or that it is missing; an optional one of the
 * vault is there only if the vault has it, which is not asked. */
static void add_variable(
        struct listing *l, const char *path, const char *name, bool is_secret, bool is_optional)
{
    static const char *const origins[] = { "missing", "process environment", ".env" };
    const struct stack *s = l->c->stack;
    struct place place = { 0 };
    const enum values_origin origin = values_origin(s->values, name, is_secret, &place);
    json_t *value = NULL;

    _Static_assert(ARRAY_LEN(origins) == VALUES_DOTENV + 1, "one name an origin");
    if (is_secret && origin == VALUES_NONE && s->vault != NULL) { /* nobody was asked */
        AUTO(free)
        char *vault = xasprintf("key vault %s%s", s->vault, is_optional ? ", if it has one" : "");

        add_row(l, path, jsonx_textf(SECRET_SHOWN), vault, s->vault_node->place);
        return;
    }
    if (origin == VALUES_NONE)
        value = json_null();
    else if (is_secret)
        value = jsonx_textf(SECRET_SHOWN);
    else
        value = text_json(str_of(stack_env(s, name)));
    add_row(l, path, value, origins[origin], place);
}

static void add_reference(void *arg, enum reference_root of, const char *name)
{
    AUTO(free) char *path = xasprintf("%s.%s", reference_root_name(of), name);

    if (of != REFERENCE_VAR && name[0] != '\0')
        add_variable(arg, path, name, of == REFERENCE_SECRET, false);
}

/* What the service's file says of an input that the stack does not name. */
static void add_default(struct listing *l, const struct stack_service *s,
        const struct service *known, const struct service_input *input)
{
    AUTO(free) char *path = xasprintf("services.%s.with.%s", s->name, input->name);
    AUTO(free) char *origin = xasprintf("default of %s", known->name);

    if (doc_get(s->with, input->name) != NULL)
        return;
    if (input->env != NULL
            && (input->default_value == NULL
                    || values_origin(l->c->stack->values, input->env, input->is_secret, NULL)
                               != VALUES_NONE))
        add_variable(l, path, input->env, input->is_secret, !input->is_required);
    else if (input->default_value != NULL)
        add_row(l, path, doc_json(input->default_value, path, &l->scratch), origin,
                input->default_value->place);
}

static void add_defaults(struct listing *l)
{
    const struct stack *s = l->c->stack;

    for (size_t i = 0; i < s->service_count; i++) {
        const struct service *known = load_service(l->c->catalog, s->services[i].use, &l->scratch);

        for (size_t k = 0; known != NULL && k < known->input_count; k++)
            add_default(l, &s->services[i], known, &known->inputs[k]);
    }
}

static struct err *write_text(struct listing *l)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);
    size_t i = 0;
    json_t *row = NULL;

    json_array_foreach (l->rows, i, row) {
        const json_t *value = json_object_get(row, "value");
        AUTO(free)
        char *dumped =
                json_is_string(value) ? xstrdup(json_string_value(value)) : jsonx_dump(value);
        AUTO(buf) struct buf line = BUF_INIT(BUF_TEXT_MAX);

        buf_addf(&line, "%s = ", jsonx_text(row, "path"));
        text_add_escaped(&line, str_of(dumped));
        const size_t columns = text_columns(buf_str(&line));

        buf_addf(&line, "%*s  # %s", columns < 60 ? (int)(60 - columns) : 0, "",
                jsonx_text(row, "origin"));
        if (jsonx_text(row, "file") != NULL)
            buf_addf(&line, ", %s:%d", jsonx_text(row, "file"), (int)jsonx_int(row, "line", 0));
        buf_addf(&out, "%s\n", buf_text(&line));
    }
    return context_write(l->c, "text", buf_str(&out));
}

static struct err *write_json(struct listing *l)
{
    const struct stack *s = l->c->stack;
    json_auto_t *out = jsonx_must(json_object());

    json_object_set_new(out, "format_version", json_integer(1));
    json_object_set_new(out, "stack", text_json(str_of(s->name)));
    json_object_set_new(out, "environment", text_json(str_of(s->environment)));
    json_object_set_new(out, "values", json_incref(l->rows));
    return context_write_json(l->c, out);
}

static struct err *run(int argc, char **argv)
{
    AUTO(context) struct context c = { 0 };

    TRY(context_parse(&c, argc, argv,
            &(struct context_spec){ .args_min = 1, .args_max = 1, .formats = "text json" }));
    TRY(context_load_stack(&c, c.args[0]));
    TRY(context_load_catalog(&c));
    json_auto_t *rows = jsonx_must(json_array());
    struct listing l = { .c = &c, .rows = rows };

    diag_init(&l.scratch, c.arena);
    add_inputs(&l);
    add_tree(&l, c.stack->root, "");
    add_defaults(&l);
    references_each(c.stack->root, add_reference, &l);
    if (context_wants(&c, "json"))
        TRY(write_json(&l));
    if (context_wants(&c, "text"))
        TRY(write_text(&l));
    return NULL;
}

const struct command command_config = {
    .name = "config",
    .summary = "print every value of the stack and where it comes from",
    .usage = "Usage: deployer config STACK [options]\n\n"
             "Prints the base with the environment (-e) laid over it: each value with the line it\n"
             "stands in, the environment, --var or default it comes from. Secrets are masked, and\n"
             "the stack's vault is not asked.\n"
             "Formats: text (default), json.\n" CONTEXT_USAGE,
    .run = run,
};
