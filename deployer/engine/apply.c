/*
 * apply.c - the scheduler: begins what can begin (largest remaining chain first), makes the intents
 * of a round durable together, sends, waits, and records what came of it. One thread, one loop.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "engine/internal.h"
#include "graph/graph.h"

/* After a signal: so long requests that were just sent may take to give a token. */
#define GRACE_MS 3000

static bool has_ended(const struct engine_node *n)
{
    return n->status != NODE_WAITING && n->status != NODE_RUNNING;
}

static bool is_deleted_in_plan(const struct engine_node *n)
{
    return n->item != NULL && (n->item->action == PLAN_DELETE || n->item->action == PLAN_REPLACE);
}

static size_t holder_of(const struct engine *e, const struct engine_node *n)
{
    if (n->item->goes_with == NULL || n->item->action != PLAN_DELETE)
        return SIZE_MAX;
    for (size_t i = 0; i < e->count; i++) {
        if (text_eq(e->nodes[i]->address, n->item->goes_with) && is_deleted_in_plan(e->nodes[i]))
            return i;
    }
    return SIZE_MAX;
}

/* What is deleted by the deletion of what holds it ends with that, and holds nobody up. */
static bool is_passive(const struct engine *e, const struct engine_node *n)
{
    return holder_of(e, n) != SIZE_MAX;
}

/* What it waits for and what did not end well; a passive one holds nobody up. */
static bool may_write(
        const struct engine *e, const struct engine_node *n, const struct engine_node **ret_failed)
{
    bool is_met = true;

    for (size_t d = 0; d < n->need_count; d++) {
        const struct engine_node *on = e->nodes[n->needs[d]];

        if (on->status == NODE_FAILED || on->status == NODE_SKIPPED)
            *ret_failed = on;
        is_met = is_met && (on->status == NODE_DONE || is_passive(e, on));
    }
    return is_met;
}

static bool may_delete(
        const struct engine *e, const struct engine_node *n, const struct engine_node **ret_failed)
{
    bool is_met = true;

    for (size_t d = 0; d < n->delete_need_count; d++) {
        const struct engine_node *on = e->nodes[n->delete_needs[d]];

        if (!on->is_removed && (on->status == NODE_FAILED || on->status == NODE_SKIPPED))
            *ret_failed = on;
        is_met = is_met && (on->is_removed || on->status == NODE_DONE || is_passive(e, on));
    }
    return is_met;
}

/* A replaced resource begins with its delete; what it needs counts before it is made again. */
static bool may_begin(
        const struct engine *e, const struct engine_node *n, const struct engine_node **ret_failed)
{
    if (n->item->action == PLAN_REPLACE && n->item->goes_with == NULL)
        return may_delete(e, n, ret_failed);
    const bool is_met = may_write(e, n, ret_failed);

    return n->item->action != PLAN_DELETE ? is_met : may_delete(e, n, ret_failed) && is_met;
}

/* Something that is not to be touched needs no turn of its own and fails nobody. */
static bool is_nothing(const struct engine_node *n)
{
    return n->item == NULL;
}

static void follow_holder(struct engine *e, size_t i, size_t holder)
{
    struct engine_node *n = e->nodes[i];
    const struct engine_node *h = e->nodes[holder];

    if (h->is_removed) {
        run_begin(e, i);
        run_advance(e, i);
    } else if (h->status == NODE_DONE) {
        n->status = NODE_DONE;
    } else if (h->status == NODE_FAILED || h->status == NODE_SKIPPED) {
        run_skip(e, n, h);
    }
}

static unsigned count_active(const struct engine *e)
{
    unsigned active = 0;

    for (size_t i = 0; i < e->count; i++)
        active += e->nodes[i]->status == NODE_RUNNING && !e->nodes[i]->run->is_blocked;
    return active;
}

