/* Soft-deleted namesakes: recognised by listing what is deleted, before a name is used. */
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "precheck/internal.h"

static const json_t *find_namesake(
        const json_t *members, const json_t *rule, const struct precheck_subject *s)
{
    const char *match = jsonx_text(rule, "match");
    size_t i = 0;
    const json_t *member = NULL;

    json_array_foreach (members, i, member) {
        const char *name = json_string_value(jsonx_at_ci(member, match == NULL ? "name" : match));

        if (name != NULL && strcasecmp(name, s->name) == 0)
            return member;
    }
    return NULL;
}

/* Whether the deleted one had our id, so that it can be taken back; true where it isn't told. */
static bool was_here(const json_t *rule, const json_t *namesake, const struct precheck_subject *s)
{
    const char *at = jsonx_text(rule, "id");
    const char *id = at == NULL ? NULL : json_string_value(jsonx_at_ci(namesake, at));

    return id == NULL || s->id == NULL || strcasecmp(id, s->id) == 0;
}

/* The region it was deleted in, which may be another one than ours. */
static char *purge_path(const struct run *r, const json_t *rule, const json_t *namesake,
        const struct precheck_subject *s)
{
    const char *purge = jsonx_text(rule, "purge");
    const char *where = jsonx_text(rule, "location");
    const char *location = where == NULL ? NULL : json_string_value(jsonx_at_ci(namesake, where));
    struct precheck_subject as_deleted = *s;

    if (location != NULL)
        as_deleted.location = location;
    return purge == NULL ? NULL : question_fill(purge, &as_deleted, r->p->cloud.subscription);
}

/* What can be done about it, or what is done by an option that was given. */
static void tell(struct run *r, const json_t *rule, const json_t *namesake, const char *list,
        const struct precheck_subject *s)
{
    const bool is_implicit = json_object_size(json_object_get(rule, "recover")) == 0;
    const bool is_recovered = run_is_named(r->p->recover, s);
    const bool is_purged = run_is_named(r->p->purge, s);
    const bool is_here = was_here(rule, namesake, s);
    AUTO(free) char *purge = purge_path(r, rule, namesake, s);
    AUTO(free)
    char *text = xasprintf(
            "%s: a deleted %s '%s' still holds the name", s->address, s->kind->title, s->name);
    AUTO(free)
    char *hint = xasprintf("%s%s%s%s%s", is_here ? "--recover " : "", is_here ? s->name : "",
            is_here ? " takes it back" : "it was another group's or region's",
            purge == NULL ? "" : ", --purge ", purge == NULL ? "" : s->name);

    if (is_purged && purge != NULL) {
        json_t *f = run_add(r, "soft-deleted", "note", s->address, text, "it is purged first");

        json_object_set_new(f, "purge", jsonx_must(json_string(purge)));
        json_object_set_new(f, "list", jsonx_must(json_string(list)));
        json_object_set_new(f, "name", jsonx_must(json_string(s->name)));
    } else if (is_recovered && is_here) {
        run_add(r, "soft-deleted", "note", s->address, text, "it is taken back");
    } else if (is_implicit) { /* a PUT at the same place takes it back; at another it is refused */
        run_add(r, "soft-deleted", is_here ? "note" : "warning", s->address, text,
                is_here ? "it is taken back, with the data that it had" : hint);
    } else {
        AUTO(free)
        char *all = purge == NULL
                            ? xasprintf("%s; it can't be purged: else choose another name", hint)
                            : xasprintf("%s lets it go for good", hint);

        run_add(r, "soft-deleted", "error", s->address, text, all);
    }
}

/* A mistyped name must not look as if it had been heeded. */
static void tell_unused(struct run *r, const char *option, const json_t *names)
{
    size_t k = 0;
    const json_t *name = NULL;

    json_array_foreach (names, k, name) {
        json_auto_t *one = jsonx_must(json_pack("[O]", name));
        bool is_used = false;

        for (size_t i = 0; i < r->p->subject_count && !is_used; i++)
            is_used = run_is_named(one, &r->p->subjects[i]);
        if (is_used)
            continue;
        AUTO(free)
        char *text = xasprintf(
                "%s %s: nothing that is written is called so", option, json_string_value(name));

        run_add(r, "soft-deleted", "warning", NULL, text,
                "a name or an address, as the plan has it");
    }
}

void buried_step(struct run *r, enum run_phase phase)
{
    for (size_t i = 0; i < r->p->subject_count; i++) {
        const struct precheck_subject *s = &r->p->subjects[i];
        const json_t *rule = s->kind->soft_delete;
        const char *list = jsonx_text(rule, "list");

        if (list == NULL || s->name == NULL || !s->is_created || s->is_name_ours)
            continue;
        AUTO(free) char *path = question_fill(list, s, r->p->cloud.subscription);
        AUTO(free) char *what = xasprintf("deleted namesakes of %s", s->address);
        struct asked *a = run_ask(r, "GET", path, NULL);

        if (phase != RUN_JUDGE || !run_has_answer(r, a, "soft-deleted", what))
            continue;
        const json_t *namesake = find_namesake(a->document, rule, s);

        if (namesake != NULL)
            tell(r, rule, namesake, path, s);
    }
    if (phase == RUN_JUDGE) {
        tell_unused(r, "--recover", r->p->recover);
        tell_unused(r, "--purge", r->p->purge);
    }
}
