#include "commands/firstwrite.h"

#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "catalog/expr.h"
#include "cloud/arm/arm.h"
#include "cloud/arm/id.h"
#include "cloud/arm/locks.h"
#include "cloud/arm/rights.h"
#include "commands/guard.h"
#include "plan/steps.h"
#include "precheck/precheck.h"
#include "report/progress.h"
#include "report/style.h"

#define CHECKS_MS 45000
#define REGISTER_MS (10 * 60 * 1000)
#define PURGE_MS (10 * 60 * 1000)
#define PURGE_LOOK_MS 2000

/* ---- what takes a soft-deleted namesake back ---- */

static json_t *names_json(const struct context_list *list)
{
    json_t *names = jsonx_must(json_array());

    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(names, jsonx_must(json_string(list->items[i])));
    return names;
}

static bool is_named(const struct context_list *list, const struct resource *r)
{
    for (size_t i = 0; i < list->count; i++) {
        if (text_eq(list->items[i], r->address)
                || (json_is_string(r->arm_name)
                        && text_eq(list->items[i], json_string_value(r->arm_name))))
            return true;
    }
    return false;
}

/* Documents are shared: a changed one is a copy that lives as long as the model. */
static void set_members(struct model *m, struct resource *r, const json_t *members)
{
    json_t *body = r->body == NULL ? jsonx_must(json_object()) : jsonx_copy(r->body);
    const char *path = NULL;
    json_t *value = NULL;

    json_object_foreach ((json_t *)(uintptr_t)members, path, value)
        jsonx_set_at(body, path, jsonx_copy(value));
    arena_hook(m->arena, (void (*)(void *))json_decref, body);
    r->body = body;
}

struct err *firstwrite_prepare(struct session *s, const struct firstwrite_options *o)
{
    struct model *m = s->context->model;

    for (size_t i = 0; i < m->resource_count; i++) {
        struct resource *r = &m->resources[i];

        if (r->kind->soft_delete != NULL && is_named(&o->recover, r))
            set_members(m, r, json_object_get(r->kind->soft_delete, "recover"));
    }
    return NULL;
}

struct err *firstwrite_check_options(const struct firstwrite_options *o)
{
    if (o->images != NULL && !text_eq(o->images, "check") && !text_eq(o->images, "skip"))
        return err_new(ERR_USAGE, 0, "--images is check or skip, not '%s'", o->images);
    return NULL;
}

/* ---- what the plan does ---- */

struct gather {
    const struct session *session;
    struct arena *arena;
    json_t *by_id;           /* {ID in lower case: the node's index} */
    const char *group_scope; /* of the stack's resources */
    struct precheck_subject *subjects;
    size_t subject_count;
    struct precheck_right *rights;
    size_t right_count, right_capacity;
    const char *address; /* whose references are looked at */
};

static const char *keep(struct arena *arena, char *text)
{
    const char *kept = text == NULL ? NULL : arena_text(arena, text);

    free(text);
    return kept;
}

static void index_ids(struct gather *g)
{
    for (size_t i = 0; i < engine_count(g->session->engine); i++) {
        const struct engine_node *n = engine_node(g->session->engine, i);
        AUTO(free) char *key = n->id == NULL ? NULL : arm_id_normal(n->id);

        if (key != NULL)
            json_object_set_new(g->by_id, key, json_integer((json_int_t)i));
    }
}

/* What is not of this stack is somebody else's and there. */
static bool is_there(void *arg, const char *id)
{
    const struct gather *g = arg;
    AUTO(free) char *key = arm_id_normal(id);
    const json_t *index = json_object_get(g->by_id, key);

    return index == NULL
           || engine_node(g->session->engine, (size_t)json_integer_value(index))->presence
                      == NODE_PRESENT;
}

/* Rights on what is in a group that is still to be made come from above it. */
static char *scope_of_id(void *arg, const char *id)
{
    const struct gather *g = arg;
    AUTO(free) char *scope = arm_rights_scope(id);

    if (scope == NULL || is_there(arg, scope))
        return TAKE(scope);
    return xasprintf("/subscriptions/%s", g->session->context->model->subscription);
}

static const char *scope_of(struct gather *g, const char *id)
{
    return id == NULL ? g->group_scope : keep(g->arena, scope_of_id(g, id));
}

/* Below its group: where the group's answer is not the last word. */
static const char *near_of(struct gather *g, const struct engine_node *n)
{
    if (n->presence == NODE_PRESENT && n->id != NULL)
        return n->id;
    return n->parent_id != NULL && is_there(g, n->parent_id) ? n->parent_id : NULL;
}

