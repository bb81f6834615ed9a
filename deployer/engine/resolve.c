/*
 * resolve.c - from the model's documents with expressions to ids and to documents that can be sent,
 * as far as the resources that they name are known.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "engine/internal.h"

/* ---- what expressions ask for ---- */

static const json_t *env_resource(void *arg, const char *address)
{
    const struct engine *e = arg;
    const struct engine_node *n = engine_find(e, address);

    return n == NULL ? NULL : n->view;
}

const struct kind_action *resolve_find_action(const struct kind *k, const char *name)
{
    for (size_t i = 0; i < k->action_count; i++) {
        if (text_eq(k->actions[i].name, name))
            return &k->actions[i];
    }
    return NULL;
}

static void want_action(struct engine *e, struct engine_node *n, const char *name)
{
    const struct kind_action *action = resolve_find_action(n->kind, name);

    if (action == NULL || n->id == NULL)
        return;
    e->wants_action = true;
    for (struct engine_fetch *f = e->fetches; f != NULL; f = f->next) {
        if (f->node == n && f->action == action && !f->is_done)
            return;
    }
    struct engine_fetch *f = xcalloc(1, sizeof(*f));

    *f = (struct engine_fetch){ .engine = e, .node = n, .action = action, .next = e->fetches };
    e->fetches = f;
}

static const json_t *env_action(void *arg, const char *address, const char *action)
{
    struct engine *e = arg;
    struct engine_node *n = engine_find(e, address);

    if (n == NULL || n->presence != NODE_PRESENT)
        return NULL;
    if (n->action == PLAN_REPLACE && !n->is_removed)
        return NULL; /* the keys of what comes in its place are others */
    const json_t *answer = json_object_get(n->answers, action);

    if (answer == NULL)
        want_action(e, n, action);
    return json_is_null(answer) ? NULL : answer;
}

static struct secret *env_secret(void *arg, const char *name)
{
    const struct engine *e = arg;

    return e->setup.secret == NULL ? NULL : e->setup.secret(e->setup.arg, name);
}

struct err *resolve_now(struct engine *e, const json_t *document, json_t **ret)
{
    const struct expr_env env = {
        .arg = e,
        .resource = env_resource,
        .action = env_action,
        .secret = env_secret,
        .salt = state_salt(e->setup.state),
        .azure = e->setup.facts,
    };

    return expr_resolve(document, &env, &e->secrets, ret);
}

/* ---- answers of actions ---- */

static void on_action(void *arg, const struct cloud_result *result)
{
    struct engine_fetch *f = arg;
    struct engine *e = f->engine;

    f->is_done = true;
    e->outstanding--;
    e->was_called = true;
    json_object_set(f->node->answers, f->action->name,
            result->e == NULL && result->document != NULL ? result->document : json_null());
    if (result->e == NULL)
        return;
    engine_set_text(&e->denied_action,
            xasprintf("%s of %s: %s", f->action->name, f->node->address, err_text(result->e)));
    if (err_kind(result->e) == ERR_DENIED)
        err_free(result->e);
    else
        f->error = err_wrap(result->e, "%s: %s", f->node->address, f->action->name);
}

unsigned resolve_fetch_actions(struct engine *e)
{
    unsigned started = 0;

    for (struct engine_fetch *f = e->fetches; f != NULL; f = f->next) {
        if (f->is_done || f->is_sent)
            continue;
        f->is_sent = true;
        e->outstanding++;
        started++;
        e->setup.cloud->ops->act(e->setup.cloud, f->node->kind, f->node->id, f->action->method,
                f->action->path, f->action->body, engine_deadline(e, f->node), on_action, f);
    }
    return started;
}

struct err *resolve_take_error(struct engine *e)
{
    for (struct engine_fetch *f = e->fetches; f != NULL; f = f->next) {
        if (f->error != NULL)
            return TAKE(f->error);
    }
    return NULL;
}

void resolve_forget_answers(struct engine *e, size_t i)
{
    json_object_clear(e->nodes[i]->answers);
}

struct err *engine_resolve(struct engine *e, const json_t *document, json_t **ret)
{
    json_t *resolved = NULL;

