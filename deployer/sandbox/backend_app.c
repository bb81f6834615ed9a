#include "sandbox/backend_app.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "sandbox/backend_replica.h"

/* Ours; Container Apps keeps 100 inactive revisions. */
#define REVISIONS_MAX 100u
#define STATE_BYTES_MAX (16u << 20)
/* More would only repeat what a few show. */
#define REPLICAS_MAX 5u

struct revision {
    char *name;
    json_t *template;
    char created[CLOCK_RFC3339_SIZE];
    bool is_active;
    bool was_ready;
    bool restart_due; /* replicas are being stopped and are to start again */
    struct replica *replicas[REPLICAS_MAX];
    size_t replica_count;
};

struct app {
    struct revision *revisions; /* oldest first */
    size_t count;
    size_t capacity;
    int64_t counter; /* of revision names */
};

static const json_t *template_of(const struct entry *e)
{
    return jsonx_at(e->doc, "properties.template");
}

static bool is_single(const struct entry *e)
{
    const char *mode =
            jsonx_text(jsonx_at(e->doc, "properties.configuration"), "activeRevisionsMode");

    return mode == NULL || str_eq_ci(str_of(mode), STR("Single"));
}

static const char *environment_of(const struct entry *e)
{
    const json_t *p = json_object_get(e->doc, "properties");
    const char *id = jsonx_text(p, "environmentId");

    return id != NULL ? id : jsonx_text(p, "managedEnvironmentId");
}

/* ---- state on disk: revisions outlive the sandbox ---- */

static void save(struct backend *b, const struct entry *e)
{
    const struct app *app = e->data;
    json_auto_t *revisions = jsonx_must(json_array());

    for (size_t i = 0; i < app->count; i++) {
        const struct revision *r = &app->revisions[i];

        json_array_append_new(
                revisions, jsonx_must(json_pack("{s:s, s:O, s:s, s:b, s:b}", "name", r->name,
                                   "template", r->template, "created", r->created, "active",
                                   r->is_active, "was_ready", r->was_ready)));
    }
    json_auto_t *state =
            jsonx_must(json_pack("{s:I, s:O}", "counter", app->counter, "revisions", revisions));
    AUTO(free) char *text = jsonx_pretty(state);
    AUTO(free) char *dir = backend_folder(b, e->id, NULL);
    AUTO(free) char *path = file_join(dir, "revisions.json");

    err_ignore(file_make_dir(dir, 0755), "the write below fails too");
    err_ignore(file_write(path, str_of(text), 0600), "revisions then start anew after a restart");
}

static struct revision *add(struct app *app, const char *name, const json_t *template)
{
    GROW(app->revisions, app->count, app->capacity);
    struct revision *r = &app->revisions[app->count++];

    *r = (struct revision){
        .name = xstrdup(name), .template = jsonx_copy(template), .is_active = true
    };
    clock_rfc3339(clock_wall_ms(), r->created);
    return r;
}

static void load(struct backend *b, const struct entry *e)
{
    struct app *app = e->data;
    json_auto_t *state = NULL;
    AUTO(free) char *path = backend_folder(b, e->id, "revisions.json");
    const json_t *item = NULL;
    size_t i = 0;

    if (!file_exists(path))
        return;
    err_ignore(jsonx_load_file(path, STATE_BYTES_MAX, &state), "revisions then start anew");
    app->counter = jsonx_int(state, "counter", 0);
    json_array_foreach (json_object_get(state, "revisions"), i, item) {
        const char *name = jsonx_text(item, "name");
        const char *created = jsonx_text(item, "created");

        if (name == NULL)
            continue;
        struct revision *r = add(app, name, json_object_get(item, "template"));

        r->is_active = jsonx_bool(item, "active", false);
        r->was_ready = jsonx_bool(item, "was_ready", false);
        if (created != NULL)
            snprintf(r->created, sizeof(r->created), "%s", created);
    }
}

