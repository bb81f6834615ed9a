#include "sandbox/backend_replica.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/str.h"

struct replica {
    struct backend *b;
    char *name;
    json_t *template;
    char created[CLOCK_RFC3339_SIZE];
    bool is_stopping;
    bool runs_once;
};

struct replica *replica_start(struct backend *b, const struct replica_spec *spec)
{
    struct replica *r = xcalloc(1, sizeof(*r));

    r->b = b;
    r->name = xstrdup(spec->name);
    r->template = jsonx_copy(spec->template);
    r->runs_once = spec->runs_once;
    clock_rfc3339(clock_wall_ms(), r->created);
    return r;
}

void replica_tick(struct replica *r)
{
    (void)r;
}

void replica_stop(struct replica *r)
{
    r->is_stopping = true;
}

enum replica_phase replica_phase(const struct replica *r)
{
    if (r->is_stopping)
        return REPLICA_GONE;
    return r->runs_once ? REPLICA_DONE : REPLICA_READY;
}

const char *replica_reason(const struct replica *r)
{
    (void)r;
    return "";
}

const char *replica_detail(const struct replica *r)
{
    (void)r;
    return "";
}

int replica_exit_status(const struct replica *r)
{
    (void)r;
    return 0;
}

const char *replica_name(const struct replica *r)
{
    return r->name;
}

const char *replica_address(const struct replica *r)
{
    (void)r;
    return NULL;
}

json_t *replica_json(const struct replica *r)
{
    json_t *containers = jsonx_must(json_array());
    const json_t *c = NULL;
    size_t i = 0;

    json_array_foreach (json_object_get(r->template, "containers"), i, c) {
        json_array_append_new(containers,
                jsonx_must(json_pack("{s:s, s:b, s:b, s:i, s:s}", "name",
                        jsonx_text(c, "name") == NULL ? "" : jsonx_text(c, "name"), "ready", 1,
                        "started", 1, "restartCount", 0, "runningState", "Running")));
    }
    return jsonx_must(json_pack("{s:s, s:s, s:o}", "createdTime", r->created, "runningState",
            "Running", "containers", containers));
}

void replica_report(const struct replica *r, json_t *list)
{
    (void)r;
    (void)list;
}

void replica_free(struct replica *r)
{
    if (r == NULL)
        return;
    free(r->name);
    json_decref(r->template);
    free(r);
}
