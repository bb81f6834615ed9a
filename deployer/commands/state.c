/* state: looks into what a stack owns, and mends it by hand. */
#include "commands/command.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "base/num.h"
#include "base/text.h"
#include "commands/context.h"
#include "commands/state_access.h"
#include "stack/stack.h"
#include "state/record.h"
#include "state/state.h"

/* One run of `deployer state`. */
struct job {
    struct context *context;
    struct state_access access;
    struct state *state;
    bool is_forced;
    bool is_repaired;
    const char *lock_timeout;
    const char *const *words; /* behind STACK */
    size_t word_count;
};

struct verb {
    const char *name;
    size_t words_min;
    size_t words_max;
    bool is_locked;
    struct err *(*run)(struct job *j);
};

/* ---- show, list, pull ---- */

static struct err *show(struct job *j)
{
    const json_t *what = state_document(j->state);

    if (j->word_count == 1) {
        what = state_entry_at(j->state, j->words[0]);
        if (what == NULL)
            what = state_entry(j->state, j->words[0]);
        if (what == NULL)
            return err_new(
                    ERR_CONFIG, 0, "%s: nothing is at '%s'", state_name(j->state), j->words[0]);
    }
    AUTO(free) char *text = jsonx_pretty(what);

    if (context_wants(j->context, "json"))
        TRY(context_write(j->context, "json", str_of(text)));
    return context_wants(j->context, "text") ? context_write(j->context, "text", str_of(text))
                                             : NULL;
}

static json_t *list_json(const struct state *s)
{
    json_t *list = jsonx_must(json_array());
    const char *key = NULL;
    json_t *entry = NULL;

    json_object_foreach (json_object_get(state_document(s), "entries"), key, entry) {
        json_array_append_new(
                list, jsonx_must(json_pack("{s:s?, s:s?, s:s?, s:s?}", "address",
                              jsonx_text(entry, "address"), "kind", jsonx_text(entry, "kind"), "id",
                              jsonx_text(entry, "id") == NULL ? key : jsonx_text(entry, "id"),
                              "status", jsonx_text(entry, "status"))));
    }
    return list;
}

static struct err *list(struct job *j)
{
    json_auto_t *entries = list_json(j->state);
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);
    size_t i = 0;
    json_t *entry = NULL;

    json_array_foreach (entries, i, entry) {
        const char *address = jsonx_text(entry, "address");

        text_add_escaped(&out, str_of(address == NULL ? "-" : address));
        buf_add_text(&out, "  ");
        text_add_escaped(&out, str_of(jsonx_text(entry, "id")));
        buf_add_char(&out, '\n');
    }
    if (context_wants(j->context, "text"))
        TRY(context_write(j->context, "text", buf_str(&out)));
    if (!context_wants(j->context, "json"))
        return NULL;
    json_auto_t *document = jsonx_must(json_pack("{s:i, s:s, s:I, s:O}", "format_version", 1,
            "state", state_name(j->state), "serial",
            (json_int_t)jsonx_int(state_document(j->state), "serial", 0), "entries", entries));

    return context_write_json(j->context, document);
}

/* The snapshot as it is stored, checksum and all: what push takes. */
static struct err *pull(struct job *j)
{
    AUTO(free) char *text = record_snapshot(state_document(j->state));

    return context_write(j->context, j->context->outputs[0].format, str_of(text));
}

/* ---- rm, mv, push ---- */

static struct err *forget(struct job *j)
{
    AUTO(free)
    char *question = xasprintf(
            "Forget %zu resource%s in %s? They stay in the cloud, and nobody owns them then.",
            j->word_count, j->word_count == 1 ? "" : "s", state_name(j->state));

    for (size_t i = 0; i < j->word_count; i++) {
        if (state_entry_at(j->state, j->words[i]) == NULL)
            return err_new(
                    ERR_CONFIG, 0, "%s: nothing is at '%s'", state_name(j->state), j->words[i]);
    }
    TRY(context_confirm(j->context, question));
    for (size_t i = 0; i < j->word_count; i++) {
        const json_t *entry = state_entry_at(j->state, j->words[i]);

        if (entry == NULL)
            continue; /* named twice */
        AUTO(free) char *id = xstrdup(jsonx_text(entry, "id"));

        state_drop_entry(j->state, id);
        state_rename_id(j->state, j->words[i], NULL);
    }
    return state_commit(j->state);
}

/* Edges to the old address are edges to the new one. */
static bool rename_needs(json_t *entry, const char *from, const char *to)
{
    json_t *needs = json_object_get(entry, "depends_on");
    bool is_changed = false;

    for (size_t i = 0; i < json_array_size(needs); i++) {
        if (text_eq(json_string_value(json_array_get(needs, i)), from)) {
            json_array_set_new(needs, i, jsonx_must(json_string(to)));
            is_changed = true;
        }
    }
    return is_changed;
}

static void move_entries(struct state *s, const char *from, const char *to)
{
    json_auto_t *entries = jsonx_copy(json_object_get(state_document(s), "entries"));
    const char *key = NULL;
    json_t *entry = NULL;

    json_object_foreach (entries, key, entry) {
        const bool is_it = text_eq(jsonx_text(entry, "address"), from);

        if (is_it)
            json_object_set_new(entry, "address", jsonx_must(json_string(to)));
        if (rename_needs(entry, from, to) || is_it)
            state_put_entry(s, key, json_incref(entry));
    }
}

static struct err *move(struct job *j)
{
    const char *from = j->words[0];
    const char *to = j->words[1];

