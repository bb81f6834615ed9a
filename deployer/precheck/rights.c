/* Rights at each scope against every planned action; all that is missing at once. */
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/jsonx.h"
#include "precheck/internal.h"

#define ADDRESSES_MAX 3u

/* {SCOPE: {ACTION: [ADDRESS]}} of all that the plan does. */
static void need(json_t *needs, const char *scope, const char *action, const char *address)
{
    json_t *actions = json_object_get(needs, scope);

    if (actions == NULL) {
        actions = jsonx_must(json_object());
        json_object_set_new(needs, scope, actions);
    }
    json_t *addresses = json_object_get(actions, action);

    if (addresses == NULL) {
        addresses = jsonx_must(json_array());
        json_object_set_new(actions, action, addresses);
    }
    json_array_append_new(addresses, jsonx_must(json_string(address)));
}

static void need_verb(
        const struct run *r, json_t *needs, const struct precheck_subject *s, const char *verb)
{
    AUTO(free) char *action = r->p->cloud.action_of(s->kind, verb);

    need(needs, s->scope, action, s->address);
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
            need(needs, s->scope, json_string_value(further), s->address);
    }
}

static json_t *needs_of(const struct run *r)
{
    json_t *needs = jsonx_must(json_object());

    for (size_t i = 0; i < r->p->subject_count; i++)
        need_of(r, needs, &r->p->subjects[i]);
    for (size_t i = 0; i < r->p->right_count; i++)
        need(needs, r->p->rights[i].scope, r->p->rights[i].action, r->p->rights[i].address);
    return needs;
}

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
            buf_text(&text), NULL);

    json_object_set_new(f, "action", jsonx_must(json_string(action)));
    json_object_set_new(f, "scope", jsonx_must(json_string(scope)));
}

void rights_step(struct run *r, bool is_judging)
{
    json_auto_t *needs = needs_of(r);
    const char *scope = NULL;
    json_t *actions = NULL;

    json_object_foreach (needs, scope, actions) {
        AUTO(free) char *path = r->p->cloud.rights_path(scope);
        AUTO(free) char *what = xasprintf("what the login may do at %s", scope);
        struct asked *a = run_ask(r, "GET", path, NULL);
        const char *action = NULL;
        json_t *addresses = NULL;

        if (!is_judging || !run_has_answer(r, a, "permission", what))
            continue;
        json_object_foreach (actions, action, addresses) {
            if (!r->p->cloud.allows(a->document, action))
                miss(r, scope, action, addresses);
        }
    }
}