/* ---- replicas ---- */

static size_t wanted_replicas(const struct revision *r)
{
    const int64_t min = jsonx_int(json_object_get(r->template, "scale"), "minReplicas", 0);

    return min < 1 ? 1 : min > (int64_t)REPLICAS_MAX ? REPLICAS_MAX : (size_t)min;
}

static void start_replicas(struct backend *b, const struct entry *e, struct revision *r)
{
    while (r->replica_count < wanted_replicas(r)) {
        AUTO(free) char *tail = digest_random_text("bcdfghjklmnpqrstvwxz2456789", 15);
        AUTO(free) char *name = xasprintf("%s-%.10s-%s", r->name, tail, tail + 10);
        const struct replica_spec spec = {
            .owner_id = e->id,
            .name = name,
            .template = r->template,
            .secrets = jsonx_at(e->doc, "properties.configuration.secrets"),
            .environment_id = environment_of(e),
            .ingress_port = (int)jsonx_int(
                    jsonx_at(e->doc, "properties.configuration.ingress"), "targetPort", 0),
        };

        r->replicas[r->replica_count++] = replica_start(b, &spec);
    }
}

static void stop_replicas(struct revision *r)
{
    for (size_t i = 0; i < r->replica_count; i++)
        replica_stop(r->replicas[i]);
}

static void deactivate(struct revision *r)
{
    r->is_active = false;
    r->restart_due = false;
    stop_replicas(r);
}

static bool is_ready(const struct revision *r)
{
    for (size_t i = 0; i < r->replica_count; i++)
        if (replica_phase(r->replicas[i]) != REPLICA_READY)
            return false;
    return r->is_active && r->replica_count > 0 && !r->restart_due;
}

static void tick_replicas(struct revision *r)
{
    size_t kept = 0;

    for (size_t i = 0; i < r->replica_count; i++) {
        replica_tick(r->replicas[i]);
        if (replica_phase(r->replicas[i]) == REPLICA_GONE)
            replica_free(r->replicas[i]);
        else
            r->replicas[kept++] = r->replicas[i];
    }
    r->replica_count = kept;
}

static void revision_release(struct revision *r)
{
    for (size_t i = 0; i < r->replica_count; i++)
        replica_free(r->replicas[i]);
    free(r->name);
    json_decref(r->template);
}

static void drop_oldest_inactive(struct app *app)
{
    for (size_t i = 0; i + 1 < app->count; i++) {
        if (app->revisions[i].is_active || app->revisions[i].replica_count > 0)
            continue;
        revision_release(&app->revisions[i]);
        memmove(&app->revisions[i], &app->revisions[i + 1],
                (app->count - i - 1) * sizeof(app->revisions[0]));
        app->count--;
        return;
    }
}

static struct revision *find(struct app *app, struct str name)
{
    for (size_t i = 0; i < app->count; i++)
        if (str_eq_ci(str_of(app->revisions[i].name), name))
            return &app->revisions[i];
    return NULL;
}

static struct err *sweep_one(void *arg, const char *name)
{
    AUTO(free) char *path = file_join(arg, name);

    if (file_is_dir(path))
        err_ignore(file_remove_tree(path), "a left-over folder does no harm");
    return NULL;
}

/* What replicas of an earlier run of the sandbox left. */
static void sweep(struct backend *b, const struct entry *e)
{
    AUTO(free) char *dir = backend_folder(b, e->id, NULL);

    if (file_is_dir(dir))
        err_ignore(file_each(dir, NULL, sweep_one, dir), "as above");
}

