#include "commands/marker.h"

#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/jsonx.h"
#include "base/uri.h"
#include "state/state.h"

/* A tag's value takes 256 bytes. */
#define VALUE_MAX 256

static const char *lineage_of(const struct session *s)
{
    return jsonx_text(state_document(s->state), "lineage");
}

/*
 * Where the state is, in a form that is the same for everyone: of a file only its name, as folders
 * differ from machine to machine and would change the tag each time.
 */
static char *place_of(const struct session *s)
{
    const char *name = state_name(s->state);

    if (strstr(name, "://") != NULL && !str_starts(str_of(name), STR("file://")))
        return xstrdup(name);
    const char *slash = strrchr(name, '/');

    return xasprintf("file:%s", slash == NULL ? name : slash + 1);
}

static char *value_of(const struct session *s)
{
    AUTO(free) char *place = place_of(s);
    AUTO(free) char *value = xasprintf("%s %s", lineage_of(s), place);

    return str_dup(str_slice(str_of(value), 0, VALUE_MAX));
}

static bool is_plain_map(const json_t *tags)
{
    return tags == NULL || (json_is_object(tags) && json_object_get(tags, "$expr") == NULL);
}

void marker_set(struct session *s)
{
    struct model *m = s->context->model;

    for (size_t i = 0; i < m->resource_count; i++) {
        struct resource *r = &m->resources[i];

        if (!r->kind->is_group || r->existing != NULL
                || !is_plain_map(json_object_get(r->body, "tags")))
            continue;
        AUTO(free) char *value = value_of(s);
        json_t *body = r->body == NULL ? jsonx_must(json_object()) : jsonx_copy(r->body);
        json_t *tags = json_object_get(body, "tags");

        if (tags == NULL) {
            tags = jsonx_must(json_object());
            json_object_set_new(body, "tags", tags);
        }
        json_object_set_new(tags, MARKER_TAG, jsonx_must(json_string(value)));
        arena_hook(m->arena, (void (*)(void *))json_decref, body);
        r->body = body;
    }
}

struct err *marker_check(const struct session *s, bool is_taken_over)
{
    for (size_t i = 0; i < engine_count(s->engine); i++) {
        const struct engine_node *n = engine_node(s->engine, i);
        const char *mark = jsonx_text(jsonx_get_ci(n->actual, "tags"), MARKER_TAG);

        if (mark == NULL || !n->kind->is_group || n->resource == NULL
                || n->resource->existing != NULL || is_taken_over)
            continue;
        struct str rest = str_of(mark);
        const struct str lineage = str_cut(&rest, ' ');

        if (str_eq(lineage, str_of(lineage_of(s))))
            continue;
        AUTO(free) char *place = place_of(s);
        struct err *e = err_new(ERR_PROTECT, 0,
                "%s belongs to another state: lineage %.*s, kept at %.*s; this one is lineage %s, "
                "kept at %s",
                n->id, STR_ARG(lineage), STR_ARG(rest), lineage_of(s), place);

        err_set_hint(e, "use that state (--state); if it is lost, --take-over makes the group this "
                        "one's: with import for what is in it, too");
        return e;
    }
    return NULL;
}
