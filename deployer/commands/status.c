/* deployer status: what the state owns, and how that is in the cloud. */
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "cloud/cloud.h"
#include "commands/command.h"
#include "commands/context.h"
#include "commands/session.h"
#include "report/style.h"
#include "state/state.h"

struct condition {
    const char *word;
    enum style style;
    bool is_bad;
};

static bool is_one_of(const char *word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq_ci(str_of(word), str_of(words[i])))
            return true;
    }
    return false;
}

static struct condition condition_of(const struct session *s, const struct engine_node *n)
{
    static const char *const good[] = { "Succeeded", "Ready" };
    static const char *const bad[] = { "Failed", "Canceled", "Cancelled" };
    const char *state = s->cloud->ops->state == NULL ? NULL : s->cloud->ops->state(n->actual);
    const char *status = jsonx_text(n->entry, "status");

    if (n->presence == NODE_DENIED)
        return (struct condition){ "not readable", STYLE_WARN, false };
    if (n->presence != NODE_PRESENT)
        return (struct condition){ "gone", STYLE_BAD, true };
    if (state != NULL && is_one_of(state, bad, ARRAY_LEN(bad)))
        return (struct condition){ state, STYLE_BAD, true };
    if (status != NULL && !text_eq(status, "ready"))
        return (struct condition){ status, STYLE_WARN, true };
    if (jsonx_text(n->entry, "note") != NULL)
        return (struct condition){ jsonx_text(n->entry, "note"), STYLE_WARN, false };
    if (state == NULL || is_one_of(state, good, ARRAY_LEN(good)))
        return (struct condition){ "ready", STYLE_GOOD, false };
    return (struct condition){ state, STYLE_CHANGE, false };
}

static size_t widest_address(const struct session *s)
{
    size_t widest = 0;

    for (size_t i = 0; i < engine_count(s->engine); i++) {
        const struct engine_node *n = engine_node(s->engine, i);

        if (n->entry != NULL && strlen(n->address) > widest)
            widest = strlen(n->address);
    }
    return widest;
}

static const char *last_segment(const char *id)
{
    const char *slash = strrchr(id, '/');

    return slash == NULL ? id : slash + 1;
}

static void add_line(const struct session *s, const struct engine_node *n, size_t widest,
        bool has_color, struct buf *out)
{
    const struct condition condition = condition_of(s, n);

    style_add(out, has_color, condition.style, condition.word);
    style_pad(out, text_columns(str_of(condition.word)), 13);
    buf_add_text(out, n->address);
    style_pad(out, strlen(n->address), widest + 2);
    text_add_escaped(out, str_of(last_segment(n->id)));
    style_addf(out, has_color, STYLE_DIM, "  %s", n->kind->title);
    buf_add_char(out, '\n');
}

static void add_intents(const struct session *s, struct buf *out)
{
    const char *key = NULL;
    json_t *intent = NULL;

    json_object_foreach (json_object_get(state_document(s->state), "intents"), key, intent) {
        buf_addf(out, "under way    %s: %s since %s\n", jsonx_text(intent, "address"),
                jsonx_text(intent, "action"), jsonx_text(intent, "since"));
    }
}

static struct err *print_text(struct context *c, const struct session *s, size_t owned, size_t bad)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);
    const struct model *m = c->model;

    style_addf(&out, c->has_color, STYLE_BOLD, "%s%s%s", m->stack,
            m->environment[0] != '\0' ? " " : "", m->environment);
    buf_addf(&out, " in %s, %s (%s), state in %s\n", m->resource_group, m->location, m->target,
            state_name(s->state));
    for (size_t i = 0; i < engine_count(s->engine); i++) {
        const struct engine_node *n = engine_node(s->engine, i);

        if (n->entry != NULL)
            add_line(s, n, widest_address(s), c->has_color, &out);
    }
    add_intents(s, &out);
    if (owned == 0)
        buf_add_text(&out, "Nothing is owned: deployer apply makes it.\n");
    else
        buf_addf(&out, "%zu owned, %zu not as they should be\n", owned, bad);
    return context_write(c, "text", buf_str(&out));
}

static struct err *print_json(struct context *c, const struct session *s)
{
    json_t *list = jsonx_must(json_array());
    const json_t *document = state_document(s->state);

    for (size_t i = 0; i < engine_count(s->engine); i++) {
        const struct engine_node *n = engine_node(s->engine, i);

        if (n->entry == NULL)
            continue;
        const struct condition condition = condition_of(s, n);

        json_array_append_new(
                list, jsonx_must(json_pack("{s:s, s:s, s:s, s:s, s:b}", "address", n->address, "id",
                              n->id, "kind", n->kind->name, "condition", condition.word, "ok",
                              (int)!condition.is_bad)));
    }
    json_auto_t *json = jsonx_must(json_pack("{s:i, s:s, s:s, s:s, s:o, s:O?, s:O?}",
            "format_version", 1, "stack", c->model->stack, "environment", c->model->environment,
            "target", c->model->target, "resources", list, "under_way",
            json_object_get(document, "intents"), "serial", json_object_get(document, "serial")));

    return context_write_json(c, json);
}

static struct err *run(int argc, char **argv)
{
    AUTO(context) struct context c = { 0 };
    AUTO(session) struct session s = { 0 };
    const char *auth = NULL;
    const struct context_option own[] = { { .name = "auth", .value = &auth } };
    size_t owned = 0;
    size_t bad = 0;

    TRY(context_parse(&c, argc, argv,
            &(struct context_spec){ .options = own,
                    .option_count = ARRAY_LEN(own),
                    .args_min = 1,
                    .args_max = 1,
                    .formats = "text json" }));
    TRY(session_open(&c,
            &(struct session_options){
                    .file = c.args[0], .auth = auth, .is_without_secrets = true },
            &s));
    TRY(session_refresh(&s));
    for (size_t i = 0; i < engine_count(s.engine); i++) {
        const struct engine_node *n = engine_node(s.engine, i);

        owned += n->entry != NULL;
        bad += n->entry != NULL && condition_of(&s, n).is_bad;
    }
    if (context_wants(&c, "text"))
        TRY(print_text(&c, &s, owned, bad));
    if (context_wants(&c, "json"))
        TRY(print_json(&c, &s));
    return bad == 0 ? NULL : err_new(ERR_FAILED, 0, "%s", "");
}

const struct command command_status = {
    .name = "status",
    .summary = "show what the state owns and how it is in the cloud",
    .usage = "Usage: deployer status STACK [OPTIONS]\n\n"
             "Exit status 1 when something that the state owns is gone, failed or not ready.\n\n"
             "Options:\n"
             "      --auth NAME          forces a login\n" CONTEXT_USAGE,
    .run = run,
};