static const char *last_segment(const char *id)
{
    const char *slash = id == NULL ? NULL : strrchr(id, '/');

    return slash == NULL ? NULL : slash + 1;
}

static struct precheck_subject subject_of(struct gather *g, const struct engine_node *n)
{
    const enum plan_action action = n->item->action;
    const bool is_gone = action == PLAN_DELETE || action == PLAN_REPLACE;
    const char *location = jsonx_text(n->desired, "location");
    struct precheck_subject s = {
        .address = n->address,
        .kind = n->kind,
        .id = n->id,
        .scope = scope_of(g, n->id),
        .near = near_of(g, n),
        .name = last_segment(n->id),
        .location = location,
        .desired = n->desired,
        .actual = n->actual,
        .is_created = action == PLAN_CREATE || action == PLAN_REPLACE,
        .is_deleted = is_gone && n->item->goes_with == NULL,
        .is_taken = is_gone && n->item->goes_with != NULL,
        .is_name_ours = action == PLAN_REPLACE || n->item->intent != NULL || n->is_going
                        || n->is_going_along,
    };

    s.is_written = s.is_created || action == PLAN_UPDATE || action == PLAN_RESET
                   || (action == PLAN_ADOPT && n->item->changes.count > 0);
    if (s.location == NULL && n->kind->has_location)
        s.location = g->session->context->model->location;
    if (n->resource != NULL)
        s.place = n->resource->stack_place;
    return s;
}

static void on_reference(void *arg, const char *address, const char *action)
{
    struct gather *g = arg;
    const struct engine_node *n = action == NULL ? NULL : engine_find(g->session->engine, address);

    for (size_t i = 0; n != NULL && i < n->kind->action_count; i++) {
        const struct kind_action *a = &n->kind->actions[i];
        const char *scope = scope_of(g, n->id);
        AUTO(free) char *verb = xasprintf("%s/action", a->path);

        if (!text_eq(a->name, action) || !text_eq(a->method, "POST") || scope == NULL)
            continue;
        GROW(g->rights, g->right_count, g->right_capacity);
        g->rights[g->right_count++] = (struct precheck_right){
            .address = g->address,
            .action = keep(g->arena, arm_rights_action(n->kind, verb)),
            .scope = scope,
            .near = near_of(g, n),
        };
    }
}

static void gather(struct gather *g)
{
    const struct session *s = g->session;
    const char *subscription = s->context->model->subscription;
    const char *group = arena_printf(g->arena, "/subscriptions/%s/resourceGroups/%s", subscription,
            s->context->model->resource_group);

    index_ids(g);
    g->group_scope = scope_of(g, group);
    g->subjects = arena_alloc(g->arena, (engine_count(s->engine) + 1) * sizeof(*g->subjects));
    for (size_t i = 0; i < engine_count(s->engine); i++) {
        const struct engine_node *n = engine_node(s->engine, i);

        if (n->item == NULL || n->kind == NULL)
            continue;
        const struct precheck_subject one = subject_of(g, n);

        if (!one.is_written && !one.is_deleted && !one.is_taken)
            continue;
        g->subjects[g->subject_count++] = one;
        g->address = n->address;
        if (one.is_written && n->resource != NULL)
            expr_each_reference(n->resource->body, on_reference, g);
        const struct kind_property *untold = plan_untold(n->kind, &n->item->kept, NULL);

        if (untold != NULL)
            on_reference(g, n->address, jsonx_text(untold->resend, "action"));
    }
}

/* ---- asking ---- */

static void ask(void *arg, const char *method, const char *path, const json_t *body,
        int64_t deadline_ms, cloud_done *done, void *done_arg)
{
    const struct session *s = ((const struct gather *)arg)->session;

    arm_send(s->cloud, &(struct arm_request){ .method = method,
                               .path = path,
                               .body = body,
                               .deadline_ms = deadline_ms,
                               .done = done,
                               .arg = done_arg });
}

static struct err *turn(void *arg, bool (*until)(void *), void *until_arg, int64_t deadline_ms)
{
    const struct session *s = ((const struct gather *)arg)->session;

    return http_loop_run(s->loop, until, until_arg, deadline_ms);
}

static bool looks_at_images(const struct session *s, const struct firstwrite_options *o)
{
    if (o->images != NULL)
        return text_eq(o->images, "check");
    return !text_eq(s->context->target, "sandbox");
}

static struct err *ask_cloud(struct session *s, const struct firstwrite_options *o, json_t **ret)
{
    json_auto_t *by_id = jsonx_must(json_object());
    struct gather g = { .session = s, .arena = s->context->arena, .by_id = by_id };
    json_auto_t *recover = names_json(&o->recover);
    json_auto_t *purge = names_json(&o->purge);