static void put(struct backend *b, struct entry *e)
{
    const json_t *template = template_of(e);

    if (e->data == NULL) {
        sweep(b, e);
        e->data = xcalloc(1, sizeof(struct app));
        load(b, e);
    }
    struct app *app = e->data;

    backend_set_ready(e);
    if (template == NULL
            || (app->count > 0
                    && json_equal(app->revisions[app->count - 1].template,
                            (json_t *)(uintptr_t) template)))
        return;
    const char *suffix = jsonx_text(template, "revisionSuffix");
    AUTO(free)
    char *name = suffix != NULL && suffix[0] != '\0'
                         ? xasprintf("%s--%s", backend_name(e->id), suffix)
                         : xasprintf("%s--%07lld", backend_name(e->id), (long long)++app->counter);

    if (find(app, str_of(name)) != NULL) {
        backend_set_failed(e, "ContainerAppRevisionSuffixInUse",
                "The revision '%s' exists with another template.", name);
        return;
    }
    if (app->count >= REVISIONS_MAX)
        drop_oldest_inactive(app);
    add(app, name, template);
    save(b, e);
}

static void tick(struct backend *b, struct entry *e)
{
    struct app *app = e->data;
    bool changed = false;

    for (size_t i = 0; i < app->count; i++) {
        struct revision *r = &app->revisions[i];

        tick_replicas(r);
        if (r->restart_due && r->replica_count == 0)
            r->restart_due = false;
        if (r->is_active && !r->restart_due)
            start_replicas(b, e, r);
        if (!r->was_ready && is_ready(r))
            r->was_ready = changed = true;
    }
    /* The new revision serves from here on: only now do the others go. */
    if (app->count > 0 && is_single(e) && is_ready(&app->revisions[app->count - 1])) {
        for (size_t i = 0; i + 1 < app->count; i++) {
            if (!app->revisions[i].is_active)
                continue;
            deactivate(&app->revisions[i]);
            changed = true;
        }
    }
    if (changed)
        save(b, e);
}

static void release(struct entry *e)
{
    struct app *app = e->data;

    if (app == NULL)
        return;
    for (size_t i = 0; i < app->count; i++)
        revision_release(&app->revisions[i]);
    free(app->revisions);
    free(app);
}

static void removed(struct backend *b, struct entry *e)
{
    AUTO(free) char *dir = backend_folder(b, e->id, NULL);

    struct app *app = e->data;

    for (size_t i = 0; app != NULL && i < app->count; i++)
        stop_replicas(&app->revisions[i]);
    backend_bury(b, dir, NULL);
}

/* ---- what ARM shows ---- */

static const struct revision *latest_ready(const struct app *app)
{
    for (size_t i = app->count; i-- > 0;)
        if (app->revisions[i].is_active && app->revisions[i].was_ready)
            return &app->revisions[i];
    return NULL;
}

/* The replica that explains a revision's state: the first that is not well. */
static const struct replica *telling(const struct revision *r)
{
    for (size_t i = 0; i < r->replica_count; i++)
        if (replica_phase(r->replicas[i]) != REPLICA_READY)
            return r->replicas[i];
    return NULL;
}

struct shown_state {
    const char *provisioning;
    const char *running;
    const char *health;
};

static struct shown_state shown(const struct revision *r)
{
    const struct replica *bad = telling(r);

    if (!r->is_active)
        return (struct shown_state){ r->replica_count > 0 ? "Deprovisioning" : "Deprovisioned",
            "Stopped", "None" };
    if (r->replica_count == 0 || r->restart_due)
        return (struct shown_state){ "Provisioning", "Processing", "None" };
    if (bad == NULL)
        return (struct shown_state){ "Provisioned", "Running", "Healthy" };
    switch (replica_phase(bad)) {
    case REPLICA_FAILED:
    case REPLICA_DONE:
        return (struct shown_state){ "Failed", "Failed", "Unhealthy" };
    case REPLICA_UNREADY:
        return (struct shown_state){ r->was_ready ? "Provisioned" : "Failed",
            r->was_ready ? "Degraded" : "Failed", "Unhealthy" };
    case REPLICA_STARTING:
    case REPLICA_READY:
    case REPLICA_GONE:
        break;
    }
    return (struct shown_state){ r->was_ready ? "Provisioned" : "Provisioning", "Processing",
        "None" };
}

