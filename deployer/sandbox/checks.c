#include "sandbox/checks.h"

#include <strings.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "sandbox/auth.h"
#include "sandbox/rid.h"
#include "sandbox/validate.h"
#include "sandbox/view.h"

static const char *registration_of(const struct sandbox *s, const char *ns)
{
    const char *state = json_string_value(jsonx_get_ci(s->registrations, ns));

    return state == NULL ? "Registered" : state;
}

static struct err *check_registered(const struct call *c, const char *verb)
{
    const char *ns = c->kind->ns->name;

    if (text_eq(verb, "read") || strcasecmp(registration_of(c->s, ns), "Registered") == 0)
        return NULL;
    return refuse(409, "MissingSubscriptionRegistration",
            "The subscription is not registered to use namespace '%s'. See "
            "https://aka.ms/rps-not-found for how to register subscriptions.",
            ns);
}

static struct err *check_group(const struct call *c, const char *verb)
{
    const bool is_group = c->rid->ns == NULL;

    if (c->rid->group == NULL || (is_group && text_eq(verb, "write")))
        return NULL;
    const char *key =
            rid_key(c->q->arena, arena_printf(c->q->arena, "/subscriptions/%s/resourceGroups/%s",
                                         c->rid->subscription, c->rid->group));
    const struct resource *group = store_find(&c->s->store, key);

    if (group == NULL)
        return refuse(404, "ResourceGroupNotFound", "Resource group '%s' could not be found.",
                c->rid->group);
    if (group->is_deleting && text_eq(verb, "write"))
        return refuse(409, "ResourceGroupBeingDeleted",
                "The resource group '%s' is in deprovisioning state and cannot perform this "
                "operation.",
                c->rid->group);
    return NULL;
}

static struct err *check_parent(const struct call *c, const char *verb)
{
    if (c->kind->scope == KIND_PARENT) {
        if (store_find(&c->s->store, c->rid->parent_key) != NULL)
            return NULL;
        return refuse(404, "ParentResourceNotFound",
                "Failed to perform '%s' on resource(s) of type '%s', because the parent resource "
                "'%s' could not be found.",
                verb, strchr(c->kind->type, '/') + 1, c->rid->parent_key);
    }
    if (c->kind->scope != KIND_EXTENSION || store_find(&c->s->store, c->rid->scope_key) != NULL)
        return NULL;
    const char *rest = strchr(c->rid->scope_key + (c->rid->scope_key[0] == '/'), '/');

    if (rest == NULL || strchr(rest + 1, '/') == NULL)
        return NULL; /* the subscription itself, or the tenant */
    return refuse(404, "ResourceNotFound", "The Resource '%s' was not found.", c->rid->scope_key);
}

struct err *checks_scope(const struct call *c, const char *verb)
{
    if (c->rid->subscription != NULL
            && strcasecmp(c->rid->subscription, auth_subscription(c->s->auth)) != 0)
        return refuse(404, "SubscriptionNotFound", "The subscription '%s' could not be found.",
                c->rid->subscription);
    TRY(check_registered(c, verb));
    TRY(check_group(c, verb));
    return check_parent(c, verb);
}

struct err *checks_not_found(const struct call *c)
{
    if (c->rid->group == NULL)
        return refuse(404, "ResourceNotFound", "The Resource '%s' was not found.", c->rid->id);
    const char *ns = strchr(c->kind->type, '/');
    const char *below = strstr(c->rid->key, "/providers/");

    (void)ns;
    return refuse(404, "ResourceNotFound",
            "The Resource '%s' under resource group '%s' was not found. For more details please go "
            "to https://aka.ms/ARMResourceNotFoundFix",
            below == NULL ? c->rid->id : c->rid->id + (below - c->rid->key) + strlen("/providers/"),
            c->rid->group);
}

/* Whether `key` is `scope` or below it. */
static bool is_at_or_below(const char *key, const char *scope)
{
    const size_t len = strlen(scope);

    return strncmp(key, scope, len) == 0 && (key[len] == '\0' || key[len] == '/');
}

struct err *checks_locks(const struct call *c, const char *key, bool is_delete)
{
    static const char mark[] = "/providers/microsoft.authorization/locks/";

