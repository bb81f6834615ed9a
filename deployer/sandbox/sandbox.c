#include "sandbox/sandbox.h"

#include <strings.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "sandbox/auth.h"
#include "sandbox/backend.h"
#include "sandbox/faults.h"
#include "sandbox/resources.h"
#include "sandbox/rid.h"
#include "sandbox/router.h"
#include "sandbox/tls.h"

#define STATE_BYTES_MAX (256u << 20)
#define SAVE_EVERY_MS 300
#define REPORT_EVERY_MS 500

static struct err *load_state(struct sandbox *s)
{
    json_auto_t *j = NULL;

    if (!file_exists(s->state_file))
        return NULL;
    TRY(jsonx_load_file(s->state_file, STATE_BYTES_MAX, &j));
    store_load(&s->store, s->kinds, j);
    operations_load(&s->ops, json_object_get(j, "operations"));
    const json_t *registrations = json_object_get(j, "registrations");

    if (json_is_object(registrations)) {
        json_decref(s->registrations);
        s->registrations = jsonx_copy(registrations);
    }
    return NULL;
}

static void save_state(struct sandbox *s)
{
    json_auto_t *j = store_json(&s->store);

    json_object_set_new(j, "operations", operations_json(&s->ops));
    json_object_set(j, "registrations", s->registrations);
    AUTO(free) char *text = reply_dump(j);
    AUTO(err) struct err *e = file_write(s->state_file, str_of(text), 0600);

    if (e != NULL)
        log_error("sandbox.state", "%s", err_text(e));
    s->store.is_dirty = false;
    s->saved_ms = clock_now_ms();
}

/* DIR/report.json for `deployer sandbox status`: what there is and what runs. */
static void write_report(struct sandbox *s)
{
    json_t *list = jsonx_must(json_array());
    AUTO(free) char *path = file_join(s->o.dir, "report.json");

    for (size_t i = 0; i < s->store.count; i++) {
        const struct resource *r = s->store.items[i];

        if (r->kind->is_tracked || r->created_ms != r->changed_ms || r->op_id != NULL)
            json_array_append_new(list, jsonx_must(json_pack("{s:s, s:s, s:s}", "id", r->id, "type",
                                                r->kind->type, "state", r->state)));
    }
    json_auto_t *j = jsonx_must(
            json_pack("{s:o, s:o}", "resources", list, "processes", backend_report(s->backend)));
    AUTO(free) char *text = reply_dump(j);

    if (s->report != NULL && strcmp(s->report, text) == 0)
        return;
    AUTO(err) struct err *e = file_write(path, str_of(text), 0644);

    if (e != NULL)
        log_warn("sandbox.report", "%s", err_text(e));
    free(s->report);
    s->report = TAKE(text);
}

static void apply_lifetime(struct sandbox *s)
{
    const json_t *lifetime = faults_setting(s->faults, "token_lifetime_s");

    auth_set_lifetime(
            s->auth, json_is_integer(lifetime) ? json_integer_value(lifetime) : AUTH_LIFETIME_S);
}

static void apply_settings(struct sandbox *s)
{
    const json_t *unregistered = faults_setting(s->faults, "unregistered");
    size_t i = 0;
    json_t *ns = NULL;

    if (json_object_size(s->registrations) > 0)
        return;
    json_array_foreach ((json_t *)(uintptr_t)unregistered, i, ns) {
        if (!json_is_string(ns))
            continue;
        AUTO(arena) struct arena *arena = arena_new();

        json_object_set_new(s->registrations, rid_key(arena, json_string_value(ns)),
                json_string("NotRegistered"));
    }
}

static struct err *open_backend(struct sandbox *s)
{
    AUTO(free) char *ca_cert = file_join(s->o.dir, "ca.pem");
    AUTO(free) char *ca_key = file_join(s->o.dir, "ca-key.pem");
    const struct backend_options o = {
        .dir = s->o.dir,
        .has_services = s->o.has_services,
        .images_file = s->o.images_file,
        .ca_cert = ca_cert,
        .ca_key = ca_key,
        .latency = s->o.latency,
    };

    TRY(backend_open(&o, &s->backend));
    for (size_t i = 0; i < s->store.count; i++) {
        if (!s->store.items[i]->is_deleting)
            resource_announce(s, s->store.items[i]);
    }
    return NULL;
}

static struct err *open_all(struct sandbox *s)
{
    TRY(file_make_dir(s->o.dir, 0755));
    TRY(tls_prepare(s->o.dir));
    TRY(kinds_load(&s->kinds));
    TRY(auth_open(s->o.dir, &s->auth));
    TRY(faults_open(s->o.faults_file, &s->faults));
    s->state_file = file_join(s->o.dir, "state.json");
    TRY(load_state(s));
    apply_settings(s);
    TRY(open_backend(s));
    write_report(s);
    return NULL;
}

