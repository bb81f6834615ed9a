/* deployer import: takes over what is there and what the stack describes, without touching it. */
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "cloud/cloud.h"
#include "commands/adopt.h"
#include "commands/command.h"
#include "commands/context.h"
#include "commands/marker.h"
#include "commands/names.h"
#include "commands/session.h"
#include "state/state.h"

#define LIST_MS 120000

struct options {
    const char *group;
    const char *auth;
    bool is_taken_over;
};

/* One run: what is asked for, and what was found of it. */
struct job {
    struct context *context;
    struct session *session;
    const struct options *options;
    json_t *given; /* {ADDRESS: ID or null} of the command line; empty: everything */
    json_t *ids;   /* {ADDRESS: ID}: the state's and what was found */
    json_t *how;   /* {ADDRESS: "tag"|"name"|"given"} */
    json_t *told;  /* [{"address", "why", "ids"}] */
};

static void job_release(struct job *j)
{
    json_decref(j->given);
    json_decref(j->ids);
    json_decref(j->how);
    json_decref(j->told);
}

static inline void auto_job(struct job *j)
{
    job_release(j);
}

static bool is_asked_for(const void *arg, const char *address)
{
    const struct job *j = arg;

    return json_object_size(j->given) == 0 || json_object_get(j->given, address) != NULL;
}

/* ---- the command line ---- */

static struct err *no_resource(const char *address)
{
    struct err *e = err_new(ERR_USAGE, 0, "the stack has no resource '%s'", address);

    err_set_hint(e, "deployer plan shows the addresses");
    return e;
}

static struct err *read_word(struct job *j, const char *word)
{
    AUTO(free) char *address = NULL;
    const char *id = NULL;

    TRY(adopt_split(word, &address, &id));
    const struct engine_node *n = engine_find(j->session->engine, address);

    if (n == NULL)
        return no_resource(address);
    json_object_set_new(j->given, address, id == NULL ? json_null() : jsonx_must(json_string(id)));
    return NULL;
}

static struct err *read_words(struct job *j)
{
    const struct context *c = j->context;

    for (size_t i = 1; i < c->arg_count; i++)
        TRY(read_word(j, c->args[i]));
    return NULL;
}

/* ---- what has another name, or is in another group ---- */

/* What was given by its id is that, whatever else is there. */
static struct err *take_given(struct job *j)
{
    const char *address = NULL;
    json_t *id = NULL;

    json_object_foreach (j->given, address, id) {
        if (json_is_null(id))
            continue;
        TRY(adopt_check_id(j->session->cloud, engine_find(j->session->engine, address),
                json_string_value(id)));
        json_object_set(j->ids, address, id);
        json_object_set_new(j->how, address, jsonx_must(json_string("given")));
    }
    return NULL;
}

/* Not once more what was given by its id. */
static bool is_looked_for(const void *arg, const char *address)
{
    const struct job *j = arg;

    return is_asked_for(j, address) && !json_is_string(json_object_get(j->given, address));
}

static bool is_other_group(const struct job *j)
{
    return j->options->group != NULL
           && !str_eq_ci(str_of(j->options->group), str_of(j->context->model->resource_group));
}

static const struct kind *group_kind(const struct engine *e)
{
    for (size_t i = 0; i < engine_count(e); i++) {
        if (engine_node(e, i)->kind->is_group)
            return engine_node(e, i)->kind;
    }
    return NULL;
}

static struct err *list_group(const struct job *j, json_t **ret)
{
    const char *group = is_other_group(j) ? j->options->group : NULL;

    TRY(engine_list_contents(j->session->engine, group, clock_now_ms() + LIST_MS, ret));
    if (*ret == NULL && group != NULL)
        return err_new(ERR_NOINPUT, 404, "there is no resource group '%s' in subscription %s",
                group, j->context->model->subscription);
    return NULL;
}

static struct err *look(struct job *j)
{
    struct session *s = j->session;
    const struct kind *kind = group_kind(s->engine);
    json_auto_t *members = NULL;

