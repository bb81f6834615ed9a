#include "report/result_text.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "report/style.h"

static const char *const status_names[] = {
    [NODE_WAITING] = "waiting",
    [NODE_RUNNING] = "running",
    [NODE_DONE] = "done",
    [NODE_FAILED] = "failed",
    [NODE_SKIPPED] = "skipped",
    [NODE_LEFT] = "left",
};
_Static_assert(ARRAY_LEN(status_names) == NODE_LEFT + 1, "a name for each status");

static bool is_told(const struct engine_node *n)
{
    return n->item != NULL && (n->was_changed || n->was_kept || n->status != NODE_DONE);
}

/* ---- counts ---- */

static size_t count_done(const struct engine *e, enum plan_action action)
{
    size_t count = 0;

    for (size_t i = 0; i < engine_count(e); i++) {
        const struct engine_node *n = engine_node(e, i);

        count += n->item != NULL && n->status == NODE_DONE && n->was_changed && !n->was_kept
                 && (n->item->action == action
                         /* what changed in consequence was not in the plan */
                         || (action == PLAN_UPDATE && n->item->action == PLAN_NONE));
    }
    return count;
}

static void add_counts(const struct engine *e, struct buf *out)
{
    static const struct {
        enum plan_action action;
        const char *word;
    } words[] = { { PLAN_CREATE, "created" }, { PLAN_UPDATE, "changed" },
        { PLAN_REPLACE, "replaced" }, { PLAN_ADOPT, "adopted" }, { PLAN_MOVE, "moved" },
        { PLAN_DELETE, "deleted" }, { PLAN_RESET, "set back" }, { PLAN_FORGET, "forgotten" } };
    bool is_first = true;

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        const size_t count = count_done(e, words[i].action);

        if (count == 0)
            continue;
        buf_addf(out, "%s%zu %s", is_first ? "" : ", ", count, words[i].word);
        is_first = false;
    }
    if (is_first)
        buf_add_text(out, "nothing was changed");
}

/* ---- lists ---- */

static void add_failed(const struct engine *e, bool has_color, struct buf *out)
{
    if (engine_status_count(e, NODE_FAILED) == 0)
        return;
    buf_add_char(out, '\n');
    style_add(out, has_color, STYLE_BAD, "Failed");
    buf_add_char(out, '\n');
    for (size_t i = 0; i < engine_count(e); i++) {
        const struct engine_node *n = engine_node(e, i);

        if (n->status != NODE_FAILED)
            continue;
        buf_add_text(out, "  ");
        style_add(out, has_color, STYLE_BOLD, n->address);
        buf_add_text(out, ": ");
        text_add_escaped(out, str_of(err_text(n->error)));
        buf_add_char(out, '\n');
        if (err_hint(n->error)[0] != '\0')
            buf_addf(out, "    next: %s\n", err_hint(n->error));
    }
}

static void add_skipped_for(
        const struct engine *e, const struct engine_node *because, bool has_color, struct buf *out)
{
    AUTO(free) const char **names = xcalloc(engine_count(e) + 1, sizeof(*names));
    size_t count = 0;

    for (size_t i = 0; i < engine_count(e); i++) {
        const struct engine_node *n = engine_node(e, i);

        if (n->status == NODE_SKIPPED && text_eq(n->because, because->address))
            names[count++] = n->address;
    }
    if (count == 0)
        return;
    buf_add_char(out, '\n');
    style_addf(out, has_color, STYLE_WARN, "Skipped because %s failed", because->address);
    buf_add_text(out, "\n  ");
    style_wrap(out, names, count, 2, 100);
    buf_add_char(out, '\n');
}

static void add_left(const struct engine *e, bool has_color, struct buf *out)
{
    const size_t left = engine_status_count(e, NODE_LEFT);

    if (left == 0)
        return;
    buf_add_char(out, '\n');
    style_addf(out, has_color, STYLE_WARN,
            "%zu not finished: what is under way goes on in the cloud, and the next run takes it "
            "up",
            left);
    buf_add_char(out, '\n');
}

static void add_kept(const struct engine *e, struct buf *out)
{
    for (size_t i = 0; i < engine_count(e); i++) {
        const struct engine_node *n = engine_node(e, i);

        if (n->was_kept)
            buf_addf(out, "\n%s was %s\n", n->id, n->note);
    }
}