/* Whether it may begin now; skips it when something that it needs failed. */
static bool is_startable(struct engine *e, size_t i)
{
    struct engine_node *n = e->nodes[i];

    if (n->status != NODE_WAITING)
        return false;
    if (is_nothing(n)) {
        n->status = NODE_DONE;
        return false;
    }
    const size_t holder = holder_of(e, n);

    if (holder != SIZE_MAX) {
        follow_holder(e, i, holder);
        return false;
    }
    const struct engine_node *failed = NULL;
    const bool is_free = may_begin(e, n, &failed);

    if (failed != NULL)
        run_skip(e, n, failed);
    return failed == NULL && is_free;
}

/* One pass over the waiting nodes; returns how many began. */
static unsigned begin_some(struct engine *e)
{
    unsigned begun = 0;

    for (size_t k = 0; k < e->count && count_active(e) < e->setup.side_by_side; k++) {
        const size_t i = e->by_weight[k];

        if (!is_startable(e, i))
            continue;
        run_begin(e, i);
        run_advance(e, i);
        begun++;
    }
    return begun;
}

static void advance_running(struct engine *e)
{
    for (size_t k = 0; k < e->count; k++) {
        const size_t i = e->by_weight[k];

        if (e->nodes[i]->status == NODE_RUNNING)
            run_advance(e, i);
    }
}

/* The round's intents and results become durable, then its requests go out. */
static struct err *flush(struct engine *e)
{
    TRY(state_commit(e->setup.state));
    for (size_t k = 0; k < e->count; k++) {
        if (e->nodes[e->by_weight[k]]->status == NODE_RUNNING)
            run_send(e, e->by_weight[k]);
    }
    return NULL;
}

static bool is_all_ended(const struct engine *e)
{
    for (size_t i = 0; i < e->count; i++) {
        if (!has_ended(e->nodes[i]))
            return false;
    }
    return true;
}

static int64_t next_wake(const struct engine *e)
{
    int64_t wake = 0;

    for (size_t i = 0; i < e->count; i++) {
        const struct node_run *r = e->nodes[i]->run;

        if (e->nodes[i]->status == NODE_RUNNING && !r->is_waiting && r->wake_ms > 0
                && (wake == 0 || r->wake_ms < wake))
            wake = r->wake_ms;
    }
    return wake;
}

static bool is_any_running(const struct engine *e)
{
    return engine_status_count(e, NODE_RUNNING) > 0;
}

/* ---- the end by a signal ---- */

static bool is_waiting_for_token(const struct engine *e)
{
    for (size_t i = 0; i < e->count; i++) {
        const struct engine_node *n = e->nodes[i];

        if (n->status == NODE_RUNNING && n->run->is_waiting && !n->run->is_accepted
                && (n->run->step == RUN_WRITE || n->run->step == RUN_REMOVE))
            return true;
    }
    return false;
}

/* Records what is under way. Operations go on in the cloud; the next run takes them up. */
static struct err *leave(struct engine *e)
{
    const int64_t until = clock_now_ms() + GRACE_MS;

    while (is_waiting_for_token(e) && clock_now_ms() < until) {
        TRY(engine_turn(e, until));
        TRY(state_commit(e->setup.state));
    }
    for (size_t i = 0; i < e->count; i++) {
        struct engine_node *n = e->nodes[i];

        if (n->status != NODE_RUNNING && n->status != NODE_WAITING)
            continue;
        if (n->status == NODE_RUNNING && n->run->send != RUN_SEND_NOTHING)
            journal_drop_intent(e, n); /* it was not sent, and will not be */
        n->status = NODE_LEFT;
    }
    TRY(state_commit(e->setup.state));
    return cancel_check();
}

/* ---- the loop ---- */

static struct err *begin_and_flush(struct engine *e)
{
    while (begin_some(e) > 0)
        ;
    return flush(e);
}

