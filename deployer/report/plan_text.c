#include "report/plan_text.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "report/style.h"

/* Where names begin. */
#define NAME_COLUMN 13u
#define VALUE_MAX 60u

struct look {
    const char *sign;
    const char *verb;
    enum style style;
};

static const struct look looks[PLAN_ACTION_COUNT] = {
    [PLAN_NONE] = { " ", "keep", STYLE_DIM },
    [PLAN_CREATE] = { "+", "create", STYLE_GOOD },
    [PLAN_UPDATE] = { "~", "change", STYLE_CHANGE },
    [PLAN_REPLACE] = { "±", "replace", STYLE_WARN },
    [PLAN_DELETE] = { "-", "delete", STYLE_BAD },
    [PLAN_MOVE] = { ">", "move", STYLE_CHANGE },
    [PLAN_ADOPT] = { "<", "adopt", STYLE_CHANGE },
    [PLAN_READ] = { " ", "read", STYLE_DIM },
    [PLAN_FORGET] = { ".", "forget", STYLE_DIM },
    [PLAN_RESET] = { "~", "reset", STYLE_CHANGE },
    [PLAN_UNKNOWN] = { "?", "unknown", STYLE_WARN },
};

static struct str service_of(const struct plan_item *item)
{
    struct str rest = str_of(item->address);

    return str_cut(&rest, '.');
}

/* The address without its service. */
static const char *name_of(const struct plan_item *item)
{
    const char *dot = strchr(item->address, '.');

    return dot == NULL ? item->address : dot + 1;
}

static bool is_silent(const struct plan_item *item)
{
    return item->action == PLAN_NONE || item->action == PLAN_READ;
}

/* Has lines of its own below it. */
static bool is_detailed(const struct plan_item *item)
{
    if (item->action == PLAN_CREATE && item->id == NULL)
        return false; /* that its name comes later is no news in a list of what comes */
    return item->changes.count > 0 || item->moved_from != NULL
           || (item->reason != NULL && item->action != PLAN_DELETE && item->action != PLAN_FORGET);
}

static void add_head(const struct plan_text *t, enum plan_action action, struct buf *out)
{
    const struct look *look = &looks[action];

    buf_add_text(out, "  ");
    style_addf(out, t->has_color, look->style, "%s %s", look->sign, look->verb);
    style_pad(out, 4 + strlen(look->verb), NAME_COLUMN);
}

/* ---- one resource ---- */

static const char *const change_signs[] = {
    [CHANGE_ADD] = "+", [CHANGE_UPDATE] = "~", [CHANGE_REMOVE] = "-"
};
static const enum style change_styles[] = {
    [CHANGE_ADD] = STYLE_GOOD, [CHANGE_UPDATE] = STYLE_CHANGE, [CHANGE_REMOVE] = STYLE_BAD
};

/* An element of a list by name is shown as what it is beside the name, which stands in the path. */
static void add_value(struct buf *out, const char *path, const json_t *value)
{
    const bool is_element = json_is_object(value) && json_object_size(value) == 2
                            && json_object_get(value, "name") != NULL
                            && path[strlen(path) - 1] == ']';
    const json_t *inner = is_element ? json_object_get(value, "value") : NULL;

    if (is_element && json_object_get(value, "secretRef") != NULL)
        buf_add_text(out, "(secret)");
    else
        style_value(out, inner == NULL ? value : inner, VALUE_MAX);
}

static void add_values(const struct change *c, struct buf *out)
{
    if (c->action != CHANGE_ADD)
        add_value(out, c->path, c->old_value);
    if (c->action == CHANGE_UPDATE)
        buf_add_text(out, " -> ");
    if (c->action != CHANGE_REMOVE)
        add_value(out, c->path, c->new_value);
}

static void add_reason(const struct plan_text *t, const struct change *c, struct buf *out)
{
    /* That a secret has changed or that a value comes later is what the line says. */
    const bool is_said =
            c->is_secret
            || (c->new_value != NULL && json_object_get(c->new_value, "$unknown") != NULL);
    const char *reason = is_said && !c->forces_replacement ? NULL : c->reason;

    if (!c->forces_replacement && reason == NULL)
        return;
    buf_add_text(out, "  ");
    style_addf(out, t->has_color, STYLE_WARN, "(%s%s%s)",
            c->forces_replacement ? "forces replacement" : "",
            c->forces_replacement && reason != NULL ? ": " : "", reason == NULL ? "" : reason);
}