void result_text_write(const struct engine *e, int64_t elapsed_ms, bool has_color, struct buf *out)
{
    char took[CLOCK_DURATION_SIZE];
    const bool is_good = engine_status_count(e, NODE_FAILED) + engine_status_count(e, NODE_SKIPPED)
                                 + engine_status_count(e, NODE_LEFT)
                         == 0;

    clock_duration(elapsed_ms, took);
    add_failed(e, has_color, out);
    for (size_t i = 0; i < engine_count(e); i++) {
        if (engine_node(e, i)->status == NODE_FAILED)
            add_skipped_for(e, engine_node(e, i), has_color, out);
    }
    add_left(e, has_color, out);
    add_kept(e, out);
    buf_add_char(out, '\n');
    style_add(out, has_color, is_good ? STYLE_GOOD : STYLE_BOLD, is_good ? "Done" : "Ended");
    buf_addf(out, " in %s: ", took);
    add_counts(e, out);
    if (engine_status_count(e, NODE_FAILED) > 0)
        buf_addf(out, ", %zu failed", engine_status_count(e, NODE_FAILED));
    if (engine_status_count(e, NODE_SKIPPED) > 0)
        buf_addf(out, ", %zu skipped", engine_status_count(e, NODE_SKIPPED));
    buf_add_char(out, '\n');
}

json_t *result_json(const struct engine *e)
{
    json_t *all = jsonx_must(json_array());

    for (size_t i = 0; i < engine_count(e); i++) {
        const struct engine_node *n = engine_node(e, i);

        if (!is_told(n))
            continue;
        json_t *one = jsonx_must(json_pack("{s:s, s:s, s:s, s:f}", "address", n->address, "action",
                plan_action_name(n->item->action), "status", status_names[n->status], "seconds",
                (double)n->elapsed_ms / 1000));

        if (n->id != NULL)
            json_object_set_new(one, "id", text_json(str_of(n->id)));
        if (n->error != NULL)
            json_object_set_new(one, "error", text_json(str_of(err_text(n->error))));
        if (n->error != NULL && err_hint(n->error)[0] != '\0')
            json_object_set_new(one, "hint", text_json(str_of(err_hint(n->error))));
        if (n->because != NULL)
            json_object_set_new(one, "because", text_json(str_of(n->because)));
        if (n->note != NULL)
            json_object_set_new(one, "note", text_json(str_of(n->note)));
        json_array_append_new(all, one);
    }
    return all;
}

/* ---- outputs and notes ---- */

void result_text_outputs(const json_t *outputs, bool has_color, struct buf *out)
{
    const char *name = NULL;
    json_t *one = NULL;
    size_t widest = 0;

    json_object_foreach ((json_t *)(uintptr_t)outputs, name, one)
        widest = strlen(name) > widest ? strlen(name) : widest;
    json_object_foreach ((json_t *)(uintptr_t)outputs, name, one) {
        const json_t *value = json_object_get(one, "value");

        buf_add_text(out, "  ");
        style_add(out, has_color, STYLE_BOLD, name);
        style_pad(out, strlen(name), widest + 2);
        if (jsonx_bool(one, "secret", false))
            style_add(out, has_color, STYLE_DIM, "(secret)");
        else if (json_is_string(value))
            text_add_escaped(out, str_of(json_string_value(value)));
        else
            style_value(out, value, 200);
        buf_add_char(out, '\n');
    }
}

void result_text_notes(const json_t *notes, size_t width, bool has_color, struct buf *out)
{
    size_t i = 0;
    json_t *note = NULL;

    json_array_foreach ((json_t *)(uintptr_t)notes, i, note) {
        AUTO(free) char *copy = xstrdup(json_string_value(note));
        size_t column = 2;
        struct str rest = str_of(copy);

        style_add(out, has_color, STYLE_WARN, "*");
        while (rest.p != NULL) {
            const struct str word = str_cut(&rest, ' ');

            if (column > 2 && column + 1 + text_columns(word) > width) {
                buf_add_text(out, "\n ");
                column = 1;
            }
            buf_add_char(out, ' ');
            text_add_escaped(out, word);
            column += 1 + text_columns(word);
        }
        buf_add_char(out, '\n');
    }
}
