#include "commands/adopt.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "cloud/cloud.h"
#include "engine/engine.h"

#define SEVERAL "several carry its tag"
#define OTHER_SUFFIX "has its name with another suffix, and no tag"

struct found {
    const struct adopt_search *search;
    json_t *ids, *how, *told;
};

static const char *last_segment(const char *id)
{
    const char *slash = strrchr(id, '/');

    return slash == NULL ? id : slash + 1;
}

/* What a cloud makes of a kind and a name, without what is above it: the end of each such id. */
static bool is_of_kind(const struct cloud *cloud, const struct kind *k, const char *id)
{
    AUTO(free)
    char *end = cloud->ops->make_id((struct cloud *)(uintptr_t)cloud, k,
            k->scope == KIND_SCOPE_GROUP ? "" : NULL, last_segment(id));

    return end != NULL && str_ends_ci(str_of(id), str_of(end));
}

/* "STACK[/ENVIRONMENT]/ADDRESS" as it would be written; NULL for what takes no tags. */
static const char *label_of(const struct engine_node *n)
{
    const json_t *tags = n->resource == NULL ? NULL : json_object_get(n->resource->body, "tags");

    return jsonx_text(tags, MODEL_TAG);
}

static const char *label_on(const json_t *member)
{
    return jsonx_text(jsonx_get_ci(member, "tags"), MODEL_TAG);
}

bool adopt_is_of_another_stack(const struct engine_node *n)
{
    const char *own = label_of(n);
    const char *there = label_on(n->actual);
    const size_t own_len = own == NULL ? 0 : strlen(own);
    const size_t address_len = strlen(n->address);

    if (own == NULL || there == NULL || own_len < address_len)
        return false;
    const size_t prefix = own_len - address_len;

    /* An address has its dot before any slash; an environment that we don't have, has none. */
    return strncmp(own, there, prefix) != 0 || there[prefix + strcspn(there + prefix, "./")] != '.';
}

static bool is_sought(const struct adopt_search *a, const struct engine_node *n)
{
    return n->resource != NULL && n->resource->existing == NULL && n->entry == NULL
           && n->presence == NODE_ABSENT && n->kind->scope == KIND_SCOPE_GROUP
           && a->is_asked_for(a->arg, n->address);
}

/* One of the stack's own by its id: nothing else can be it. */
static bool is_claimed(const struct adopt_search *a, const char *id)
{
    for (size_t i = 0; i < engine_count(a->engine); i++) {
        const struct engine_node *n = engine_node(a->engine, i);

        if (n->id != NULL && (n->presence == NODE_PRESENT || n->entry != NULL)
                && a->cloud->ops->same_id(n->id, id))
            return true;
    }
    return false;
}

typedef bool candidate_fn(
        const struct adopt_search *a, const struct engine_node *n, const json_t *member);

static bool has_label(
        const struct adopt_search *a, const struct engine_node *n, const json_t *member)
{
    (void)a;
    return text_eq(label_of(n), label_on(member));
}

/* Where the id would be, were the stack's group the one that is looked into. */
static bool is_namesake(
        const struct adopt_search *a, const struct engine_node *n, const json_t *member)
{
    if (a->group_id == NULL || n->id == NULL)
        return false;
    AUTO(free)
    char *there = a->cloud->ops->make_id(
            (struct cloud *)(uintptr_t)a->cloud, n->kind, a->group_id, last_segment(n->id));

    return there != NULL && a->cloud->ops->same_id(there, jsonx_text(member, "id"));
}

static bool is_suffix(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)text[i]))
            return false;
    }
    return text[len] == '\0';
}

static bool has_other_suffix(
        const struct adopt_search *a, const struct engine_node *n, const json_t *member)
{
    const char *name = n->id == NULL ? "" : last_segment(n->id);
    const char *there = last_segment(jsonx_text(member, "id"));
    const size_t behind = a->suffix == NULL ? 0 : strlen(a->suffix);
    const size_t len = strlen(name);

    if (!n->kind->is_unique_name || behind == 0 || len <= behind || strlen(there) != len
            || label_on(member) != NULL || !text_eq(name + len - behind, a->suffix))
        return false;
    return str_eq_ci(str_slice(str_of(name), 0, len - behind),
                   str_slice(str_of(there), 0, len - behind))
           && is_suffix(there + len - behind, behind);
}

