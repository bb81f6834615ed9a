#include "sandbox/backend_replica.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "sandbox/container.h"
#include "sandbox/netmap.h"
#include "sandbox/task.h"
#include "sandbox/vault.h"
#include "sandbox/volume.h"

#define CONTAINERS_MAX 20u

struct replica {
    struct backend *b;
    char *name, *owner;
    char *address; /* NULL: simulated */
    char *dir;
    json_t *template;
    char created[CLOCK_RFC3339_SIZE];
    bool is_stopping, runs_once;
    char *problem;                                /* it could not be set up */
    struct container *containers[CONTAINERS_MAX]; /* init containers first */
    size_t count, init_count;
};

static json_t *secrets_by_name(struct backend *b, const json_t *list)
{
    json_t *secrets = jsonx_must(json_object());
    const json_t *item = NULL;
    size_t i = 0;

    json_array_foreach (list, i, item) {
        const char *name = jsonx_text(item, "name");
        const char *url = jsonx_text(item, "keyVaultUrl");
        const char *value =
                url != NULL && url[0] != '\0' ? vault_secret(b, url) : jsonx_text(item, "value");

        if (name != NULL && value != NULL)
            json_object_set_new(secrets, name, jsonx_must(json_string(value)));
    }
    return secrets;
}

static void add_containers(struct replica *r, const struct volume_request *volumes,
        const json_t *list, bool is_init, int default_port)
{
    const json_t *document = NULL;
    size_t i = 0;

    json_array_foreach (list, i, document) {
        const struct container_spec spec = {
            .document = document,
            .address = r->address,
            .dir = r->dir,
            .default_port = i == 0 ? default_port : 0,
            .runs_once = is_init || r->runs_once,
        };

        if (r->count < CONTAINERS_MAX)
            r->containers[r->count++] = container_new(r->b, &spec, volumes);
    }
    if (is_init)
        r->init_count = r->count;
}

static struct err *set_up(struct replica *r, const struct replica_spec *spec)
{
    const json_t *containers = json_object_get(r->template, "containers");
    json_auto_t *secrets = secrets_by_name(r->b, spec->secrets);
    const struct volume_request volumes = {
        .template = r->template,
        .secrets = secrets,
        .environment_id = spec->environment_id,
        .dir = r->dir,
        .user = container_user(r->b, json_array_get(containers, 0)),
    };

    TRY(netmap_take(r->b->netmap, 0, &r->address));
    TRY(file_make_dir(r->dir, 0711));
    TRY(volume_make_all(r->b, &volumes));
    add_containers(r, &volumes, json_object_get(r->template, "initContainers"), true, 0);
    add_containers(r, &volumes, containers, false, spec->ingress_port);
    return NULL;
}

/*
 * The folder of a replica: without the revision's name, whose double dash may not stand in a
 * comment of XML, where a translated path may come to stand.
 */
static char *folder_of(struct backend *b, const struct replica_spec *spec)
{
    const char *at = strstr(spec->name, "--");
    const char *tail = at == NULL ? NULL : strchr(at + 2, '-');

    return backend_folder(b, spec->owner_id, tail == NULL ? spec->name : tail + 1);
}

struct replica *replica_start(struct backend *b, const struct replica_spec *spec)
{
    struct replica *r = xcalloc(1, sizeof(*r));

    r->b = b;
    r->name = xstrdup(spec->name);
    r->owner = xstrdup(spec->owner_id);
    r->template = jsonx_copy(spec->template);
    r->runs_once = spec->runs_once;
    r->dir = folder_of(b, spec);
    clock_rfc3339(clock_wall_ms(), r->created);
    if (!b->has_services)
        return r;
    struct err *e = set_up(r, spec);

    if (e != NULL)
        r->problem = xstrdup(err_text(e));
    err_free(e);
    return r;
}

static bool init_is_done(const struct replica *r)
{
    for (size_t i = 0; i < r->init_count; i++)
        if (container_state(r->containers[i]) != CONTAINER_ENDED
                || container_exit_status(r->containers[i]) != 0)
            return false;
    return true;
}

/* Init containers one after the other; a failed one is not tried again here. */
static void tick_init(struct replica *r)
{
    for (size_t i = 0; i < r->init_count; i++) {
        struct container *c = r->containers[i];

        container_tick(c, r->b->now_ms);
        if (container_state(c) != CONTAINER_ENDED || container_exit_status(c) != 0)
            return;
    }
}

void replica_tick(struct replica *r)
{
    const bool may_run = init_is_done(r) || r->is_stopping;

    tick_init(r);
    for (size_t i = r->init_count; may_run && i < r->count; i++)
        container_tick(r->containers[i], r->b->now_ms);
}

void replica_stop(struct replica *r)
{
    r->is_stopping = true;
    for (size_t i = 0; i < r->count; i++)
        container_stop(r->containers[i]);
}

/* The container that explains the replica: the worst one. */
static const struct container *telling(const struct replica *r)
{
    const struct container *found = NULL;

    for (size_t i = 0; i < r->count; i++) {
        const struct container *c = r->containers[i];

        if (container_state(c) == CONTAINER_INVALID)
            return c;
        if (found == NULL && container_reason(c)[0] != '\0')
            found = c;
    }
    return found;
}