static const char *default_domain(struct backend *b, const struct entry *e)
{
    const struct entry *env = backend_find(b, environment_of(e));

    return env == NULL ? NULL
                       : jsonx_text(json_object_get(env->doc, "properties"), "defaultDomain");
}

static void set_fqdn(struct backend *b, const struct entry *e, const struct revision *r,
        const char *key, json_t *into)
{
    const json_t *ingress = jsonx_at(e->doc, "properties.configuration.ingress");
    const char *domain = default_domain(b, e);

    if (!json_is_object(ingress) || domain == NULL)
        return;
    json_object_set_new(into, key,
            jsonx_textf("%s%s.%s", r->name,
                    jsonx_bool(ingress, "external", false) ? "" : ".internal", domain));
}

static json_t *revision_json(struct backend *b, const struct entry *e, const struct revision *r)
{
    const struct shown_state s = shown(r);
    const struct replica *bad = r->is_active ? telling(r) : NULL;
    const bool serves = latest_ready(e->data) == r;
    json_t *p = jsonx_must(json_pack("{s:s, s:O, s:b, s:i, s:i, s:s, s:s, s:s}", "createdTime",
            r->created, "template", r->template, "active", r->is_active, "replicas",
            (int)r->replica_count, "trafficWeight", serves ? 100 : 0, "provisioningState",
            s.provisioning, "runningState", s.running, "healthState", s.health));

    set_fqdn(b, e, r, "fqdn", p);
    if (bad != NULL && replica_reason(bad)[0] != '\0') {
        AUTO(free) char *detail = replica_detail(bad);

        json_object_set_new(p, "reason", jsonx_textf("%s", replica_reason(bad)));
        json_object_set_new(p, "detail", jsonx_textf("%s", detail));
        json_object_set_new(
                p, "runningStateDetails", jsonx_textf("%s: %s", replica_reason(bad), detail));
        if (text_eq(s.provisioning, "Failed"))
            json_object_set_new(
                    p, "provisioningError", jsonx_textf("%s: %s", replica_reason(bad), detail));
    }
    return jsonx_must(json_pack("{s:o, s:s, s:s, s:o}", "id",
            jsonx_textf("%s/revisions/%s", e->id, r->name), "name", r->name, "type",
            "Microsoft.App/containerapps/revisions", "properties", p));
}

static json_t *view(struct backend *b, struct entry *e)
{
    const struct app *app = e->data;
    const struct revision *ready = latest_ready(app);
    json_t *p = jsonx_must(json_object());

    if (app->count > 0) {
        const struct revision *last = &app->revisions[app->count - 1];

        json_object_set_new(p, "latestRevisionName", jsonx_textf("%s", last->name));
        set_fqdn(b, e, last, "latestRevisionFqdn", p);
    }
    if (ready != NULL)
        json_object_set_new(p, "latestReadyRevisionName", jsonx_textf("%s", ready->name));
    json_object_set_new(p, "runningStatus", jsonx_textf("Running"));
    return jsonx_must(json_pack("{s:o}", "properties", p));
}

static json_t *replica_document(
        const struct entry *e, const struct revision *r, const struct replica *one)
{
    return jsonx_must(json_pack("{s:o, s:s, s:s, s:o}", "id",
            jsonx_textf("%s/revisions/%s/replicas/%s", e->id, r->name, replica_name(one)), "name",
            replica_name(one), "type", "Microsoft.App/containerapps/revisions/replicas",
            "properties", replica_json(one)));
}