    if (strstr(key, mark) != NULL)
        return NULL;
    for (size_t i = 0; i < c->s->store.count; i++) {
        const struct resource *lock = c->s->store.items[i];
        const char *at = strstr(lock->key, mark);

        if (at == NULL)
            continue;
        const char *scope =
                arena_str(c->q->arena, (struct str){ lock->key, (size_t)(at - lock->key) });
        const char *level = json_string_value(jsonx_at(lock->doc, "properties.level"));
        const bool is_read_only = level != NULL && strcasecmp(level, "ReadOnly") == 0;
        /* Deleting a group or a parent deletes what is locked below it. */
        const bool hits = is_at_or_below(key, scope) || (is_delete && is_at_or_below(scope, key));

        if (hits && (is_delete || is_read_only))
            return refuse(409, "ScopeLocked",
                    "The scope '%s' cannot perform %s operation because following scope(s) are "
                    "locked: '%s'. Please remove the lock and try again.",
                    c->rid->id, is_delete ? "delete" : "write", scope);
    }
    return NULL;
}

static bool etag_is(const char *header, const char *etag)
{
    struct str h = str_trim(str_of(header));

    if (str_starts(h, STR("W/")))
        h = str_slice(h, 2, h.len);
    if (h.len >= 2 && h.p[0] == '"')
        h = str_slice(h, 1, h.len - 1);
    return str_eq(h, str_of(etag));
}

struct err *checks_preconditions(const struct call *c, const struct resource *old)
{
    const char *match = c->q->if_match;
    const char *none = c->q->if_none_match;

    if (!c->kind->has_etag)
        return NULL;
    const bool fails_match =
            match != NULL && (old == NULL || (!text_eq(match, "*") && !etag_is(match, old->etag)));
    const bool fails_none = none != NULL && text_eq(none, "*") && old != NULL;

    if (!fails_match && !fails_none)
        return NULL;
    return refuse(412, "PreconditionFailed",
            "The condition '%s' in the %s header was not satisfied. The current ETag is '%s'.",
            fails_match ? match : none, fails_match ? "If-Match" : "If-None-Match",
            old == NULL ? "" : old->etag);
}

struct err *checks_busy(const struct call *c)
{
    const json_t *busy = json_object_get(c->kind->data, "busy");
    const char *code = jsonx_text(busy, "code");
    const char *message = jsonx_text(busy, "message");
    const bool is_family = text_eq(jsonx_text(busy, "scope"), "parent");
    const char *scope =
            is_family && c->kind->scope == KIND_PARENT ? c->rid->parent_key : c->rid->key;

    for (size_t i = c->s->ops.count; i > 0; i--) {
        const struct operation *op = c->s->ops.items[i - 1];

        if (op->state != OPERATION_RUNNING || op->is_action)
            continue;
        if (text_eq(op->key, c->rid->key) || (is_family && is_at_or_below(op->key, scope)))
            return refuse((int)jsonx_int(busy, "status", 409), code == NULL ? "Conflict" : code,
                    "%s",
                    message == NULL ? "Another operation on this or a dependent resource is in "
                                      "progress."
                                    : message);
    }
    return NULL;
}

struct ref_check {
    const struct call *c;
};

static struct err *check_ref(void *arg, const char *path, const char *id)
{
    const struct ref_check *check = arg;
    const struct call *c = check->c;
    const struct resource *r = store_find(&c->s->store, rid_key(c->q->arena, id));
    const json_t *busy = json_object_get(c->kind->data, "ref_busy");
    const json_t *missing = json_object_get(c->kind->data, "ref_missing");
    const char *code = jsonx_text(missing, "code");

    (void)path;
    if (r == NULL || r->is_deleting)
        return refuse((int)jsonx_int(missing, "status", 400),
                code == NULL ? "InvalidResourceReference" : code,
                "Resource %s referenced by resource %s was not found. Please make sure that the "
                "referenced resource exists, and that both resources are in the same region.",
                id, c->rid->id);
    const bool is_ready = strcasecmp(r->state, r->kind->state_done) == 0 || r->op_id == NULL
                          || strcasecmp(r->state, r->kind->state_words[KIND_CREATE]) != 0;

    if (busy == NULL || is_ready)
        return NULL;
    return refuse((int)jsonx_int(busy, "status", 409), jsonx_text(busy, "code"),
            "Resource %s referenced by resource %s is not provisioned: its state is %s.", id,
            c->rid->id, r->state);
}