    if (state_entry_at(j->state, from) == NULL)
        return err_new(ERR_CONFIG, 0, "%s: nothing is at '%s'", state_name(j->state), from);
    if (state_entry_at(j->state, to) != NULL)
        return err_new(ERR_CONFIG, 0, "%s: something is at '%s' already", state_name(j->state), to);
    move_entries(j->state, from, to);
    state_rename_id(j->state, from, to);
    return state_commit(j->state);
}

/* With --repair the checksum is made anew: whoever edited the file by hand stands for it. */
static struct err *read_pushed(struct job *j, json_t **ret)
{
    AUTO(buf) struct buf text = BUF_INIT(STATE_BYTES_MAX);
    json_auto_t *edited = NULL;

    TRY(file_read(j->words[0], STATE_BYTES_MAX, &text));
    if (!j->is_repaired)
        return record_read_snapshot(buf_str(&text), j->words[0], ret);
    TRY(jsonx_load(buf_str(&text), j->words[0], &edited));
    if (!json_is_object(edited))
        return err_new(ERR_CONFIG, 0, "%s: this is no state", j->words[0]);
    AUTO(free) char *sealed = record_snapshot(edited);

    return record_read_snapshot(str_of(sealed), j->words[0], ret);
}

static struct err *push(struct job *j)
{
    json_auto_t *document = NULL;

    TRY(read_pushed(j, &document));
    AUTO(free)
    char *question = xasprintf("Put %s in place of %s (serial %lld)?", j->words[0],
            state_name(j->state), (long long)jsonx_int(state_document(j->state), "serial", 0));

    TRY(context_confirm(j->context, question));
    TRY(state_replace(j->state, TAKE(document), j->is_forced || j->is_repaired));
    if (state_kept_copy(j->state) == NULL)
        return NULL;
    AUTO(free)
    char *text = xasprintf("The damaged one is kept as %s\n", state_kept_copy(j->state));

    return context_wants(j->context, "text") ? context_write(j->context, "text", str_of(text))
                                             : NULL;
}

/* ---- the command ---- */

static const struct verb verbs[] = {
    { "list", 0, 0, false, list },
    { "show", 0, 1, false, show },
    { "pull", 0, 0, false, pull },
    { "rm", 1, 1000, true, forget },
    { "mv", 2, 2, true, move },
    { "push", 1, 1, true, push },
};

/* Of a name that context_parse let through. */
static const struct verb *verb_of(const char *name)
{
    size_t i = 0;

    while (i + 1 < ARRAY_LEN(verbs) && !text_eq(verbs[i].name, name))
        i++;
    return &verbs[i];
}

static struct err *open_job(struct job *j, const struct verb *v)
{
    struct context *c = j->context;
    struct state_open o = { .is_locked = v->is_locked, .is_overwritten = j->is_repaired };

    if (!text_eq(c->args[1], "-")) {
        TRY(context_load_stack(c, c->args[1]));
        o.stack_dir = c->stack->dir;
        o.owner.stack = c->stack->name;
        o.owner.environment = c->stack->environment;
    }
    o.url = state_access_url(c);
    if (j->lock_timeout != NULL)
        TRY(num_parse_duration_ms(str_of(j->lock_timeout), &o.lock_timeout_ms));
    TRY(state_access_fill(&j->access, c, NULL, NULL, &o));
    return state_open(&o, &j->state);
}

static struct err *run_verb(struct job *j)
{
    struct context *c = j->context;
    const struct verb *v = verb_of(c->args[0]);

    if (c->arg_count < 2)
        return err_new(ERR_USAGE, 0, "state %s: which stack? ('-' with --state URL)", v->name);
    j->words = c->args + 2;
    j->word_count = c->arg_count - 2;
    if (j->word_count < v->words_min || j->word_count > v->words_max)
        return err_new(ERR_USAGE, 0, "state %s: see deployer state --help", v->name);
    TRY(open_job(j, v));
    return v->run(j);
}

static struct err *run(int argc, char **argv)
{
    AUTO(context) struct context c = { 0 };
    struct job j = { .context = &c };
    const struct context_option own[] = { { .name = "force", .flag = &j.is_forced },
        { .name = "repair", .flag = &j.is_repaired },
        { .name = "lock-timeout", .value = &j.lock_timeout } };
    const char *names[ARRAY_LEN(verbs) + 1] = { NULL };

    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        names[i] = verbs[i].name;

    TRY(context_parse(&c, argc, argv,
            &(struct context_spec){ .options = own,
                    .option_count = ARRAY_LEN(own),
                    .args_min = 1,
                    .args_max = 1002,
                    .verbs = names,
                    .formats = "text json" }));
    struct err *e = run_verb(&j);

    state_close(j.state);
    state_access_release(&j.access);
    return e;
}

const struct command command_state = {
    .name = "state",
    .summary = "look into what a stack owns, and mend it by hand",
    .usage = "Usage: deployer state VERB STACK [ARGUMENTS] [options]\n\n"
             "  list STACK               what it owns: address and id\n"
             "  show STACK [ADDRESS]     all of it, or one resource's entry\n"
             "  pull STACK               the state as it is stored\n"
             "  push STACK FILE          puts a pulled one in its place\n"
             "  rm STACK ADDRESS...      forgets resources; they stay in the cloud\n"
             "  mv STACK FROM TO         the same resource under another address\n\n"
             "STACK is the stack file, or '-' when --state names the state.\n\n"
             "      --force              push: also an older one, or one of another lineage\n"
             "      --repair             push: a file that was edited by hand, or over a damaged "
             "one\n"
             "      --lock-timeout TIME  how long to wait for the lock; default: not at all\n"
             "Formats: text (default), json.\n" CONTEXT_USAGE,
    .run = run,
};
