/* Rights at each scope against every planned action; all that is missing at once. */
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/jsonx.h"
#include "precheck/internal.h"

#define ADDRESSES_MAX 3u

/* {SCOPE: {ACTION: {ADDRESS: NEAR or null}}} of all that the plan does. */
static json_t *map_in(json_t *map, const char *key)
{
    json_t *value = json_object_get(map, key);

    if (value == NULL) {
        value = jsonx_must(json_object());
        json_object_set_new(map, key, value);
    }
    return value;
}

/* `near`: what is there below the scope, where the right may be given too; or NULL. */
static void need(
        json_t *needs, const char *scope, const char *action, const char *address, const char *near)
{
    json_object_set_new(map_in(map_in(needs, scope), action), address,
            near == NULL ? json_null() : jsonx_must(json_string(near)));
}

static void need_verb(
        const struct run *r, json_t *needs, const struct precheck_subject *s, const char *verb)
{
    AUTO(free) char *action = r->p->cloud.action_of(s->kind, verb);

    need(needs, s->scope, action, s->address, s->near);
}

/* ---- rights at what a document names ---- */

struct linked {
    const struct run *run;
    json_t *needs;
    const struct precheck_subject *subject;
    const char *action; /* "{type}/join/action": {type} is that of what is named */
};

/* What is not known yet is made by the same plan: the right is looked for where we write. */
static void need_at(const struct linked *l, const char *id)
{
    const struct precheck_cloud *cloud = &l->run->p->cloud;
    static const char type_mark[] = "{type}";
    const char *rest = strncmp(l->action, type_mark, strlen(type_mark)) == 0
                               ? l->action + strlen(type_mark)
                               : NULL;
    AUTO(free) char *type = id == NULL || rest == NULL ? NULL : cloud->type_of(id);
    AUTO(free) char *scope = id == NULL ? NULL : cloud->scope_of(cloud->arg, id);
    AUTO(free) char *action = NULL;

    if (rest != NULL && type == NULL)
        return;
    action = rest == NULL ? xstrdup(l->action) : xasprintf("%s%s", type, rest);
    if (scope != NULL)
        need(l->needs, scope, action, l->subject->address,
                cloud->is_there(cloud->arg, id) ? id : NULL);
    else if (l->subject->scope != NULL)
        need(l->needs, l->subject->scope, action, l->subject->address, l->subject->near);
}

static void on_linked(void *arg, const json_t *value)
{
    const char *id = json_string_value(value);

    if (!json_is_null(value))
        need_at(arg, id != NULL && id[0] == '/' ? id : NULL);
}

static void on_keys(void *arg, const json_t *map)
{
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach ((json_t *)(uintptr_t)map, key, value)
        need_at(arg, key[0] == '/' ? key : NULL);
}

/* A path that ends in {} names the keys of a map. */
static void need_linked(
        const struct run *r, json_t *needs, const struct precheck_subject *s, const json_t *right)
{
    const json_t *paths = json_object_get(right, "at");
    struct linked l = {
        .run = r, .needs = needs, .subject = s, .action = jsonx_text(right, "action")
    };
    size_t i = 0;
    const json_t *path = NULL;

    json_array_foreach (paths, i, path) {
        const char *text = json_string_value(path);
        const size_t len = text == NULL ? 0 : strlen(text);
        const bool is_keys = len > 2 && strcmp(text + len - 2, "{}") == 0;
        AUTO(free) char *plain = text == NULL ? NULL : xmemdup0(text, is_keys ? len - 2 : len);

        if (l.action != NULL && plain != NULL)
            question_each(s->desired, plain, is_keys ? on_keys : on_linked, &l);
    }
}

static void need_of(const struct run *r, json_t *needs, const struct precheck_subject *s)
{
    size_t i = 0;
    const json_t *further = NULL;

    if (s->scope == NULL)
        return;
    if (s->is_written)
        need_verb(r, needs, s, "write");
    if (s->is_deleted)
        need_verb(r, needs, s, "delete");
    json_array_foreach (s->kind->rights, i, further) {
        if (s->is_written && json_is_string(further))
            need(needs, s->scope, json_string_value(further), s->address, s->near);
        else if (s->is_written)
            need_linked(r, needs, s, further);
    }
}

static json_t *needs_of(const struct run *r)
{
    json_t *needs = jsonx_must(json_object());

    for (size_t i = 0; i < r->p->subject_count; i++)
        need_of(r, needs, &r->p->subjects[i]);
    for (size_t i = 0; i < r->p->right_count; i++) {
        const struct precheck_right *right = &r->p->rights[i];

        need(needs, right->scope, right->action, right->address, right->near);
    }
    return needs;
}

/* ---- what is missing ---- */

static void miss(struct run *r, const char *scope, const char *action, const json_t *addresses)
{
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);
    const size_t count = json_array_size(addresses);

    buf_addf(&text, "%s is not allowed at %s; needed for ", action, scope);
    for (size_t i = 0; i < count && i < ADDRESSES_MAX; i++)
        buf_addf(&text, "%s%s", i > 0 ? ", " : "", json_string_value(json_array_get(addresses, i)));
    if (count > ADDRESSES_MAX)
        buf_addf(&text, " and %zu more", count - ADDRESSES_MAX);
    json_t *f = run_add(r, "permission", "error", json_string_value(json_array_get(addresses, 0)),
            buf_text(&text), "a role with it, given at that scope or above");

    json_object_set_new(f, "action", jsonx_must(json_string(action)));
    json_object_set_new(f, "scope", jsonx_must(json_string(scope)));
}

static struct asked *ask_at(struct run *r, const char *scope)
{
    AUTO(free) char *path = r->p->cloud.rights_path(scope);

    return run_ask(r, "GET", path, NULL);
}

static bool allows(const struct run *r, const struct asked *a, const char *action)
{
    return a != NULL && a->is_done && a->error == NULL && !a->is_absent
           && r->p->cloud.allows(a->document, action);
}

/* A right that the scope lacks may be given at the resource itself. */
static void look_closer(struct run *r, const char *scope, const char *action, json_t *addresses,
        enum run_phase phase)
{
    json_auto_t *missing = jsonx_must(json_array());
    const char *address = NULL;
    json_t *near = NULL;

    json_object_foreach (addresses, address, near) {
        struct asked *a = json_is_string(near) ? ask_at(r, json_string_value(near)) : NULL;

        if (phase == RUN_JUDGE && !allows(r, a, action))
            json_array_append_new(missing, jsonx_must(json_string(address)));
    }
    if (json_array_size(missing) > 0)
        miss(r, scope, action, missing);
}

static void look_at(struct run *r, const char *scope, json_t *actions, enum run_phase phase)
{
    AUTO(free) char *what = xasprintf("what the login may do at %s", scope);
    struct asked *a = ask_at(r, scope);
    const char *action = NULL;
    json_t *addresses = NULL;

    if (phase == RUN_ASK || (phase == RUN_JUDGE && !run_has_answer(r, a, "permission", what)))
        return;
    if (a->error != NULL || a->is_absent)
        return;
    json_object_foreach (actions, action, addresses) {
        if (!allows(r, a, action))
            look_closer(r, scope, action, addresses, phase);
    }
}

void rights_step(struct run *r, enum run_phase phase)
{
    json_auto_t *needs = needs_of(r);
    const char *scope = NULL;
    json_t *actions = NULL;

    json_object_foreach (needs, scope, actions)
        look_at(r, scope, actions, phase);
}