struct err *sandbox_open(const struct sandbox_options *o, struct sandbox **ret)
{
    struct sandbox *s = xcalloc(1, sizeof(*s));

    s->o = *o;
    s->registrations = jsonx_must(json_object());
    store_init(&s->store);
    struct err *e = open_all(s);

    if (e != NULL) {
        sandbox_close(s);
        return e;
    }
    *ret = s;
    return NULL;
}

void sandbox_close(struct sandbox *s)
{
    if (s == NULL)
        return;
    if (s->backend != NULL) {
        save_state(s);
        backend_close(s->backend);
    }
    store_release(&s->store);
    operations_release(&s->ops);
    auth_free(s->auth);
    faults_free(s->faults);
    kinds_free(s->kinds);
    json_decref(s->registrations);
    free(s->state_file);
    free(s->report);
    free(s);
}

static void end_operation(struct sandbox *s, struct operation *op)
{
    const json_t *error = NULL;
    const enum backend_state state =
            op->is_action ? BACKEND_NONE : backend_status(s->backend, op->resource_id, &error);

    if (state == BACKEND_PENDING)
        return;
    op->state = OPERATION_SUCCEEDED;
    if (op->will_fail != NULL) {
        const char *status = jsonx_text(op->will_fail, "status");

        op->state = text_eq(status, "Canceled") ? OPERATION_CANCELED : OPERATION_FAILED;
        op->error =
                jsonx_must(json_pack("{s:O, s:O*}", "code", json_object_get(op->will_fail, "code"),
                        "message", json_object_get(op->will_fail, "message")));
        if (json_object_get(op->will_fail, "details") != NULL)
            json_object_set(op->error, "details", json_object_get(op->will_fail, "details"));
    } else if (state == BACKEND_FAILED && op->verb != KIND_DELETE) {
        op->state = OPERATION_FAILED;
        op->error = jsonx_copy(error);
    }
    resource_finish(s, op);
}

void sandbox_tick(struct sandbox *s)
{
    const int64_t wall_ms = clock_wall_ms();
    const int64_t now_ms = clock_now_ms();

    backend_tick(s->backend, now_ms);
    for (size_t i = 0; i < s->ops.count; i++) {
        struct operation *op = s->ops.items[i];

        if (op->state == OPERATION_RUNNING && op->end_ms <= wall_ms)
            end_operation(s, op);
    }
    if (s->store.is_dirty && now_ms - s->saved_ms >= SAVE_EVERY_MS)
        save_state(s);
    if (now_ms - s->reported_ms >= REPORT_EVERY_MS) {
        write_report(s);
        s->reported_ms = now_ms;
    }
}

int sandbox_wait_ms(const struct sandbox *s)
{
    const int64_t now_ms = clock_wall_ms();
    int64_t wait_ms = 100;

    for (size_t i = 0; i < s->ops.count; i++) {
        const struct operation *op = s->ops.items[i];

        if (op->state == OPERATION_RUNNING && op->end_ms > now_ms && op->end_ms - now_ms < wait_ms)
            wait_ms = op->end_ms - now_ms;
    }
    return (int)wait_ms;
}

static void add_ids(const struct call *c)
{
    char id[DIGEST_UUID_SIZE];

    digest_uuid4(id);
    reply_header(c->r, "x-ms-request-id", "%s", id);
    reply_header(c->r, "x-ms-correlation-request-id", "%s",
            c->q->correlation_id != NULL ? c->q->correlation_id : id);
    reply_header(c->r, "x-ms-routing-request-id", "SANDBOX:%s", id);
    if (c->q->client_request_id != NULL)
        reply_header(c->r, "x-ms-client-request-id", "%s", c->q->client_request_id);
    reply_header(c->r, "Strict-Transport-Security", "max-age=31536000; includeSubDomains");
}

/* What type a request is about, for the matches of the fault script. */
static const char *type_of(const struct call *c)
{
    struct rid rid = { 0 };

    return rid_parse(c->q->arena, c->q->segments, c->q->count, &rid) ? rid.type : NULL;
}

void sandbox_handle(struct sandbox *s, struct request *q, struct reply *r)
{
    struct rid rid = { .scope_key = "", .parent_key = "" };
    struct call c = { .s = s, .q = q, .r = r, .rid = &rid };

    faults_refresh(s->faults);
    apply_lifetime(s);
    sandbox_tick(s);
    c.fault = faults_match(s->faults, q, type_of(&c));
    add_ids(&c);
    const bool is_instead = c.fault != NULL && !c.fault->is_after
                            && (c.fault->status != 0 || c.fault->is_reset || c.fault->text != NULL);

    if (!is_instead) {
        AUTO(err) struct err *e = router_dispatch(&c);

        if (e != NULL)
            reply_error(r, e);
    }
    if (c.fault != NULL)
        fault_apply(c.fault, r);
}