    TRY(list_group(j, &members));
    AUTO(free)
    char *group_id = !is_other_group(j) || kind == NULL
                             ? NULL
                             : s->cloud->ops->make_id(s->cloud, kind, NULL, j->options->group);
    json_auto_t *found = adopt_find(&(struct adopt_search){ .cloud = s->cloud,
            .engine = s->engine,
            .members = members,
            .group_id = group_id,
            .suffix = j->context->model->suffix,
            .is_asked_for = is_looked_for,
            .arg = j });

    json_object_update(j->ids, json_object_get(found, "ids"));
    json_object_update(j->how, json_object_get(found, "how"));
    j->told = json_incref(json_object_get(found, "told"));
    return NULL;
}

/* What was found elsewhere is read where it is. */
static struct err *go_there(struct job *j)
{
    const char *address = NULL;
    json_t *how = NULL;

    if (json_object_size(j->how) == 0)
        return NULL;
    TRY(session_reload(j->session, j->context->args[0], j->ids));
    TRY(session_refresh(j->session));
    json_object_foreach (j->how, address, how) {
        const struct engine_node *n = engine_find(j->session->engine, address);

        if (n != NULL && n->presence == NODE_ABSENT)
            return err_new(ERR_NOINPUT, 404, "%s: %s is not there", address, n->id);
    }
    state_set(j->session->state, "ids", jsonx_copy(j->ids));
    return NULL;
}

/* ---- taking over ---- */

static bool is_to_adopt(const struct job *j, const struct engine_node *n)
{
    return n->item != NULL && n->entry == NULL && n->presence == NODE_PRESENT
           && (n->action == PLAN_ADOPT || n->action == PLAN_REPLACE) && is_asked_for(j, n->address);
}

/* What another stack's deployer made is taken from it only by name. */
static bool is_left(struct job *j, const struct engine_node *n)
{
    if (!adopt_is_of_another_stack(n) || json_object_get(j->given, n->address) != NULL)
        return false;
    AUTO(free)
    char *why =
            xasprintf("is tagged as %s", jsonx_text(jsonx_get_ci(n->actual, "tags"), MODEL_TAG));

    json_array_append_new(j->told, jsonx_must(json_pack("{s:s, s:s, s:[s]}", "address", n->address,
                                           "why", why, "ids", n->id)));
    return true;
}

static const char *how_of(const struct job *j, const struct engine_node *n)
{
    const char *how = jsonx_text(j->how, n->address);

    return how == NULL ? "id" : how;
}

static json_t *take_over(struct job *j)
{
    struct engine *e = j->session->engine;
    json_t *adopted = jsonx_must(json_array());

    for (size_t i = 0; i < engine_count(e); i++) {
        struct engine_node *n = engine_node(e, i);

        if (!is_to_adopt(j, n) || is_left(j, n))
            continue;
        engine_adopt(e, n);
        json_array_append_new(adopted,
                jsonx_must(json_pack("{s:s, s:s, s:s, s:I}", "address", n->address, "id", n->id,
                        "by", how_of(j, n), "differences", (json_int_t)n->changes.count)));
    }
    return adopted;
}

static struct err *record(struct job *j)
{
    struct state *state = j->session->state;

    names_record(state, j->context->model);
    TRY(state_commit(state));
    return state_compact(state);
}

/* ---- telling ---- */

static void add_adopted(struct buf *out, const json_t *adopted)
{
    static const char *const ways[][2] = { { "tag", "  (found by its tag: its name stays)" },
        { "name", "  (found by its name in the other group: it stays there)" },
        { "given", "  (as given: its name stays)" } };
    size_t differing = 0;
    size_t i = 0;
    json_t *one = NULL;

    json_array_foreach ((json_t *)(uintptr_t)adopted, i, one) {
        const bool differs = jsonx_int(one, "differences", 0) > 0;

        differing += differs;
        buf_addf(out, "  %s  %s", jsonx_text(one, "address"), jsonx_text(one, "id"));
        for (size_t k = 0; k < ARRAY_LEN(ways); k++) {
            if (text_eq(jsonx_text(one, "by"), ways[k][0]))
                buf_add_text(out, ways[k][1]);
        }
        buf_add_text(out, differs ? "  (differs from the file)\n" : "\n");
    }
    buf_addf(out, "%zu taken over, %zu of them differ from the file: deployer plan shows how\n",
            json_array_size(adopted), differing);
}

