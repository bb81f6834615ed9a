#include "engine/engine.h"

#include <string.h>

#include "base/alloc.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "engine/internal.h"
#include "graph/graph.h"

/* How often displays that show time are redrawn. */
#define TICK_MS 250
/* One operation gets so many times what it usually takes, and never less than the floor. */
#define PATIENCE 6.0
#define PATIENCE_FLOOR_MIN 30.0

/* ---- the nodes ---- */

static struct engine_node *add_node(struct engine *e)
{
    GROW(e->nodes, e->count, e->capacity);
    e->nodes[e->count] = xcalloc(1, sizeof(struct engine_node));
    e->nodes[e->count]->answers = jsonx_must(json_object());
    return e->nodes[e->count++];
}

static void free_node(struct engine_node *n)
{
    run_free(n->run);
    json_decref(n->entry);
    json_decref(n->actual);
    json_decref(n->desired);
    json_decref(n->desired_stored);
    json_decref(n->view);
    json_decref(n->answers);
    err_free(n->error);
    free(n->id);
    free(n->parent_id);
    free(n->denied);
    free(n->doing);
    free(n->note);
    free(n->needs);
    free(n->delete_needs);
    free(n);
}

static void index_nodes(struct engine *e)
{
    json_object_clear(e->by_address);
    for (size_t i = 0; i < e->count; i++) {
        if (json_object_get(e->by_address, e->nodes[i]->address) == NULL)
            json_object_set_new(e->by_address, e->nodes[i]->address, json_integer((json_int_t)i));
    }
}

/* So that what is needed comes first. */
static struct err *sort_nodes(struct engine *e)
{
    struct graph *g = graph_new(e->arena);
    struct engine_node **sorted = arena_alloc(e->arena, (e->count + 1) * sizeof(*sorted));
    size_t *order = NULL;

    for (size_t i = 0; i < e->count; i++)
        graph_add(g, e->nodes[i]->address, e->nodes[i]->kind->create_min);
    for (size_t i = 0; i < e->count; i++) {
        const struct resource *r = e->nodes[i]->resource;

        for (size_t d = 0; d < r->depends_on_count; d++) {
            const size_t on = engine_index(e, r->depends_on[d]);

            if (on != SIZE_MAX && on != i)
                graph_edge(g, i, on);
        }
    }
    TRY(graph_order(g, &order));
    for (size_t i = 0; i < e->count; i++)
        sorted[i] = e->nodes[order[i]];
    for (size_t i = 0; i < e->count; i++)
        e->nodes[i] = sorted[i];
    return NULL;
}

static bool is_claimed(const struct engine *e, const char *id)
{
    for (size_t i = 0; i < e->count; i++) {
        if (e->nodes[i]->id != NULL && e->setup.cloud->ops->same_id(e->nodes[i]->id, id))
            return true;
    }
    return false;
}

struct err *engine_add_orphans(struct engine *e)
{
    const char *key = NULL;
    json_t *entry = NULL;
    json_t *entries = json_object_get(state_document(e->setup.state), "entries");

    json_object_foreach (entries, key, entry) {
        const char *id = jsonx_text(entry, "id");
        const char *kind_name = jsonx_text(entry, "kind");

        if (id == NULL || kind_name == NULL || is_claimed(e, id))
            continue;
        const struct kind *kind = e->setup.kind(e->setup.arg, kind_name);

        if (kind == NULL)
            return err_new(ERR_CONFIG, 0,
                    "the state holds %s of kind %s, which the catalog does not have: give its "
                    "folder with --catalog",
                    id, kind_name);
        struct engine_node *n = add_node(e);
        const char *address = jsonx_text(entry, "address");

        n->address = arena_text(e->arena, address == NULL ? id : address);
        n->kind = kind;
        n->id = xstrdup(id);
        n->entry = jsonx_copy(entry);
    }
    index_nodes(e);
    return NULL;
}

struct err *engine_new(const struct engine_setup *setup, struct engine **ret)
{
    AUTO(engine) struct engine *e = xcalloc(1, sizeof(*e));

    e->setup = *setup;
    if (e->setup.side_by_side == 0)
        e->setup.side_by_side = ENGINE_SIDE_BY_SIDE;
    e->arena = arena_new();
    e->target = setup->model->target;
    e->by_address = jsonx_must(json_object());
    e->serial_held = jsonx_must(json_object());
    e->deadline_ms = setup->timeout_ms > 0 ? clock_now_ms() + setup->timeout_ms : INT64_MAX;
    for (size_t i = 0; i < setup->model->resource_count; i++) {
        struct engine_node *n = add_node(e);

        n->resource = &setup->model->resources[i];
        n->address = n->resource->address;
        n->kind = n->resource->kind;
    }
    index_nodes(e);
    TRY(sort_nodes(e));
    index_nodes(e);
    *ret = TAKE(e);
    return NULL;
}