    if (o->is_skipped || !plan_has_changes(engine_result(s->engine))) {
        *ret = jsonx_must(json_array());
        return NULL;
    }
    gather(&g);
    const struct precheck p = {
        .cloud = {
            .arg = &g,
            .subscription = s->context->model->subscription,
            .ask = ask,
            .turn = turn,
            .rights_path = arm_rights_path,
            .allows = arm_rights_allow,
            .action_of = arm_rights_action,
            .type_of = arm_rights_type,
            .scope_of = scope_of_id,
            .is_there = is_there,
            .locks_path = arm_locks_path,
            .lock_refuses = arm_lock_refuses,
            .lock_text = arm_lock_text,
            .lock_hint = arm_lock_hint,
            .provider_of = arm_provider_of,
            .provider_path = arm_provider_path,
            .is_registered = arm_provider_is_registered,
            .has_region = arm_provider_has_region,
            .has_version = arm_provider_has_version,
        },
        .loop = looks_at_images(s, o) ? s->loop : NULL,
        .subjects = g.subjects,
        .subject_count = g.subject_count,
        .rights = g.rights,
        .right_count = g.right_count,
        .recover = recover,
        .purge = purge,
        .deadline_ms = clock_now_ms() + CHECKS_MS,
    };

    progress_stage(s->progress, "checking what the plan needs");
    struct err *e = precheck_run(&p, ret);

    progress_stage(s->progress, NULL);
    free(g.rights);
    return e;
}

/* What the plan itself shows to be refused comes first, and can't be skipped: it asks nobody. */
struct err *firstwrite_run(struct session *s, const struct firstwrite_options *o, json_t **ret)
{
    const struct plan *p = engine_result(s->engine);
    json_auto_t *refused = steps_refused(p);
    json_auto_t *asked = NULL;

    /* What is taken down may have any version. */
    if (p->counts[PLAN_UPDATE] + p->counts[PLAN_CREATE] + p->counts[PLAN_REPLACE] > 0)
        TRY(guard_judge_versions(s, refused));
    TRY(ask_cloud(s, o, &asked));
    json_array_extend(refused, asked);
    *ret = TAKE(refused);
    return NULL;
}

/* ---- showing ---- */

static void add_finding(const json_t *f, bool has_color, struct buf *out)
{
    const char *severity = jsonx_text(f, "severity");
    const char *file = jsonx_text(f, "file");
    const char *hint = jsonx_text(f, "hint");
    const bool is_note = text_eq(severity, "note");

    buf_add_text(out, "  ");
    style_addf(out, has_color,
            text_eq(severity, "error") ? STYLE_BAD
            : is_note                  ? STYLE_DIM
                                       : STYLE_WARN,
            "%-8s", severity == NULL ? "" : severity);
    buf_addf(out, "%s: %s", jsonx_text(f, "check"), jsonx_text(f, "text"));
    if (file != NULL && !is_note)
        buf_addf(out, " (%s:%d:%d)", file, (int)jsonx_int(f, "line", 0),
                (int)jsonx_int(f, "column", 0));
    buf_add_char(out, '\n');
    if (hint != NULL)
        buf_addf(out, "          %s\n", hint);
}

void firstwrite_add_text(const json_t *findings, bool has_color, struct buf *out)
{
    size_t i = 0;
    const json_t *f = NULL;

    if (json_array_size(findings) == 0)
        return;
    buf_add_char(out, '\n');
    style_add(out, has_color, STYLE_BOLD, "Before the first write");
    buf_add_char(out, '\n');
    json_array_foreach (findings, i, f)
        add_finding(f, has_color, out);
}

/* ---- carrying it out ---- */

struct work {
    size_t outstanding;
    struct err *error; /* the first one */
    json_t *document;
};

static void on_done(void *arg, const struct cloud_result *result)
{
    struct work *w = arg;

    w->outstanding--;
    json_decref(w->document);
    w->document = result->document == NULL ? NULL : json_incref(result->document);
    if (w->error == NULL)
        w->error = result->e;
    else
        err_ignore(result->e, "the first error is the one that is told");
}

static bool is_through(void *arg)
{
    return ((const struct work *)arg)->outstanding == 0;
}

/* All of them side by side: each takes a minute or more. */
static struct err *register_all(struct session *s, const json_t *findings)
{
    struct work w = { 0 };
    size_t i = 0;
    const json_t *f = NULL;