static struct err *stuck(const struct engine *e)
{
    for (size_t i = 0; i < e->count; i++) {
        if (!has_ended(e->nodes[i]))
            return err_new(ERR_INTERNAL, 0, "%s never became free to begin", e->nodes[i]->address);
    }
    return NULL;
}

static struct err *out_of_time(void)
{
    return err_new(ERR_TIMEOUT, 0,
            "the time given by --timeout is over; what is under way goes on, and the next run "
            "takes it up");
}

/* Whether --timeout, and not the resource's own time, cut one off. */
static bool is_cut_off(const struct engine *e)
{
    for (size_t i = 0; i < e->count; i++) {
        const struct engine_node *n = e->nodes[i];

        if (n->status == NODE_FAILED && err_kind(n->error) == ERR_TIMEOUT
                && engine_deadline(e, n) == e->deadline_ms)
            return true;
    }
    return false;
}

static struct err *run_all(struct engine *e)
{
    for (;;) {
        if (cancel_is_asked())
            return leave(e);
        if (clock_now_ms() > e->deadline_ms) {
            err_ignore(leave(e), "the time is over");
            return out_of_time();
        }
        TRY(begin_and_flush(e));
        if (is_all_ended(e))
            return NULL;
        if (!is_any_running(e))
            return stuck(e);
        TRY(engine_turn(e, next_wake(e)));
        advance_running(e);
    }
}

static int compare_weights(const void *a, const void *b, void *arg)
{
    const double *weights = arg;
    const double wa = weights[*(const size_t *)a];
    const double wb = weights[*(const size_t *)b];

    if (wa != wb)
        return wa > wb ? -1 : 1;
    return *(const size_t *)a < *(const size_t *)b ? -1 : 1;
}

/* Those first that the longest chain waits for: that finishes earliest. */
static struct err *weigh(struct engine *e)
{
    struct graph *g = graph_new(e->arena);
    size_t *order = NULL;

    e->by_weight = arena_alloc(e->arena, (e->count + 1) * sizeof(*e->by_weight));
    for (size_t i = 0; i < e->count; i++) {
        const struct engine_node *n = e->nodes[i];

        e->by_weight[i] = i;
        graph_add(g, arena_printf(e->arena, "%zu", i), n->item == NULL ? 0 : n->item->minutes);
    }
    for (size_t i = 0; i < e->count; i++) {
        for (size_t d = 0; d < e->nodes[i]->need_count; d++)
            graph_edge(g, i, e->nodes[i]->needs[d]);
    }
    TRY(graph_order(g, &order));
    e->remaining_min = graph_remaining(g, order);
    qsort_r(e->by_weight, e->count, sizeof(*e->by_weight), compare_weights, e->remaining_min);
    return NULL;
}

double engine_remaining_minutes(const struct engine *e, double scale)
{
    double longest = 0;

    for (size_t i = 0; e->remaining_min != NULL && i < e->count; i++) {
        const struct engine_node *n = e->nodes[i];
        double left = has_ended(n) ? 0 : e->remaining_min[i] * scale;

        if (n->status == NODE_RUNNING) {
            const double elapsed = (double)(clock_now_ms() - n->started_ms) / 60000;

            const double usual = n->item->minutes * scale;

            left -= elapsed < usual ? elapsed : usual;
        }
        longest = left > longest ? left : longest;
    }
    return longest;
}

struct err *engine_apply(struct engine *e, bool is_exact)
{
    e->is_exact = is_exact;
    TRY(weigh(e));
    struct err *error = run_all(e);

    if (error == NULL)
        error = state_compact(e->setup.state);
    if (error != NULL)
        return error;
    const size_t failed = engine_status_count(e, NODE_FAILED);
    const size_t skipped = engine_status_count(e, NODE_SKIPPED);

    if (failed + skipped == 0)
        return NULL;
    if (is_cut_off(e))
        return out_of_time();
    return err_new(ERR_FAILED, 0, "%zu failed, %zu skipped because of that", failed, skipped);
}
