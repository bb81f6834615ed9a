/*
 * A plan as JSON: to be shown, and to be kept with what it was based on. What depends on when it is
 * made (server times, the order of keys) is not in it, so that two plans of one situation are
 * equal.
 */
#include "plan/plan.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/jsonx.h"

#define SAVED_FORMAT 1
/* Differences that an error names; the rest is counted. */
#define STALE_SHOWN_MAX 10u

static const char *const change_names[] = { "add", "update", "remove" };
_Static_assert(ARRAY_LEN(change_names) == CHANGE_REMOVE + 1, "a name for each change");

const char *plan_change_name(enum change_action action)
{
    return change_names[action];
}

static json_t *shown(const struct change *c, const json_t *value)
{
    if (value == NULL)
        return json_null();
    if (c->is_secret && !(json_is_object(value) && json_object_get(value, "$unknown") != NULL))
        return jsonx_must(json_string("(secret)"));
    return jsonx_copy(value);
}

json_t *plan_change_json(const struct change *c)
{
    json_t *j = jsonx_must(json_pack("{s:s, s:s, s:o, s:o, s:b, s:b}", "path", c->path, "action",
            plan_change_name(c->action), "actual", shown(c, c->old_value), "desired",
            shown(c, c->new_value), "forces_replacement", (int)c->forces_replacement, "secret",
            (int)c->is_secret));

    if (c->reason != NULL)
        json_object_set_new(j, "reason", jsonx_must(json_string(c->reason)));
    return j;
}

static json_t *changes_json(const struct change_list *list)
{
    json_t *j = jsonx_must(json_array());

    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(j, plan_change_json(&list->items[i]));
    return j;
}

/* What others changed reads the other way round: what was, what is. */
static json_t *drift_json(const struct change_list *list)
{
    json_t *j = jsonx_must(json_array());

    for (size_t i = 0; i < list->count; i++) {
        const struct change *c = &list->items[i];

        json_array_append_new(j, jsonx_must(json_pack("{s:s, s:s, s:o, s:o}", "path", c->path,
                                         "action", plan_change_name(c->action), "was",
                                         shown(c, c->old_value), "is", shown(c, c->new_value))));
    }
    return j;
}

/* What others added to lists that are written: whether it goes along or is lost. */
static json_t *kept_json(const struct change_list *list)
{
    json_t *j = jsonx_must(json_array());

    for (size_t i = 0; i < list->count; i++) {
        const struct change *c = &list->items[i];

        json_array_append_new(j, jsonx_must(json_pack("{s:s, s:b, s:s?}", "path", c->path, "lost",
                                         (int)(c->action == CHANGE_REMOVE), "reason", c->reason)));
    }
    return j;
}

static void set_text(json_t *j, const char *name, const char *text)
{
    if (text != NULL)
        json_object_set_new(j, name, jsonx_must(json_string(text)));
}

static json_t *needs_json(const struct plan *p, const struct plan_item *i)
{
    json_t *j = jsonx_must(json_array());

    for (size_t k = 0; k < i->need_count; k++)
        json_array_append_new(j, jsonx_must(json_string(p->items[i->needs[k]].address)));
    return j;
}

/* Addresses of other services that the resource stands for. */
static json_t *shared_json(const struct resource *r)
{
    json_t *j = jsonx_must(json_array());

    for (size_t i = 0; i < r->shared_count; i++)
        json_array_append_new(j, jsonx_must(json_string(r->shared_with[i])));
    return j;
}

static json_t *item_json(const struct plan *p, const struct plan_item *i)
{
    json_t *j = jsonx_must(json_pack("{s:s, s:s, s:o, s:o, s:o, s:b, s:b, s:f}", "address",
            i->address, "action", plan_action_name(i->action), "changes", changes_json(&i->changes),
            "drift", drift_json(&i->drift), "needs", needs_json(p, i), "loses_data",
            (int)i->loses_data, "protected", (int)i->is_protected, "minutes", i->minutes));

    if (i->kept.count > 0)
        json_object_set_new(j, "kept", kept_json(&i->kept));
    if (i->subject != NULL && i->subject->resource->shared_count > 0)
        json_object_set_new(j, "shared_with", shared_json(i->subject->resource));
    set_text(j, "id", i->id);
    set_text(j, "kind", i->kind == NULL ? NULL : i->kind->name);
    set_text(j, "type", i->kind == NULL ? NULL : i->kind->type);
    set_text(j, "reason", i->reason);
    set_text(j, "moved_from", i->moved_from);
    set_text(j, "goes_with", i->goes_with);
    set_text(j, "downtime", i->downtime);
    return j;
}