    json_array_foreach (findings, i, f) {
        const char *provider = jsonx_text(f, "provider");

        if (provider == NULL)
            continue;
        w.outstanding++;
        arm_register(s->cloud, provider, clock_now_ms() + REGISTER_MS, on_done, &w);
    }
    if (w.outstanding > 0)
        progress_stage(s->progress, "registering resource providers");
    struct err *e = w.outstanding == 0 ? NULL : http_loop_run(s->loop, is_through, &w, INT64_MAX);

    progress_stage(s->progress, NULL);
    json_decref(w.document);
    if (e != NULL)
        return e;
    return w.error;
}

static bool is_listed(const json_t *list, const char *name)
{
    size_t i = 0;
    const json_t *one = NULL;

    json_array_foreach (list, i, one) {
        const char *own = jsonx_text(one, "name");

        if (own != NULL && strcasecmp(own, name) == 0)
            return true;
    }
    return false;
}

static struct err *send_one(
        struct session *s, const char *method, const char *path, json_t **ret_document)
{
    struct work w = { .outstanding = 1 };

    arm_send(s->cloud, &(struct arm_request){ .method = method,
                               .path = path,
                               .deadline_ms = clock_now_ms() + CHECKS_MS,
                               .done = on_done,
                               .arg = &w });
    TRY(http_loop_run(s->loop, is_through, &w, INT64_MAX));
    *ret_document = w.document;
    return w.error;
}

static bool is_never(void *arg)
{
    (void)arg;
    return false;
}

static void on_timer(void *arg)
{
    (void)arg;
}

static struct err *wait_a_little(struct session *s)
{
    const int64_t until = clock_now_ms() + PURGE_LOOK_MS;
    const unsigned timer = http_loop_after(s->loop, PURGE_LOOK_MS, on_timer, NULL);
    struct err *e = http_loop_run(s->loop, is_never, NULL, until);

    http_loop_drop_timer(s->loop, timer);
    if (e != NULL && err_kind(e) != ERR_CANCELED) {
        err_ignore(e, "the time that was to pass");
        e = NULL;
    }
    return e;
}

static struct err *begin_purge(struct session *s, const json_t *f)
{
    json_t *answer = NULL;
    struct err *e = send_one(s, "POST", jsonx_text(f, "purge"), &answer);

    json_decref(answer);
    return err_wrap(e, "purging %s", jsonx_text(f, "name"));
}

/* The service takes its time, minutes for a vault; until then the name is taken. */
static struct err *await_purge(struct session *s, const json_t *f, int64_t until)
{
    const char *name = jsonx_text(f, "name");
    const int64_t began = clock_now_ms();

    for (;;) {
        json_t *list = NULL;
        struct err *e = send_one(s, "GET", jsonx_text(f, "list"), &list);
        const bool is_there = is_listed(list, name);

        json_decref(list);
        if (e != NULL || !is_there)
            return err_wrap(e, "purging %s", name);
        if (clock_now_ms() > until) {
            char spent[CLOCK_DURATION_SIZE];

            clock_duration(clock_now_ms() - began, spent);
            struct err *late = err_new(ERR_TIMEOUT, 0,
                    "purging %s: it is still listed as deleted after %s", name, spent);

            err_set_hint(late, "nothing was written; it is being purged all the same: run apply "
                               "again later, without --purge once it is gone");
            return late;
        }
        TRY(wait_a_little(s));
    }
}

static struct err *await_all(struct session *s, const json_t *findings)
{
    const int64_t asked_ms = s->context->timeout_ms;
    const int64_t time_ms = asked_ms > 0 && asked_ms < PURGE_MS ? asked_ms : PURGE_MS;
    const int64_t until = clock_now_ms() + time_ms;
    size_t i = 0;
    const json_t *f = NULL;

    json_array_foreach (findings, i, f) {
        if (jsonx_text(f, "purge") == NULL)
            continue;
        const char *name = jsonx_text(f, "name");
        const int64_t began = clock_now_ms();
        AUTO(free) char *stage = xasprintf("purging %s, which may take minutes", name);
        char took[CLOCK_DURATION_SIZE];

        progress_say(s->progress, "  . %s", stage);
        progress_stage(s->progress, stage);
        struct err *e = await_purge(s, f, until);

        progress_stage(s->progress, NULL);
        TRY(e);
        clock_duration(clock_now_ms() - began, took);
        progress_say(s->progress, "  . %s is gone for good, after %s", name, took);
    }
    return NULL;
}

struct err *firstwrite_carry_out(struct session *s, const json_t *findings)
{
    size_t i = 0;
    const json_t *f = NULL;

    TRY(register_all(s, findings));
    json_array_foreach (findings, i, f) {
        if (jsonx_text(f, "purge") != NULL)
            TRY(begin_purge(s, f));
    }
    return await_all(s, findings);
}