static bool answer_replicas(
        const struct entry *e, const struct revision *r, struct str name, struct backend_call *call)
{
    json_t *list = jsonx_must(json_array());

    for (size_t i = 0; i < r->replica_count; i++) {
        if (name.len > 0 && str_eq_ci(str_of(replica_name(r->replicas[i])), name)) {
            json_decref(list);
            call->answer = replica_document(e, r, r->replicas[i]);
            return true;
        }
        json_array_append_new(list, replica_document(e, r, r->replicas[i]));
    }
    if (name.len > 0) {
        json_decref(list);
        return backend_answer_error(call, 404, "RevisionReplicaNotFound",
                "Replica '%.*s' of revision '%s' was not found.", STR_ARG(name), r->name);
    }
    call->answer = jsonx_must(json_pack("{s:o}", "value", list));
    return true;
}

static bool act(struct backend *b, const struct entry *e, struct revision *r, struct str verb,
        struct backend_call *call)
{
    if (str_eq_ci(verb, STR("deactivate"))) {
        deactivate(r);
    } else if (str_eq_ci(verb, STR("activate"))) {
        r->is_active = true;
        r->restart_due = r->replica_count > 0;
    } else if (str_eq_ci(verb, STR("restart"))) {
        r->restart_due = r->is_active;
        stop_replicas(r);
    } else {
        return false;
    }
    save(b, e);
    call->status = 200;
    return true;
}

static bool answer_list(struct backend *b, const struct entry *e, struct backend_call *call)
{
    const struct app *app = e->data;
    json_t *list = jsonx_must(json_array());

    for (size_t i = app->count; i-- > 0;)
        json_array_append_new(list, revision_json(b, e, &app->revisions[i]));
    call->answer = jsonx_must(json_pack("{s:o}", "value", list));
    return true;
}

static bool handle(struct backend *b, struct entry *e, struct backend_call *call)
{
    struct str rest = str_of(call->sub);
    const bool is_get = text_eq(call->method, "GET");

    if (!str_eq_ci(str_cut(&rest, '/'), STR("revisions")))
        return false;
    if (rest.len == 0)
        return is_get && answer_list(b, e, call);
    const struct str name = str_cut(&rest, '/');
    struct revision *r = find(e->data, name);

    if (r == NULL)
        return backend_answer_error(call, 404, "ContainerAppRevisionNotFound",
                "Revision '%.*s' of container app '%s' was not found.", STR_ARG(name),
                backend_name(e->id));
    if (rest.len == 0) {
        if (is_get)
            call->answer = revision_json(b, e, r);
        return is_get;
    }
    const struct str verb = str_cut(&rest, '/');

    if (is_get && str_eq_ci(verb, STR("replicas")))
        return answer_replicas(e, r, rest, call);
    return text_eq(call->method, "POST") && act(b, e, r, verb, call);
}

static void report(struct backend *b, struct entry *e, json_t *list)
{
    const struct app *app = e->data;

    (void)b;
    for (size_t i = 0; i < app->count; i++)
        for (size_t n = 0; n < app->revisions[i].replica_count; n++)
            replica_report(app->revisions[i].replicas[n], list);
}

void app_serving_addresses(const struct entry *e, json_t *list)
{
    const struct revision *r = latest_ready(e->data);

    for (size_t i = 0; r != NULL && i < r->replica_count; i++)
        if (replica_phase(r->replicas[i]) == REPLICA_READY
                && replica_address(r->replicas[i]) != NULL)
            json_array_append_new(list, jsonx_textf("%s", replica_address(r->replicas[i])));
}

bool app_is_settled(const struct entry *e)
{
    const struct app *app = e->data;

    for (size_t i = 0; i < app->count; i++) {
        const struct revision *r = &app->revisions[i];

        if (r->is_active && r->replica_count == 0)
            return false;
        for (size_t n = 0; n < r->replica_count; n++)
            if (replica_phase(r->replicas[n]) == REPLICA_STARTING)
                return false;
    }
    return true;
}

const struct driver driver_app = {
    .type = "microsoft.app/containerapps",
    .put = put,
    .remove = removed,
    .release = release,
    .tick = tick,
    .view = view,
    .handle = handle,
    .report = report,
};