void engine_free(struct engine *e)
{
    if (e == NULL)
        return;
    for (size_t i = 0; i < e->count; i++)
        free_node(e->nodes[i]);
    free(e->nodes);
    while (e->fetches != NULL) {
        struct engine_fetch *next = e->fetches->next;

        err_free(e->fetches->error);
        free(e->fetches);
        e->fetches = next;
    }
    json_decref(e->by_address);
    json_decref(e->serial_held);
    secret_table_release(&e->secrets);
    free(e->denied_action);
    arena_free(e->arena);
    free(e);
}

/* ---- looking at it ---- */

size_t engine_count(const struct engine *e)
{
    return e->count;
}

struct engine_node *engine_node(const struct engine *e, size_t i)
{
    return i < e->count ? e->nodes[i] : NULL;
}

size_t engine_index(const struct engine *e, const char *address)
{
    const json_t *index = json_object_get(e->by_address, address);

    return index == NULL ? SIZE_MAX : (size_t)json_integer_value(index);
}

struct engine_node *engine_find(const struct engine *e, const char *address)
{
    const size_t i = engine_index(e, address);

    return i == SIZE_MAX ? NULL : e->nodes[i];
}

size_t engine_status_count(const struct engine *e, enum node_status status)
{
    size_t count = 0;

    for (size_t i = 0; i < e->count; i++)
        count += e->nodes[i]->status == status;
    return count;
}

const struct secret_table *engine_secrets(const struct engine *e)
{
    return &e->secrets;
}

struct plan *engine_result(const struct engine *e)
{
    return e->plan;
}

/* ---- what the files of engine/ share ---- */

void engine_emit(struct engine *e, enum engine_event_kind kind, const struct engine_node *n,
        const char *text)
{
    if (e->setup.event != NULL)
        e->setup.event(e->setup.arg, kind, n, text);
}

void engine_set_text(char **text, char *value)
{
    free(*text);
    *text = value;
}

bool engine_is_being_deleted(const struct engine *e, const json_t *document)
{
    static const char *const words[] = { "Deleting", "ScheduledForDelete" };
    const struct cloud_ops *ops = e->setup.cloud->ops;
    const char *state = document == NULL || ops->state == NULL ? NULL : ops->state(document);

    for (size_t i = 0; state != NULL && i < ARRAY_LEN(words); i++) {
        if (str_eq_ci(str_of(state), str_of(words[i])))
            return true;
    }
    return false;
}

int64_t engine_deadline(const struct engine *e, const struct engine_node *n)
{
    const double usual = (n->item == NULL ? 0 : n->item->minutes) * PATIENCE;
    const double minutes = usual > PATIENCE_FLOOR_MIN ? usual : PATIENCE_FLOOR_MIN;
    const int64_t own = clock_now_ms() + (int64_t)(minutes * 60000);

    return own < e->deadline_ms ? own : e->deadline_ms;
}

static bool was_called(void *arg)
{
    return ((struct engine *)arg)->was_called;
}

struct err *engine_turn(struct engine *e, int64_t wake_ms)
{
    const int64_t tick = clock_now_ms() + TICK_MS;
    const int64_t until = wake_ms > 0 && wake_ms < tick ? wake_ms : tick;
    struct err *error = e->setup.turn(e->setup.arg, was_called, e, until);

    e->was_called = false;
    if (error != NULL && (err_kind(error) == ERR_TIMEOUT || err_kind(error) == ERR_CANCELED)) {
        err_ignore(error, "the end of a turn; who calls looks at the clock and at the signal");
        error = NULL;
    }
    engine_emit(e, ENGINE_EVENT_TICK, NULL, NULL);
    return error;
}

struct err *engine_late(const struct engine *e, struct err *error)
{
    if (error == NULL || err_kind(error) != ERR_TIMEOUT || clock_now_ms() < e->deadline_ms)
        return error;
    return err_wrap(error, "the time given by --timeout is over");
}

struct err *engine_drain(struct engine *e)
{
    while (e->outstanding > 0) {
        TRY(cancel_check());
        if (clock_now_ms() > e->deadline_ms)
            return err_new(ERR_TIMEOUT, 0, "the time given by --timeout is over");
        TRY(engine_turn(e, 0));
    }
    return cancel_check();
}