struct err *checks_refs(const struct call *c, const json_t *doc)
{
    struct ref_check check = { .c = c };

    return validate_each_ref(c->kind, doc, check_ref, &check);
}

static bool same_id(const json_t *value, const char *key)
{
    return json_is_string(value) && strcasecmp(json_string_value(value), key) == 0;
}

bool checks_mentions(const json_t *doc, const char *path, const char *key)
{
    const char *list = strstr(path, "[]");
    size_t i = 0;
    json_t *item = NULL;

    if (list == NULL)
        return same_id(jsonx_at(doc, path), key);
    AUTO(free) char *head = xmemdup0(path, (size_t)(list - path));
    const char *tail = list + 2 + (list[2] == '.');

    json_array_foreach (jsonx_at(doc, head), i, item) {
        if (tail[0] == '\0' ? same_id(item, key) : checks_mentions(item, tail, key))
            return true;
    }
    return false;
}

static struct err *check_guard(
        const struct sandbox *s, const struct resource *r, const json_t *guard)
{
    const struct kind *by = kinds_find(s->kinds, jsonx_text(guard, "by"));
    const char *at = jsonx_text(guard, "at");
    size_t from = 0;
    size_t to = 0;

    store_below(&s->store, r->key, &from, &to);
    for (size_t i = 0; by != NULL && i < s->store.count; i++) {
        const struct resource *other = s->store.items[i];
        const bool is_child = at == NULL && i >= from && i < to;

        if (other->kind != by || other->is_deleting)
            continue;
        if (is_child || (at != NULL && checks_mentions(other->doc, at, r->key)))
            return refuse((int)jsonx_int(guard, "status", 400), jsonx_text(guard, "code"),
                    "%s %s is in use by %s and cannot be deleted.", r->kind->type, r->id,
                    other->id);
    }
    return NULL;
}

struct err *checks_unused(const struct sandbox *s, const struct resource *r)
{
    size_t i = 0;
    json_t *guard = NULL;

    json_array_foreach (json_object_get(r->kind->data, "guards"), i, guard)
        TRY(check_guard(s, r, guard));
    return NULL;
}

static const json_t *find_buried(const struct call *c)
{
    size_t i = 0;
    json_t *one = NULL;

    json_array_foreach (c->s->store.deleted, i, one) {
        if (strcasecmp(jsonx_text(one, "type"), c->kind->type) == 0
                && strcasecmp(jsonx_text(one, "name"), c->rid->name) == 0)
            return one;
    }
    return NULL;
}

/* A soft-deleted namesake: taken back when asked for, else in the way. */
static struct err *check_buried(const struct call *c, const json_t *body)
{
    const json_t *rule = json_object_get(c->kind->data, "soft_delete");
    const json_t *buried = rule == NULL ? NULL : find_buried(c);
    const char *at = jsonx_text(rule, "recover_at");
    const char *wanted = at == NULL ? NULL : json_string_value(jsonx_at_ci(body, at));
    const char *word = jsonx_text(rule, "recover_word");

    if (buried == NULL)
        return NULL;
    const bool is_same_place = strcasecmp(jsonx_text(buried, "id"), c->rid->id) == 0;

    if (at == NULL && is_same_place)
        return NULL; /* a PUT of the same id recovers */
    if (wanted != NULL && word != NULL && strcasecmp(wanted, word) == 0 && is_same_place)
        return NULL;
    if (jsonx_bool(rule, "blocks_elsewhere", true) || is_same_place)
        return refuse(409, jsonx_text(rule, "code"),
                "A %s with the same name '%s' already exists in deleted state. You need to either "
                "recover or purge the existing one.",
                c->kind->type, c->rid->name);
    return NULL;
}

struct err *checks_name_free(const struct call *c, const json_t *body)
{
    for (size_t i = 0; c->kind->is_global_name && i < c->s->store.count; i++) {
        const struct resource *other = c->s->store.items[i];
        const char *code = jsonx_text(json_object_get(c->kind->data, "errors"), "taken");

        if (other->kind == c->kind && strcasecmp(other->name, c->rid->name) == 0)
            return refuse(409, code == NULL ? "NameNotAvailable" : code,
                    "The name '%s' is already taken.", c->rid->name);
    }
    return check_buried(c, body);
}