    for (;;) {
        e->wants_action = false;
        TRY(resolve_now(e, document, &resolved));
        if (!e->wants_action)
            break;
        json_decref(resolved);
        resolve_fetch_actions(e);
        TRY(engine_drain(e));
        TRY(resolve_take_error(e));
    }
    *ret = resolved;
    return NULL;
}

/* ---- ids ---- */

/* A text of the model, resolved; NULL in *ret while it is not known or null. Owned. */
static struct err *resolve_text(struct engine *e, const json_t *value, char **ret)
{
    json_auto_t *resolved = NULL;

    *ret = NULL;
    if (value == NULL)
        return NULL;
    TRY(resolve_now(e, value, &resolved));
    if (json_is_string(resolved))
        *ret = xstrdup(json_string_value(resolved));
    else if (!json_is_null(resolved) && !expr_has_unknown(resolved, NULL))
        return err_new(ERR_CONFIG, 0, "is %s, not a text", jsonx_type_name(resolved));
    return NULL;
}

static void know_id(struct engine *e, struct engine_node *n, char *id)
{
    const json_t *entry = id == NULL ? state_entry_at(e->setup.state, n->address)
                                     : state_entry(e->setup.state, id);

    json_decref(n->entry);
    n->entry = entry == NULL ? NULL : jsonx_copy(entry);
    /* A name that only apply tells was told to the run that made the resource. */
    engine_set_text(&n->id, id == NULL && entry != NULL ? xstrdup(jsonx_text(entry, "id")) : id);
}

struct err *resolve_id(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];
    const struct resource *r = n->resource;
    AUTO(free) char *name = NULL;
    char *text = NULL;
    struct err *error = NULL;

    if (r == NULL)
        return NULL;
    if (r->existing != NULL) {
        error = resolve_text(e, r->existing, &text);
        engine_set_text(&n->id, text);
        return error == NULL ? NULL : err_wrap(error, "existing");
    }
    if (r->kept_id != NULL) {
        know_id(e, n, xstrdup(r->kept_id));
        return NULL;
    }
    error = resolve_text(e, r->arm_name, &name);
    if (error == NULL)
        error = resolve_text(e, r->parent != NULL ? r->parent : r->scope_id, &text);
    if (error != NULL)
        return err_wrap(error, "name");
    engine_set_text(&n->parent_id, text);
    const bool has_parent = r->parent != NULL || r->scope_id != NULL;

    know_id(e, n,
            name == NULL || (has_parent && text == NULL)
                    ? NULL
                    : e->setup.cloud->ops->make_id(e->setup.cloud, n->kind, text, name));
    return NULL;
}

/* ---- documents ---- */

/* What is null is left out: null is how an expression says that there is nothing. */
static void drop_nulls(json_t *j)
{
    const char *key = NULL;
    json_t *value = NULL;
    void *next = NULL;

    json_object_foreach_safe (j, next, key, value) {
        if (json_is_null(value))
            json_object_del(j, key);
        else
            drop_nulls(value);
    }
    for (size_t i = json_array_size(j); i > 0; i--) {
        value = json_array_get(j, i - 1);
        if (json_is_null(value))
            json_array_remove(j, i - 1);
        else
            drop_nulls(value);
    }
}

struct err *resolve_desired(struct engine *e, size_t i, bool *ret_is_final)
{
    struct engine_node *n = e->nodes[i];
    json_t *resolved = NULL;
    json_auto_t *document =
            n->resource->body == NULL ? jsonx_must(json_object()) : jsonx_copy(n->resource->body);

    if (n->resource->location != NULL)
        json_object_set(document, "location", n->resource->location);
    e->wants_action = false;

    TRY(resolve_now(e, document, &resolved));
    drop_nulls(resolved);
    json_decref(n->desired);
    n->desired = resolved;
    *ret_is_final = !e->wants_action;
    json_decref(n->desired_stored);
    n->desired_stored = NULL;
    if (*ret_is_final)
        n->desired_stored = expr_stored(n->desired, &e->secrets, state_salt(e->setup.state));
    return NULL;
}

