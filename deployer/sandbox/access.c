#include "sandbox/access.h"

#include <fnmatch.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/jsonx.h"
#include "sandbox/auth.h"
#include "sandbox/faults.h"
#include "sandbox/rid.h"
#include "sandbox/store.h"

#define ASSIGNMENTS "/providers/microsoft.authorization/roleassignments/"
#define DEFINITIONS "Microsoft.Authorization/roleDefinitions"

/* ---- where rights come from ---- */

static const char *last_segment(const char *id)
{
    const char *slash = id == NULL ? NULL : strrchr(id, '/');

    return slash == NULL ? id : slash + 1;
}

static json_t *list_at(const json_t *j, const char *key)
{
    json_t *list = json_object_get(j, key);

    return json_is_array(list) ? json_incref(list) : jsonx_must(json_array());
}

/* From a row of access.yaml or of the fault script. */
static json_t *entry_of(const json_t *row)
{
    return jsonx_must(json_pack("{s:o, s:o, s:o, s:o}", "actions", list_at(row, "actions"),
            "notActions", list_at(row, "not_actions"), "dataActions", list_at(row, "data_actions"),
            "notDataActions", list_at(row, "not_data_actions")));
}

static const json_t *built_in(const struct sandbox *s, const char *id)
{
    size_t i = 0;
    const json_t *role = NULL;

    json_array_foreach (kinds_roles(s->kinds), i, role) {
        if (id != NULL && strcasecmp(jsonx_text(role, "id"), id) == 0)
            return role;
    }
    return NULL;
}

/* Adds what a role allows, a built-in one or one that was made here. */
static void add_role(const struct sandbox *s, const char *definition, json_t *ret)
{
    const char *id = last_segment(definition);
    const json_t *role = built_in(s, id);

    if (role != NULL) {
        json_array_append_new(ret, entry_of(role));
        return;
    }
    for (size_t i = 0; id != NULL && i < s->store.count; i++) {
        const struct resource *r = s->store.items[i];

        if (strcasecmp(r->kind->type, DEFINITIONS) == 0 && strcasecmp(r->name, id) == 0)
            json_array_extend(ret, jsonx_at(r->doc, "properties.permissions"));
    }
}

static bool is_at_or_below(const char *key, const char *scope)
{
    const size_t len = strlen(scope);

    return strncmp(key, scope, len) == 0 && (key[len] == '\0' || key[len] == '/');
}

static void add_assigned(const struct call *c, const char *key, json_t *ret)
{
    for (size_t i = 0; i < c->s->store.count; i++) {
        const struct resource *r = c->s->store.items[i];
        const char *at = strstr(r->key, ASSIGNMENTS);
        const char *who = json_string_value(jsonx_at(r->doc, "properties.principalId"));

        if (at == NULL || who == NULL || c->object_id == NULL || strcasecmp(who, c->object_id) != 0)
            continue;
        const char *scope = arena_str(c->q->arena, (struct str){ r->key, (size_t)(at - r->key) });

        if (is_at_or_below(key, scope))
            add_role(c->s, json_string_value(jsonx_at(r->doc, "properties.roleDefinitionId")), ret);
    }
}

static void add_scripted(const json_t *row, const char *key, json_t *ret)
{
    const char *scope = jsonx_text(row, "scope");

    if (scope == NULL || fnmatch(scope, key, FNM_CASEFOLD) == 0)
        json_array_append_new(ret, entry_of(row));
}

json_t *access_permissions(const struct call *c, const char *scope)
{
    const json_t *script = faults_setting(c->s->faults, "permissions");
    const bool is_own = text_eq(c->object_id, auth_object_id(c->s->auth));
    const char *key = rid_key(c->q->arena, scope);
    json_t *all = jsonx_must(json_array());
    size_t i = 0;
    const json_t *row = NULL;

    if (is_own && script == NULL)
        json_array_append_new(
                all, jsonx_must(json_pack("{s:[s], s:[], s:[s], s:[]}", "actions", "*",
                             "notActions", "dataActions", "*", "notDataActions")));
    if (is_own && json_is_object(script))
        add_scripted(script, key, all);
    if (is_own && json_is_array(script)) {
        json_array_foreach (script, i, row)
            add_scripted(row, key, all);
    }
    if (!is_own || text_eq(json_string_value(script), "assigned"))
        add_assigned(c, key, all);
    return all;
}