static void add_told(struct buf *out, const struct job *j)
{
    size_t i = 0;
    json_t *one = NULL;

    if (json_array_size(j->told) > 0)
        buf_add_text(out, "\nNot taken over, because only you can tell. If it is the one:\n");
    json_array_foreach (j->told, i, one) {
        size_t k = 0;
        json_t *id = NULL;

        buf_addf(out, "  %s: %s\n", jsonx_text(one, "address"), jsonx_text(one, "why"));
        json_array_foreach (json_object_get(one, "ids"), k, id)
            buf_addf(out, "    deployer import %s '%s=%s'\n", j->context->args[0],
                    jsonx_text(one, "address"), json_string_value(id));
    }
}

static struct err *tell(struct job *j, json_t *adopted)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);
    struct context *c = j->context;

    add_adopted(&out, adopted);
    add_told(&out, j);
    TRY(context_write(c, "text", buf_str(&out)));
    if (!context_wants(c, "json"))
        return NULL;
    json_auto_t *json = jsonx_must(json_pack(
            "{s:i, s:O, s:O}", "format_version", 1, "adopted", adopted, "not_adopted", j->told));

    return context_write_json(c, json);
}

/* ---- the command ---- */

static struct err *import(struct job *j)
{
    struct session *s = j->session;

    TRY(read_words(j));
    TRY(session_resume(s));
    TRY(session_refresh(s));
    TRY(marker_check(s, j->options->is_taken_over));
    TRY(take_given(j));
    TRY(look(j));
    TRY(go_there(j));
    TRY(engine_plan(s->engine));
    json_auto_t *adopted = take_over(j);

    TRY(record(j));
    return tell(j, adopted);
}

static struct err *run(int argc, char **argv)
{
    AUTO(context) struct context c = { 0 };
    AUTO(session) struct session s = { 0 };
    struct options o = { 0 };
    const struct context_option own[] = {
        { .name = "resource-group", .value = &o.group },
        { .name = "auth", .value = &o.auth },
        { .name = "take-over", .flag = &o.is_taken_over },
    };

    TRY(context_parse(&c, argc, argv,
            &(struct context_spec){ .options = own,
                    .option_count = ARRAY_LEN(own),
                    .args_min = 1,
                    .args_max = 1000,
                    .formats = "text json" }));
    TRY(session_open(&c,
            &(struct session_options){ .file = c.args[0], .auth = o.auth, .is_locked = true }, &s));
    const json_t *kept = json_object_get(state_document(s.state), "ids");
    AUTO(job)
    struct job j = { .context = &c,
        .session = &s,
        .options = &o,
        .given = jsonx_must(json_object()),
        .ids = kept == NULL ? jsonx_must(json_object()) : jsonx_copy(kept),
        .how = jsonx_must(json_object()) };

    return import(&j);
}

const struct command command_import = {
    .name = "import",
    .summary = "take over resources that are there already",
    .usage =
            "Usage: deployer import STACK [ADDRESS[=ID]...] [OPTIONS]\n\n"
            "Finds what the stack describes and the state does not have, and puts it into the "
            "state\n"
            "without touching it: by its id, else by the tag that deployer writes to what it "
            "makes.\n"
            "What has another name then keeps it. What leaves a doubt is named with the command\n"
            "that takes it (ADDRESS=ID). Afterwards plan shows where it differs from the "
            "file.\n\n"
            "Options:\n"
            "      --resource-group RG  looks there, too (default: the stack's own): by tag and by "
            "name;\n"
            "                           what is found stays there\n"
            "      --take-over          although the group is marked by another state\n"
            "      --auth NAME          forces a login\n" CONTEXT_USAGE,
    .run = run,
};