static void add_change(const struct plan_text *t, const struct change *c, struct buf *out)
{
    /* A write-only secret has no old value to show, and is no addition for that. */
    const enum change_action shown = c->is_secret && c->action == CHANGE_ADD && c->reason != NULL
                                             ? CHANGE_UPDATE
                                             : c->action;

    buf_add_text(out, "      ");
    style_addf(out, t->has_color, change_styles[shown], "%s %s", change_signs[shown], c->path);
    buf_add_text(out, ": ");
    if (c->is_secret)
        buf_add_text(out, shown == CHANGE_UPDATE ? "(secret) changes" : "(secret)");
    else
        add_values(c, out);
    add_reason(t, c, out);
    buf_add_char(out, '\n');
}

static void add_warning(const struct plan_text *t, struct buf *out, enum style style,
        const char *word, const char *text)
{
    buf_add_text(out, "      ");
    style_addf(out, t->has_color, style, "! %s", word);
    if (text != NULL)
        buf_addf(out, ": %s", text);
    buf_add_char(out, '\n');
}

static void add_warnings(const struct plan_text *t, const struct plan_item *item, struct buf *out)
{
    if (t->is_destroy)
        return;
    if (item->loses_data) {
        AUTO(free)
        char *text = item->is_protected ? xasprintf("%s goes for good; needs --allow-data-loss %s",
                             item->address, item->address)
                                        : xasprintf("%s goes for good", item->address);

        add_warning(t, out, STYLE_BAD, "data loss", text);
    } else if (item->needs_replace_consent) {
        AUTO(free) char *text = xasprintf("needs --allow-replace %s", item->address);

        add_warning(t, out, STYLE_WARN, "replaced", text);
    }
    if (item->downtime != NULL)
        add_warning(t, out, STYLE_WARN, "downtime", item->downtime);
}

/* The resources of other services that this one stands for. */
static void add_shared(const struct plan_text *t, const struct plan_item *item, struct buf *out)
{
    const struct resource *r = item->subject == NULL ? NULL : item->subject->resource;

    for (size_t i = 0; r != NULL && i < r->shared_count; i++)
        style_addf(out, t->has_color, STYLE_DIM, "%s%s", i == 0 ? "shared with " : ", ",
                r->shared_with[i]);
}

static bool is_shared(const struct plan_item *item)
{
    return item->subject != NULL && item->subject->resource->shared_count > 0;
}

/* What others added to the lists that are sent. */
static void add_kept(const struct plan_text *t, const struct plan_item *item, struct buf *out)
{
    for (size_t i = 0; i < item->kept.count; i++) {
        const struct change *c = &item->kept.items[i];
        const bool is_lost = c->action == CHANGE_REMOVE;

        buf_add_text(out, "      ");
        style_addf(out, t->has_color, is_lost ? STYLE_BAD : STYLE_DIM, "%s %s: %s",
                is_lost ? "!" : "=", c->path, c->reason);
        if (!is_lost)
            style_add(out, t->has_color, STYLE_DIM, ", stays");
        buf_add_char(out, '\n');
    }
}

static void add_detailed(const struct plan_text *t, const struct plan_item *item, struct buf *out)
{
    add_head(t, item->action, out);
    style_add(out, t->has_color, STYLE_BOLD, name_of(item));
    if (item->kind != NULL)
        style_addf(out, t->has_color, STYLE_DIM, "  %s", item->kind->title);
    buf_add_char(out, '\n');
    if (item->moved_from != NULL)
        buf_addf(out, "      was %s\n", item->moved_from);
    if (is_shared(item)) {
        buf_add_text(out, "      ");
        add_shared(t, item, out);
        buf_add_char(out, '\n');
    }
    if (item->reason != NULL && !(item->action == PLAN_REPLACE && item->changes.count > 0))
        buf_addf(out, "      %s\n", item->reason);
    for (size_t i = 0; i < item->changes.count; i++)
        add_change(t, &item->changes.items[i], out);
    add_kept(t, item, out);
    add_warnings(t, item, out);
}

/* ---- one service ---- */

struct group {
    const struct plan_text *t;
    struct str service;
    struct buf *out;
};

static bool belongs(const struct group *g, const struct plan_item *item)
{
    return str_eq(service_of(item), g->service) && !is_silent(item);
}

/* Below a list: which of its members other services use, too. */
static void add_shared_of(const struct group *g, enum plan_action action)
{
    const struct plan *p = g->t->plan;

    for (size_t i = 0; i < p->count; i++) {
        const struct plan_item *item = &p->items[i];

        if (!belongs(g, item) || item->action != action || is_detailed(item) || !is_shared(item))
            continue;
        buf_addf(g->out, "      %s ", name_of(item));
        add_shared(g->t, item, g->out);
        buf_add_char(g->out, '\n');
    }
}