/* ---- judging ---- */

/* "a/STAR/b" stands for "a/b" too. */
static bool fits(const char *pattern, const char *action)
{
    const char *middle = strstr(pattern, "/*/");

    if (fnmatch(pattern, action, FNM_CASEFOLD) == 0)
        return true;
    if (middle == NULL)
        return false;
    AUTO(free) char *shorter = xasprintf("%.*s%s", (int)(middle - pattern), pattern, middle + 2);

    return fnmatch(shorter, action, FNM_CASEFOLD) == 0;
}

static bool is_among(const json_t *patterns, const char *action)
{
    size_t i = 0;
    const json_t *pattern = NULL;

    json_array_foreach (patterns, i, pattern) {
        if (json_is_string(pattern) && fits(json_string_value(pattern), action))
            return true;
    }
    return false;
}

static bool allows(const struct call *c, const char *scope, const char *action, bool is_data)
{
    json_auto_t *all = access_permissions(c, scope);
    size_t i = 0;
    const json_t *role = NULL;

    json_array_foreach (all, i, role) {
        const json_t *given = json_object_get(role, is_data ? "dataActions" : "actions");
        const json_t *taken = json_object_get(role, is_data ? "notDataActions" : "notActions");

        if (is_among(given, action) && !is_among(taken, action))
            return true;
    }
    return false;
}

bool access_allows(const struct call *c, const char *action, const char *scope)
{
    return allows(c, scope, action, false);
}

bool access_allows_data(const struct call *c, const char *action, const char *scope)
{
    return allows(c, scope, action, true);
}

struct err *access_check(const struct call *c, const char *action, const char *scope)
{
    if (access_allows(c, action, scope))
        return NULL;
    return refuse(403, "AuthorizationFailed",
            "The client '%s' with object id '%s' does not have authorization to perform action "
            "'%s' over scope '%s' or the scope is invalid. If access was recently granted, please "
            "refresh your credentials.",
            c->client_id, c->object_id, action, scope);
}

static const char *type_in_actions(const char *type)
{
    return strcasecmp(type, "Microsoft.Resources/resourceGroups") == 0
                   ? "Microsoft.Resources/subscriptions/resourceGroups"
                   : type;
}

/* "revisions/x/restart" -> "revisions/restart": every other segment is a name. */
static const char *words_of(const struct call *c, const char *sub)
{
    AUTO(buf) struct buf words = BUF_INIT(BUF_TEXT_MAX);
    struct str rest = str_of(sub);
    bool is_name = false;

    for (; rest.len > 0; is_name = !is_name) {
        const struct str segment = str_cut(&rest, '/');

        if (!is_name)
            buf_addf(&words, "/%.*s", STR_ARG(segment));
    }
    return arena_text(c->q->arena, buf_text(&words));
}

static const char *verb_of(const struct request *q, const char *sub)
{
    if (request_is(q, "GET") || request_is(q, "HEAD"))
        return "read";
    if (request_is(q, "DELETE"))
        return "delete";
    return request_is(q, "POST") && sub != NULL ? "action" : "write";
}

struct err *access_check_resource(const struct call *c, const char *sub)
{
    const char *action = arena_printf(c->q->arena, "%s%s/%s", type_in_actions(c->kind->type),
            sub == NULL ? "" : words_of(c, sub), verb_of(c->q, sub));
    const char *scope = c->rid->is_collection ? c->rid->parent_key : c->rid->id;

    return access_check(c, action, scope[0] == '\0' ? "/" : scope);
}

/* ---- what a document names ---- */

struct linked {
    const struct call *c;
    struct err *refused;
};

static bool same_type(const char *wanted, const char *type)
{
    return wanted == NULL || strcasecmp(wanted, type) == 0;
}

