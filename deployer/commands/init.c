/* init: a first stack.yaml, and a .env with the secrets that it needs. */
#include "commands/command.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "catalog/embedded.h"
#include "catalog/load.h"
#include "commands/context.h"
#include "stack/dotenv.h"
#include "stack/generate.h"
#include "stack/references.h"
#include "stack/stack.h"

#define STARTER_STACK "templates/init/stack.yaml.in"
#define STARTER_ENV "templates/init/env.in"

/* What goes into .env, and which names and services were looked at. */
struct writer {
    struct context *c;
    struct diag_list scratch; /* of the catalog: validate reports those */
    struct buf text;
    struct dotenv starter; /* names that the starter sets */
    struct context_list names;
    struct context_list services; /* by their catalog name */
    size_t generated;
};

static struct str embedded(const char *path)
{
    for (const struct embedded_file *f = embedded_files; f->path != NULL; f++) {
        if (text_eq(f->path, path))
            return (struct str){ .p = f->text, .len = f->len };
    }
    return STR("");
}

/* Whether the word is new; it is remembered. */
static bool is_first(struct context_list *list, const char *word)
{
    for (size_t i = 0; i < list->count; i++) {
        if (text_eq(list->items[i], word))
            return false;
    }
    GROW(list->items, list->count, list->capacity);
    list->items[list->count++] = word;
    return true;
}

/* "${secret.NAME}" and nothing else: NAME. */
static const char *named_secret(struct arena *arena, const struct doc_node *value)
{
    const struct str text = str_of(value->kind == DOC_SCALAR ? value->text : NULL);

    if (!str_starts(text, STR("${secret.")) || !str_ends(text, STR("}")))
        return NULL;
    return arena_str(arena, str_slice(text, strlen("${secret."), text.len - 1));
}

static void add_secret(struct writer *w, const struct service *s, const struct service_input *input,
        const char *name)
{
    json_auto_t *spec =
            doc_json(doc_get(doc_get(s->root, "inputs"), input->name), "inputs", &w->scratch);
    const char *doc = jsonx_text(spec, "doc");
    const json_t *rule = json_object_get(spec, "generate");

    if (!is_first(&w->names, name) || dotenv_find(&w->starter, str_of(name)) != NULL)
        return;
    buf_addf(&w->text, "\n# %s: %s%s%s\n", s->title, input->name, doc == NULL ? "" : ", ",
            doc == NULL ? "" : doc);
    if (!input->is_rotatable && input->loss != NULL)
        buf_addf(&w->text, "# Never change it: %s.\n", input->loss);
    char *value = rule == NULL ? NULL : generate_secret(rule, input->pattern);

    if (value == NULL) {
        buf_addf(&w->text, "%s%s=\n", input->is_required ? "" : "# ", name);
        return;
    }
    buf_addf(&w->text, "%s=%s\n", name, value);
    explicit_bzero(value, strlen(value));
    free(value);
    w->generated++;
}

/* The secrets of a service; `with` is what the stack gives it, or NULL. */
static void add_service(struct writer *w, const char *use, const struct doc_node *with)
{
    const struct service *s = load_service(w->c->catalog, use, &w->scratch);

    if (s == NULL)
        return;
    for (size_t i = 0; i < s->input_count; i++) {
        const struct service_input *input = &s->inputs[i];
        const struct doc_node *given = doc_get(with, input->name);
        const char *name = given == NULL ? input->env : named_secret(w->c->arena, given);

        if (input->is_secret && name != NULL)
            add_secret(w, s, input, name);
    }
    if (!is_first(&w->services, s->name))
        return;
    for (size_t i = 0; i < s->need_count; i++) {
        if (s->needs[i].is_implied && s->needs[i].service != NULL)
            add_service(w, s->needs[i].service, NULL);
    }
}

