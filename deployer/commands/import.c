/* deployer import: takes over what is there and what the stack describes, without touching it. */
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/jsonx.h"
#include "commands/command.h"
#include "commands/context.h"
#include "commands/marker.h"
#include "commands/session.h"
#include "state/state.h"

struct options {
    const char *group;
    const char *auth;
    bool is_taken_over;
};

static bool is_asked_for(const struct context *c, const char *address)
{
    for (size_t i = 1; i < c->arg_count; i++) {
        if (text_eq(c->args[i], address))
            return true;
    }
    return c->arg_count == 1;
}

static bool is_to_adopt(const struct context *c, const struct engine_node *n)
{
    return n->item != NULL && n->entry == NULL && n->presence == NODE_PRESENT
           && (n->action == PLAN_ADOPT || n->action == PLAN_REPLACE) && is_asked_for(c, n->address);
}

static struct err *check_group(const struct context *c, const struct options *o)
{
    if (o->group == NULL || str_eq_ci(str_of(o->group), str_of(c->model->resource_group)))
        return NULL;
    return err_new(ERR_USAGE, 0,
            "the stack's resources are in '%s', not in '%s': set azure.resource_group",
            c->model->resource_group, o->group);
}

static struct err *check_names(const struct context *c, const struct session *s)
{
    for (size_t i = 1; i < c->arg_count; i++) {
        if (engine_find(s->engine, c->args[i]) == NULL)
            return err_new(ERR_USAGE, 0, "the stack has no resource '%s'", c->args[i]);
    }
    return NULL;
}

static struct err *take_over(struct context *c, struct session *s)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);
    json_auto_t *adopted = jsonx_must(json_array());
    size_t differing = 0;

    for (size_t i = 0; i < engine_count(s->engine); i++) {
        struct engine_node *n = engine_node(s->engine, i);

        if (!is_to_adopt(c, n))
            continue;
        engine_adopt(s->engine, n);
        differing += n->changes.count > 0;
        json_array_append_new(
                adopted, jsonx_must(json_pack("{s:s, s:s, s:I}", "address", n->address, "id", n->id,
                                 "differences", (json_int_t)n->changes.count)));
        buf_addf(&out, "  %s  %s%s\n", n->address, n->id,
                n->changes.count > 0 ? "  (differs from the file)" : "");
    }
    if (c->model->suffix != NULL)
        state_set(s->state, "suffix", jsonx_must(json_string(c->model->suffix)));
    TRY(state_commit(s->state));
    TRY(state_compact(s->state));
    buf_addf(&out, "%zu taken over, %zu of them differ from the file: deployer plan shows how\n",
            json_array_size(adopted), differing);
    TRY(context_write(c, "text", buf_str(&out)));
    if (!context_wants(c, "json"))
        return NULL;
    json_auto_t *json =
            jsonx_must(json_pack("{s:i, s:O}", "format_version", 1, "adopted", adopted));

    return context_write_json(c, json);
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
    TRY(check_group(&c, &o));
    TRY(check_names(&c, &s));
    TRY(session_resume(&s));
    TRY(session_refresh(&s));
    TRY(marker_check(&s, o.is_taken_over));
    TRY(engine_plan(s.engine));
    return take_over(&c, &s);
}

const struct command command_import = {
    .name = "import",
    .summary = "take over resources that are there already",
    .usage = "Usage: deployer import STACK [ADDRESS...] [OPTIONS]\n\n"
             "Finds what the stack describes and the state does not have, and puts it into the "
             "state\n"
             "without touching it. Afterwards plan shows where it differs from the file.\n\n"
             "Options:\n"
             "      --resource-group RG  must be the stack's; guards against the wrong file\n"
             "      --take-over          although the group is marked by another state\n"
             "      --auth NAME          forces a login\n" CONTEXT_USAGE,
    .run = run,
};