static bool all_in(const struct replica *r, enum container_state state)
{
    for (size_t i = r->init_count; i < r->count; i++)
        if (container_state(r->containers[i]) != state)
            return false;
    return r->count > r->init_count;
}

static bool is_running(const struct replica *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (container_is_running(r->containers[i]))
            return true;
    return false;
}

static bool init_has_failed(const struct replica *r)
{
    for (size_t i = 0; i < r->init_count; i++)
        if (container_state(r->containers[i]) == CONTAINER_ENDED
                && container_exit_status(r->containers[i]) != 0)
            return true;
    return false;
}

static bool is_failing(const struct replica *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (container_is_failing(r->containers[i]))
            return true;
    return false;
}

static bool is_invalid(const struct replica *r)
{
    const struct container *c = telling(r);

    return r->problem != NULL || (c != NULL && container_state(c) == CONTAINER_INVALID);
}

enum replica_phase replica_phase(const struct replica *r)
{
    if (r->is_stopping)
        return is_running(r) ? REPLICA_STARTING : REPLICA_GONE;
    if (!r->b->has_services)
        return r->runs_once ? REPLICA_DONE : REPLICA_READY;
    if (is_invalid(r))
        return REPLICA_FAILED;
    if (init_has_failed(r))
        return r->runs_once ? REPLICA_DONE : REPLICA_FAILED;
    if (r->runs_once)
        return all_in(r, CONTAINER_ENDED) ? REPLICA_DONE : REPLICA_STARTING;
    if (all_in(r, CONTAINER_READY))
        return REPLICA_READY;
    return is_failing(r) ? REPLICA_UNREADY : REPLICA_STARTING;
}

const char *replica_reason(const struct replica *r)
{
    const struct container *c = telling(r);

    return r->problem != NULL ? "VolumeMountFailed" : c == NULL ? "" : container_reason(c);
}

/* Without the log: what several replicas say alike is said once. */
static const char *bare_detail(const struct replica *r)
{
    const struct container *c = telling(r);

    return r->problem != NULL ? r->problem : c == NULL ? "" : container_detail(c);
}

char *replica_detail(const struct replica *r)
{
    const struct container *c = telling(r);
    const char *detail = bare_detail(r);

    if (r->problem != NULL || c == NULL || container_log(c) == NULL || detail[0] == '\0')
        return xstrdup(detail);
    AUTO(free) char *tail = task_log_tail(container_log(c));

    return xasprintf("%s%s%s (log: %s)", detail, tail[0] == '\0' ? "" : "; its log ends: ", tail,
            container_log(c));
}

int replica_exit_status(const struct replica *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (container_exit_status(r->containers[i]) != 0)
            return container_exit_status(r->containers[i]);
    return 0;
}

const char *replica_name(const struct replica *r)
{
    return r->name;
}

const char *replica_address(const struct replica *r)
{
    return r->address;
}

static json_t *simulated_containers(const struct replica *r)
{
    json_t *list = jsonx_must(json_array());
    const json_t *c = NULL;
    size_t i = 0;

    json_array_foreach (json_object_get(r->template, "containers"), i, c) {
        const char *name = jsonx_text(c, "name");

        json_array_append_new(list,
                jsonx_must(json_pack("{s:s, s:b, s:b, s:i, s:s}", "name", name == NULL ? "" : name,
                        "ready", 1, "started", 1, "restartCount", 0, "runningState", "Running")));
    }
    return list;
}

static json_t *containers_json(const struct replica *r, size_t from, size_t to)
{
    json_t *list = jsonx_must(json_array());

    for (size_t i = from; i < to; i++)
        json_array_append_new(list, container_json(r->containers[i]));
    return list;
}

json_t *replica_json(const struct replica *r)
{
    const enum replica_phase phase = replica_phase(r);
    json_t *j = jsonx_must(json_pack("{s:s, s:s, s:o}", "createdTime", r->created, "runningState",
            phase == REPLICA_READY ? "Running" : "NotRunning", "containers",
            r->b->has_services ? containers_json(r, r->init_count, r->count)
                               : simulated_containers(r)));

    if (r->init_count > 0)
        json_object_set_new(j, "initContainers", containers_json(r, 0, r->init_count));
    if (replica_reason(r)[0] != '\0')
        json_object_set_new(
                j, "runningStateDetails", jsonx_textf("%s: %s", replica_reason(r), bare_detail(r)));
    return j;
}

void replica_report(const struct replica *r, json_t *list)
{
    for (size_t i = 0; i < r->count; i++) {
        json_t *row = container_report(r->containers[i]);

        json_object_set_new(row, "resource", jsonx_textf("%s", r->owner));
        json_object_set_new(row, "replica", jsonx_textf("%s", r->name));
        json_array_append_new(list, row);
    }
}

void replica_free(struct replica *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->count; i++)
        container_free(r->containers[i]);
    if (r->address != NULL)
        netmap_give_back(r->b->netmap, r->address);
    /* A job's folder stays until the job goes: its logs are what tells of it. */
    if (r->is_stopping && !r->runs_once && r->address != NULL && !r->b->is_closing)
        err_ignore(file_remove_tree(r->dir), "a left-over folder does no harm");
    free(r->name);
    free(r->owner);
    free(r->address);
    free(r->dir);
    free(r->problem);
    json_decref(r->template);
    free(r);
}