/* All of a service that have one action and nothing more to say, on one line. */
static void add_list(const struct group *g, enum plan_action action)
{
    const struct plan *p = g->t->plan;
    AUTO(free) const char **names = xcalloc(p->count + 1, sizeof(*names));
    size_t count = 0;

    for (size_t i = 0; i < p->count; i++) {
        const struct plan_item *item = &p->items[i];

        if (belongs(g, item) && item->action == action && !is_detailed(item))
            names[count++] = name_of(item);
    }
    if (count == 0)
        return;
    add_head(g->t, action, g->out);
    style_wrap(g->out, names, count, NAME_COLUMN, g->t->width);
    buf_add_char(g->out, '\n');
    for (size_t i = 0; i < p->count; i++) {
        if (belongs(g, &p->items[i]) && p->items[i].action == action && !is_detailed(&p->items[i]))
            add_warnings(g->t, &p->items[i], g->out);
    }
    add_shared_of(g, action);
}

static void add_service(const struct group *g)
{
    static const enum plan_action order[] = { PLAN_CREATE, PLAN_ADOPT, PLAN_UPDATE, PLAN_REPLACE,
        PLAN_MOVE, PLAN_UNKNOWN, PLAN_RESET, PLAN_DELETE, PLAN_FORGET };
    const struct plan *p = g->t->plan;

    style_addf(g->out, g->t->has_color, STYLE_BOLD, "%.*s", STR_ARG(g->service));
    buf_add_char(g->out, '\n');
    for (size_t a = 0; a < ARRAY_LEN(order); a++) {
        add_list(g, order[a]);
        for (size_t i = 0; i < p->count; i++) {
            const struct plan_item *item = &p->items[i];

            if (belongs(g, item) && item->action == order[a] && is_detailed(item))
                add_detailed(g->t, item, g->out);
        }
    }
    buf_add_char(g->out, '\n');
}

static bool is_first_of_service(const struct plan *p, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (!is_silent(&p->items[k]) && str_eq(service_of(&p->items[k]), service_of(&p->items[i])))
            return false;
    }
    return true;
}

static void add_drift(const struct plan_text *t, struct buf *out)
{
    bool has_head = false;

    for (size_t i = 0; i < t->plan->count; i++) {
        const struct plan_item *item = &t->plan->items[i];

        if (item->drift.count == 0)
            continue;
        if (!has_head)
            style_add(out, t->has_color, STYLE_BOLD, "Changed by others since the last apply");
        if (!has_head)
            buf_add_char(out, '\n');
        has_head = true;
        buf_addf(out, "  %s\n", item->address);
        for (size_t k = 0; k < item->drift.count; k++)
            add_change(t, &item->drift.items[k], out);
    }
    if (has_head)
        buf_add_char(out, '\n');
    else
        buf_add_text(out, "Nothing was changed by others.\n\n");
}

/* ---- the whole ---- */

void plan_text_summary(const struct plan_text *t, struct buf *out)
{
    const size_t *n = t->plan->counts;
    const struct {
        size_t count;
        const char *text;
    } rare[] = {
        { n[PLAN_REPLACE], "to replace" },
        { n[PLAN_ADOPT], "to adopt" },
        { n[PLAN_MOVE], "to move" },
        { n[PLAN_RESET], "to reset" },
        { n[PLAN_FORGET], "to forget" },
        { n[PLAN_UNKNOWN], "not compared" },
    };

    style_add(out, t->has_color, STYLE_BOLD, "Plan:");
    buf_addf(out, " %zu to create, %zu to change, %zu to delete", n[PLAN_CREATE], n[PLAN_UPDATE],
            n[PLAN_DELETE]);
    for (size_t i = 0; i < ARRAY_LEN(rare); i++) {
        if (rare[i].count > 0)
            buf_addf(out, ", %zu %s", rare[i].count, rare[i].text);
    }
    buf_addf(out, ", %zu unchanged\n", n[PLAN_NONE] + n[PLAN_READ]);
}

void plan_text_risks(const struct plan_text *t, struct buf *out)
{
    for (size_t i = 0; i < t->plan->count; i++)
        add_warnings(t, &t->plan->items[i], out);
}

void plan_text_write(const struct plan_text *t, struct buf *out)
{
    for (size_t i = 0; i < t->plan->count; i++) {
        const struct plan_item *item = &t->plan->items[i];

        if (!is_silent(item) && is_first_of_service(t->plan, i))
            add_service(&(struct group){ .t = t, .service = service_of(item), .out = out });
    }
    if (t->has_drift)
        add_drift(t, out);
    plan_text_summary(t, out);
}