json_t *plan_json(const struct plan *p)
{
    json_t *actions = jsonx_must(json_array());
    json_t *summary = jsonx_must(json_object());

    for (size_t i = 0; i < p->count; i++)
        json_array_append_new(actions, item_json(p, &p->items[i]));
    for (size_t a = 0; a < PLAN_ACTION_COUNT; a++)
        json_object_set_new(summary, plan_action_name((enum plan_action)a),
                jsonx_must(json_integer((json_int_t)p->counts[a])));
    return jsonx_must(json_pack("{s:i, s:o, s:o, s:b}", "format_version", SAVED_FORMAT, "actions",
            actions, "summary", summary, "has_changes", (int)plan_has_changes(p)));
}

/* ---- saved ---- */

/* The document as it would be sent, secrets by their digests. */
static void document_digest(const struct plan_item *i, char ret[DIGEST_HEX_SIZE])
{
    const struct plan_subject *s = i->subject;
    const json_t *j = s == NULL ? NULL : s->desired_stored != NULL ? s->desired_stored : s->desired;
    AUTO(free) char *text = j == NULL ? xstrdup("") : jsonx_dump(j);

    digest_sha256_hex(str_of(text), ret);
}

static json_t *basis_json(const struct plan_basis *b)
{
    const json_t *s = b->state;

    return jsonx_must(json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?, s:s?, s:I}", "stack", b->stack,
            "environment", b->environment, "target", b->target, "subscription", b->subscription,
            "model", b->model_digest, "lineage", jsonx_text(s, "lineage"), "salt",
            jsonx_text(s, "salt"), "serial", (json_int_t)jsonx_int(s, "serial", 0)));
}

json_t *plan_save(const struct plan *p, const struct plan_basis *basis)
{
    json_t *j = plan_json(p);
    json_t *actions = json_object_get(j, "actions");

    for (size_t i = 0; i < p->count; i++) {
        char digest[DIGEST_HEX_SIZE];

        document_digest(&p->items[i], digest);
        set_text(json_array_get(actions, i), "document", digest);
    }
    json_object_set_new(j, "basis", basis_json(basis));
    set_text(j, "saved", "deployer plan");
    return j;
}

struct err *plan_load(struct str text, const char *what, json_t **ret)
{
    json_auto_t *j = NULL;
    struct err *e = jsonx_load(text, what, &j);

    if (e != NULL || !text_eq(jsonx_text(j, "saved"), "deployer plan")
            || !json_is_object(json_object_get(j, "basis"))
            || !json_is_array(json_object_get(j, "actions"))) {
        err_ignore(e, "that it is no JSON says less than that it is no plan");
        return err_new(ERR_CONFIG, 0, "%s: this is no saved plan", what);
    }
    if (jsonx_int(j, "format_version", 0) > SAVED_FORMAT) {
        e = err_new(ERR_CONFIG, 0, "%s: a plan of a newer format (%lld, this program reads %d)",
                what, (long long)jsonx_int(j, "format_version", 0), SAVED_FORMAT);
        err_set_hint(e, "use the version of deployer that saved it, or plan --save it anew");
        return e;
    }
    *ret = TAKE(j);
    return NULL;
}

bool plan_saved_identity(const json_t *saved, const char **ret_lineage, const char **ret_salt)
{
    const json_t *basis = json_object_get(saved, "basis");
    const char *lineage = jsonx_text(basis, "lineage");
    const char *salt = jsonx_text(basis, "salt");

    if (jsonx_int(basis, "serial", 0) != 0 || lineage == NULL || salt == NULL)
        return false;
    *ret_lineage = lineage;
    *ret_salt = salt;
    return true;
}