static json_t *candidates(
        const struct adopt_search *a, const struct engine_node *n, candidate_fn *is_candidate)
{
    json_t *ids = jsonx_must(json_array());
    size_t i = 0;
    json_t *member = NULL;

    json_array_foreach ((json_t *)(uintptr_t)a->members, i, member) {
        const char *id = jsonx_text(member, "id");

        if (id != NULL && is_of_kind(a->cloud, n->kind, id) && !is_claimed(a, id)
                && is_candidate(a, n, member))
            json_array_append_new(ids, jsonx_must(json_string(id)));
    }
    return ids;
}

static void tell(struct found *f, const struct engine_node *n, const char *why, json_t *ids)
{
    json_array_append_new(f->told, jsonx_must(json_pack("{s:s, s:s, s:O}", "address", n->address,
                                           "why", why, "ids", ids)));
}

static void take(struct found *f, const struct engine_node *n, const char *how, json_t *ids)
{
    json_object_set(f->ids, n->address, json_array_get(ids, 0));
    json_object_set_new(f->how, n->address, jsonx_must(json_string(how)));
}

static void look_for(struct found *f, const struct engine_node *n)
{
    json_auto_t *tagged = candidates(f->search, n, has_label);
    json_auto_t *named = candidates(f->search, n, is_namesake);
    json_auto_t *alike = candidates(f->search, n, has_other_suffix);

    if (json_array_size(tagged) > 1)
        tell(f, n, SEVERAL, tagged);
    else if (json_array_size(tagged) == 1)
        take(f, n, "tag", tagged);
    else if (json_array_size(named) == 1)
        take(f, n, "name", named);
    else if (json_array_size(alike) > 0)
        tell(f, n, OTHER_SUFFIX, alike);
}

json_t *adopt_find(const struct adopt_search *a)
{
    struct found f = { .search = a,
        .ids = jsonx_must(json_object()),
        .how = jsonx_must(json_object()),
        .told = jsonx_must(json_array()) };

    for (size_t i = 0; i < engine_count(a->engine); i++) {
        if (is_sought(a, engine_node(a->engine, i)))
            look_for(&f, engine_node(a->engine, i));
    }
    return jsonx_must(json_pack("{s:o, s:o, s:o}", "ids", f.ids, "how", f.how, "told", f.told));
}

/* ---- ADDRESS=ID ---- */

struct err *adopt_split(const char *word, char **ret_address, const char **ret_id)
{
    const char *at = strstr(word, "=/");

    if (at == word)
        return err_new(ERR_USAGE, 0,
                "'%s': want ADDRESS=ID, the address as plan shows it (SERVICE.RESOURCE)", word);
    *ret_id = at == NULL ? NULL : at + 1;
    *ret_address = at == NULL ? xstrdup(word) : xmemdup0(word, (size_t)(at - word));
    return NULL;
}

struct err *adopt_check_id(const struct cloud *cloud, const struct engine_node *n, const char *id)
{
    if (n->resource == NULL || n->resource->existing != NULL)
        return err_new(ERR_USAGE, 0,
                "%s: is not the stack's to take over: the stack file names it as existing",
                n->address);
    if (n->entry != NULL)
        return err_new(ERR_USAGE, 0, "%s: is in the state already, at %s", n->address, n->id);
    if (n->kind->scope != KIND_SCOPE_GROUP)
        return err_new(ERR_USAGE, 0,
                "%s: its id follows from what it stands in: only what stands in a group itself "
                "can have another name",
                n->address);
    if (!is_of_kind(cloud, n->kind, id))
        return err_new(ERR_USAGE, 0, "%s: %s is no %s (%s)", n->address, id, n->kind->title,
                n->kind->type);
    return NULL;
}