/* What the file names and no input explains: left for its author to fill in. */
static void add_reference(void *arg, enum reference_root of, const char *name)
{
    struct writer *w = arg;
    const char *kept = arena_text(w->c->arena, name);

    if (of == REFERENCE_VAR || name[0] == '\0')
        return;
    if (is_first(&w->names, kept) && dotenv_find(&w->starter, str_of(kept)) == NULL)
        buf_addf(&w->text, "\n# The stack file uses it as ${%s.%s}.\n%s=\n",
                reference_root_name(of), kept, kept);
}

static void fill(struct writer *w)
{
    const struct stack *s = w->c->stack;
    const struct str starter = embedded(STARTER_ENV);

    diag_init(&w->scratch, w->c->arena);
    dotenv_parse(starter, STARTER_ENV, &w->scratch, &w->starter);
    buf_add_str(&w->text, starter);
    for (size_t i = 0; i < s->service_count; i++)
        add_service(w, s->services[i].use, s->services[i].with);
    references_each(s->root, add_reference, w);
}

static void release(struct writer *w)
{
    buf_release(&w->text);
    dotenv_release(&w->starter);
    free(w->names.items);
    free(w->services.items);
    diag_release(&w->scratch);
}

static struct err *write_env(struct context *c, const char *path, size_t *ret_generated)
{
    struct writer w = { .c = c, .text = { .max_bytes = BUF_TEXT_MAX, .is_secret = true } };
    struct err *e = context_load_catalog(c);

    if (e == NULL) {
        fill(&w);
        e = file_create(path, buf_str(&w.text), 0600);
        *ret_generated = w.generated;
    }
    release(&w);
    return e;
}

static void add_next_steps(struct buf *out, const char *stack)
{
    buf_addf(out,
            "\nNext:\n"
            "  deployer validate %s\n"
            "  deployer sandbox start && deployer apply %s --target sandbox    (on this machine)\n"
            "  deployer plan %s    (in Azure: set AZURE_SUBSCRIPTION_ID and log in first)\n",
            stack, stack, stack);
}

static struct err *both_there(const char *stack, const char *env)
{
    struct err *e = err_new(
            ERR_PROTECT, 0, "%s and %s are there already and are left as they are", stack, env);

    err_set_hint(e, "move one away to have it written anew; deployer validate %s checks it", stack);
    return e;
}

static struct err *run(int argc, char **argv)
{
    AUTO(context) struct context c = { 0 };
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);
    size_t generated = 0;

    TRY(context_parse(&c, argc, argv, &(struct context_spec){ .args_max = 1 }));
    const char *dir = c.arg_count == 0 ? "" : c.args[0];
    AUTO(free) char *stack = file_join(dir, "stack.yaml");
    AUTO(free) char *env = file_join(dir, ".env");
    AUTO(free) char *ignore = file_join(dir, ".gitignore");
    const bool has_stack = file_exists(stack);

    if (has_stack && file_exists(env))
        return both_there(stack, env);
    if (dir[0] != '\0')
        TRY(file_make_dir(dir, 0755));
    if (!has_stack) {
        TRY(file_create(stack, embedded(STARTER_STACK), 0644));
        buf_addf(&out, "wrote %s: what runs; change names, location and host name in it\n", stack);
    }
    TRY(context_load_stack(&c, stack));
    if (!file_exists(env)) {
        TRY(write_env(&c, env, &generated));
        buf_addf(&out, "wrote %s: %zu new secrets, readable by you alone; keep it out of git\n",
                env, generated);
    }
    if (!file_exists(ignore)) {
        TRY(file_create(ignore, STR(".env\n.deployer/\n"), 0644));
        buf_addf(&out, "wrote %s: keeps the secrets and the state out of git\n", ignore);
    }
    add_next_steps(&out, stack);
    return context_write(&c, "text", buf_str(&out));
}

const struct command command_init = {
    .name = "init",
    .summary = "write a first stack.yaml and a .env with new secrets",
    .usage = "Usage: deployer init [DIR] [options]\n\n"
             "Writes stack.yaml, .env (mode 0600, with new secrets of the form that the services\n"
             "want) and .gitignore. What is there already is never overwritten: beside a "
             "stack.yaml\n"
             "of yours, only the .env that it needs is written.\n" CONTEXT_USAGE,
    .run = run,
};