/* ---- stale ---- */

struct stale {
    struct buf text;
    size_t count;
};

static void differs(struct stale *s, const char *what)
{
    if (s->count++ < STALE_SHOWN_MAX)
        buf_addf(&s->text, "%s%s", s->text.len > 0 ? "; " : "", what);
}

static void compare_basis(struct stale *s, const json_t *saved, const struct plan_basis *basis)
{
    static const struct {
        const char *member, *what;
    } rows[] = {
        { "stack", "the stack's name" },
        { "environment", "the environment" },
        { "target", "the target" },
        { "subscription", "the subscription" },
        { "lineage", "the state is another one" },
        { "model", "the stack's files or its inputs" },
    };
    json_auto_t *now = basis_json(basis);
    const json_t *then = json_object_get(saved, "basis");
    const int64_t had = jsonx_int(then, "serial", 0);
    const int64_t has = jsonx_int(now, "serial", 0);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!json_equal(
                    json_object_get(then, rows[i].member), json_object_get(now, rows[i].member)))
            differs(s, rows[i].what);
    }
    if (had != has) {
        AUTO(free)
        char *text = xasprintf("the state's serial is %lld, not %lld: something was applied since",
                (long long)has, (long long)had);

        differs(s, text);
    }
}

static void compare_action(struct stale *s, const json_t *then, const json_t *now)
{
    static const struct {
        const char *member, *what;
    } rows[] = {
        { "action", "is another action" },
        { "id", "has another id" },
        { "document", "has another document" },
        { "changes", "differs in other values" },
        { "drift", "was changed by others" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (json_equal(json_object_get(then, rows[i].member), json_object_get(now, rows[i].member)))
            continue;
        AUTO(free) char *text = xasprintf("%s %s", jsonx_text(now, "address"), rows[i].what);

        differs(s, text);
        return;
    }
}

static json_t *by_address(const json_t *plan)
{
    json_t *map = jsonx_must(json_object());
    size_t i = 0;
    json_t *action = NULL;

    json_array_foreach (json_object_get(plan, "actions"), i, action) {
        const char *address = jsonx_text(action, "address");
        const char *id = jsonx_text(action, "id");
        /* A renamed resource has two: the new one and what is left over. */
        AUTO(free)
        char *key = xasprintf("%s %s", address == NULL ? "" : address, id == NULL ? "" : id);

        json_object_set(map, key, action);
    }
    return map;
}

static void compare_actions(struct stale *s, const json_t *then, const json_t *now)
{
    const char *key = NULL;
    json_t *action = NULL;

    json_object_foreach ((json_t *)(uintptr_t)now, key, action) {
        const json_t *before = json_object_get(then, key);
        AUTO(free) char *text = xasprintf("%s was not in the plan", jsonx_text(action, "address"));

        if (before == NULL)
            differs(s, text);
        else
            compare_action(s, before, action);
    }
    json_object_foreach ((json_t *)(uintptr_t)then, key, action) {
        AUTO(free) char *text = xasprintf("%s is not in the plan any more", key);

        if (json_object_get(now, key) == NULL)
            differs(s, text);
    }
}

struct err *plan_check_stale(
        const json_t *saved, const struct plan *now, const struct plan_basis *basis)
{
    struct stale s = { .text = BUF_INIT(BUF_TEXT_MAX) };
    json_auto_t *fresh = plan_save(now, basis);
    json_auto_t *then_by = by_address(saved);
    json_auto_t *now_by = by_address(fresh);
    struct err *e = NULL;

    compare_basis(&s, saved, basis);
    compare_actions(&s, then_by, now_by);
    if (s.count > STALE_SHOWN_MAX)
        buf_addf(&s.text, "; and %zu more", s.count - STALE_SHOWN_MAX);
    if (s.count > 0) {
        e = err_new(ERR_STALE, 0, "the saved plan is stale: %s", buf_text(&s.text));
        err_set_hint(e, "make a new plan, look at it, and apply that");
    }
    buf_release(&s.text);
    return e;
}