static bool is_mark(const json_t *j)
{
    return json_is_object(j) && json_object_size(j) == 1
           && (json_object_get(j, "$secret") != NULL || json_object_get(j, "$unknown") != NULL);
}

/*
 * A copy of what the file says, without secrets and what is not known. What it lacks may still
 * come: its objects say so ("$partial", catalog/expr.h).
 */
static json_t *copy_partial(const json_t *j)
{
    const char *key = NULL;
    json_t *value = NULL;
    size_t i = 0;

    if (json_is_array(j)) {
        json_t *list = jsonx_must(json_array());

        json_array_foreach ((json_t *)(uintptr_t)j, i, value)
            json_array_append_new(list, copy_partial(value));
        return list;
    }
    if (!json_is_object(j))
        return jsonx_copy(j);
    json_t *object = jsonx_must(json_object());

    json_object_set_new(object, "$partial", json_true());
    json_object_foreach ((json_t *)(uintptr_t)j, key, value) {
        if (!is_mark(value))
            json_object_set_new(object, key, copy_partial(value));
    }
    return object;
}

static json_t *find_named(const json_t *list, const char *name)
{
    size_t i = 0;
    json_t *element = NULL;

    json_array_foreach ((json_t *)(uintptr_t)list, i, element) {
        const char *other = jsonx_text(element, "name");

        if (name != NULL && other != NULL && str_eq_ci(str_of(other), str_of(name)))
            return element;
    }
    return NULL;
}

static void overlay(json_t *target, const json_t *source);

/* Elements keep what the server added to their namesakes. */
static json_t *overlay_list(const json_t *old, const json_t *list)
{
    json_t *result = jsonx_must(json_array());
    size_t i = 0;
    json_t *element = NULL;

    json_array_foreach ((json_t *)(uintptr_t)list, i, element) {
        const json_t *namesake = find_named(old, jsonx_text(element, "name"));
        json_t *copy = namesake == NULL ? copy_partial(element) : jsonx_copy(namesake);

        if (namesake != NULL)
            overlay(copy, element);
        json_array_append_new(result, copy);
    }
    return result;
}

/* Lays what the file says over what the cloud says; secrets are not for others to see. */
static void overlay(json_t *target, const json_t *source)
{
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach ((json_t *)(uintptr_t)source, key, value) {
        json_t *old = jsonx_get_ci(target, key);

        if (is_mark(value)) {
            json_object_del(target, key);
            json_object_set_new(target, "$partial", json_true());
        } else if (json_is_array(value) && json_is_array(old))
            json_object_set_new(target, key, overlay_list(old, value));
        else if (json_is_object(value) && json_is_object(old))
            overlay(old, value);
        else
            json_object_set_new(target, key, copy_partial(value));
    }
}

static const char *last_segment(const char *id)
{
    const char *slash = strrchr(id, '/');

    return slash == NULL ? id : slash + 1;
}

static void add_identity(struct engine_node *n)
{
    if (n->id == NULL)
        return;
    json_object_set_new(n->view, "id", jsonx_must(json_string(n->id)));
    json_object_set_new(n->view, "name", jsonx_must(json_string(last_segment(n->id))));
}

void resolve_view(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];
    const bool is_kept = n->presence == NODE_PRESENT && n->action != PLAN_REPLACE;

    (void)e;
    json_decref(n->view);
    n->view = NULL;
    if (n->action == PLAN_DELETE)
        return;
    if (n->presence == NODE_DENIED) { /* of what may not be read, its id is known all the same */
        n->view = jsonx_must(json_pack("{s:b}", "$partial", 1));
        add_identity(n);
        return;
    }
    if (is_kept && n->changes.count == 0) {
        n->view = json_incref(n->actual);
        return;
    }
    if (is_kept) {
        n->view = jsonx_copy(n->actual);
        if (n->desired != NULL)
            overlay(n->view, n->desired);
        return;
    }
    json_auto_t *nothing = jsonx_must(json_object());

    n->view = copy_partial(n->desired == NULL ? nothing : n->desired);
    add_identity(n);
}