static const char *linked_action(const struct call *c, const char *member, const char *type)
{
    size_t i = 0;
    const json_t *row = NULL;

    json_array_foreach (kinds_linked(c->s->kinds), i, row) {
        const char *at = jsonx_text(row, "at");

        if (same_type(jsonx_text(row, "from"), c->kind->type)
                && same_type(jsonx_text(row, "to"), type) && (at == NULL || text_eq(at, member)))
            return jsonx_text(row, "action");
    }
    return NULL;
}

static void check_id(struct linked *l, const char *member, const char *id)
{
    const struct call *c = l->c;
    struct rid rid = { 0 };

    if (l->refused != NULL || id[0] != '/' || !rid_parse_text(c->q->arena, id, &rid)
            || rid.is_collection || rid.type == NULL || is_at_or_below(rid.key, c->rid->key))
        return;
    const char *word = linked_action(c, member, rid.type);
    const char *action = word == NULL ? NULL : arena_printf(c->q->arena, "%s/%s", rid.type, word);

    if (action == NULL || access_allows(c, action, id))
        return;
    l->refused = refuse(403, "LinkedAuthorizationFailed",
            "The client '%s' with object id '%s' has permission to perform action '%s/write' on "
            "scope '%s'; however, it does not have permission to perform action(s) '%s' on the "
            "linked scope(s) '%s' (respectively) or the linked scope(s) are invalid.",
            c->client_id, c->object_id, type_in_actions(c->kind->type), c->rid->id, action, id);
}

static void walk(struct linked *l, const char *member, const json_t *j)
{
    const char *key = NULL;
    json_t *value = NULL;
    size_t i = 0;

    if (json_is_string(j))
        check_id(l, member, json_string_value(j));
    json_object_foreach ((json_t *)(uintptr_t)j, key, value) {
        check_id(l, member, key);
        walk(l, key, value);
    }
    json_array_foreach ((json_t *)(uintptr_t)j, i, value)
        walk(l, member, value);
}

struct err *access_check_linked(const struct call *c, const json_t *document)
{
    struct linked l = { .c = c };

    walk(&l, "", document);
    return l.refused;
}

/* ---- role definitions ---- */

static json_t *definition_json(const struct call *c, const json_t *role)
{
    const char *doc = jsonx_text(role, "doc");
    const char *id = jsonx_text(role, "id");

    return jsonx_must(json_pack("{s:o, s:s, s:s, s:{s:s, s:s, s:s, s:[s], s:[o]}}", "id",
            jsonx_textf("/subscriptions/%s/providers/%s/%s", auth_subscription(c->s->auth),
                    DEFINITIONS, id),
            "type", DEFINITIONS, "name", id, "properties", "roleName", jsonx_text(role, "name"),
            "type", "BuiltInRole", "description", doc == NULL ? "" : doc, "assignableScopes", "/",
            "permissions", entry_of(role)));
}

/* "roleName eq 'Reader'", "type eq 'BuiltInRole'"; anything else lets all pass. */
static bool passes(const char *filter, const char *name)
{
    static const char mark[] = "roleName eq '";
    const char *at = filter == NULL ? NULL : strcasestr(filter, mark);

    if (filter != NULL && strcasestr(filter, "CustomRole") != NULL)
        return false;
    if (at == NULL)
        return true;
    at += strlen(mark);
    const size_t len = strcspn(at, "'");

    return strlen(name) == len && strncasecmp(at, name, len) == 0;
}

void access_add_roles(const struct call *c, json_t *value)
{
    const char *filter = request_query(c->q, "$filter");
    size_t i = 0;
    const json_t *role = NULL;

    json_array_foreach (kinds_roles(c->s->kinds), i, role) {
        if (passes(filter, jsonx_text(role, "name")))
            json_array_append_new(value, definition_json(c, role));
    }
}

bool access_handle_role(struct call *c)
{
    if (!request_is(c->q, "GET") || strcasecmp(c->kind->type, DEFINITIONS) != 0)
        return false;
    const json_t *role = c->rid->is_collection ? NULL : built_in(c->s, c->rid->name);

    if (role != NULL)
        reply_json(c->r, 200, definition_json(c, role));
    return role != NULL;
}
