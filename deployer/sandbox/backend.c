#include "sandbox/backend.h"

#include <ctype.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "base/str.h"
#include "base/text.h"
#include "sandbox/backend_app.h"
#include "sandbox/backend_core.h"
#include "sandbox/dns.h"
#include "sandbox/endpoints.h"
#include "sandbox/garbage.h"
#include "sandbox/gateway.h"
#include "sandbox/ingress.h"
#include "sandbox/netmap.h"
#include "sandbox/place.h"
#include "sandbox/process.h"
#include "sandbox/recipe.h"
#include "sandbox/relay.h"
#include "sandbox/rules.h"
#include "sandbox/service.h"
#include "sandbox/volume.h"

#define CA_BYTES_MAX (64u << 10)

static const struct driver *const drivers[] = {
    &driver_app,
    &driver_job,
    &driver_environment,
    &driver_endpoint,
    &driver_dns_zone,
    &driver_dns_a,
    &driver_dns_link,
    &driver_dns_group,
    &driver_share,
    &driver_gateway,
};

static char *lower(const char *text)
{
    char *copy = xstrdup(text);

    for (char *p = copy; *p != '\0'; p++)
        *p = (char)tolower((unsigned char)*p);
    return copy;
}

static const struct driver *driver_of(const struct backend *b, const char *type)
{
    if (b->recipes != NULL && recipes_for(b->recipes, type) != NULL)
        return &driver_service;
    if (b->recipes != NULL && recipes_child(b->recipes, type) != NULL)
        return &driver_service_child;
    for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
        if (str_eq_ci(str_of(drivers[i]->type), str_of(type)))
            return drivers[i];
    return NULL;
}

struct entry *backend_find(struct backend *b, const char *id)
{
    if (id == NULL)
        return NULL;
    for (struct entry *e = b->entries; e != NULL; e = e->next)
        if (str_eq_ci(str_of(e->id), str_of(id)))
            return e;
    return NULL;
}

struct entry *backend_parent(struct backend *b, const char *id, int levels)
{
    AUTO(free) char *copy = xstrdup(id);

    for (int cut = 0; cut < levels * 2; cut++) {
        char *slash = strrchr(copy, '/');

        if (slash == NULL)
            return NULL;
        *slash = '\0';
    }
    return backend_find(b, copy);
}

bool backend_is_below(const char *id, const char *parent)
{
    const size_t len = strlen(parent);

    return str_starts_ci(str_of(id), str_of(parent)) && (id[len] == '\0' || id[len] == '/');
}

const char *backend_name(const char *id)
{
    const char *slash = strrchr(id, '/');

    return slash == NULL ? id : slash + 1;
}

static void drop_error(struct entry *e)
{
    json_decref(e->error);
    e->error = NULL;
}

void backend_set_pending(struct entry *e)
{
    drop_error(e);
    e->state = BACKEND_PENDING;
}

void backend_set_ready(struct entry *e)
{
    drop_error(e);
    e->state = BACKEND_READY;
}

static json_t *error_json(const char *code, const char *fmt, va_list args) PRINTF_LIKE(2, 0);

static json_t *error_json(const char *code, const char *fmt, va_list args)
{
    AUTO(buf) struct buf text = BUF_INIT(4096);
    char block[2048];

    vsnprintf(block, sizeof(block), fmt, args);
    buf_add_text(&text, block);
    return jsonx_must(json_pack("{s:s, s:o}", "code", code, "message", text_json(buf_str(&text))));
}

void backend_set_failed(struct entry *e, const char *code, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    drop_error(e);
    e->error = error_json(code, fmt, args);
    e->state = BACKEND_FAILED;
    va_end(args);
    log_warn("sandbox.failed", "%s: %s", e->id, jsonx_text(e->error, "message"));
}

bool backend_answer_error(
        struct backend_call *call, int status, const char *code, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    call->status = status;
    json_decref(call->answer);
    call->answer = jsonx_must(json_pack("{s:o}", "error", error_json(code, fmt, args)));
    va_end(args);
    return true;
}

char *backend_folder(const struct backend *b, const char *id, const char *sub)
{
    AUTO(free) char *key = lower(id);
    char hex[DIGEST_HEX_SIZE];

    digest_sha256_hex(str_of(key), hex);
    return xasprintf("%s/%.24s-%.8s%s%s", b->dir, backend_name(key), hex, sub == NULL ? "" : "/",
            sub == NULL ? "" : sub);
}

json_t *backend_keys(const json_t *doc)
{
    static const char *const names[] = { "primary", "secondary" };
    /* As the control plane's kinds name them (kinds/redis.yaml, storage.yaml). */
    static const char *const members[][2] = { { "primary", "key1" }, { "secondary", "key2" } };
    const json_t *hidden = json_object_get(doc, "hidden");
    json_t *keys = jsonx_must(json_object());

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        for (size_t n = 0; n < ARRAY_LEN(members[i]); n++) {
            json_t *value = json_object_get(hidden, members[i][n]);

            if (json_is_string(value))
                json_object_set(keys, names[i], value);
        }
    }
    return keys;
}

static char *find_exe_dir(void)
{
    char path[4096];
    const ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

    if (n <= 0)
        return xstrdup("/nonexistent");
    path[n] = '\0';
    return file_dirname(path);
}

/* Where services can read it whose users may not enter the sandbox's folder. */
static struct err *publish_ca(struct backend *b, const char *ca_cert)
{
    AUTO(buf) struct buf pem = BUF_INIT(CA_BYTES_MAX);

    b->ca_public = file_join(b->dir, "ca.pem");
    TRY(file_read(ca_cert, CA_BYTES_MAX, &pem));
    return file_write(b->ca_public, buf_str(&pem), 0644);
}

static struct err *open_services(struct backend *b, const struct backend_options *o)
{
    /* A peer that hangs up is an error of that connection, not the end of the sandbox. */
    signal(SIGPIPE, SIG_IGN);
    b->exe_dir = find_exe_dir();
    TRY(publish_ca(b, o->ca_cert));
    /* The guardian forks: before the relay's thread. */
    TRY(supervisor_new(&b->supervisor));
    TRY(recipes_load(&b->recipes));
    if (o->images_file != NULL)
        TRY(recipes_add_images(b->recipes, o->images_file));
    TRY(netmap_open(&b->netmap));
    TRY(dns_open(b, &b->dns));
    b->multi = curl_multi_init();
    if (b->multi == NULL)
        die_oom();
    b->rules = xcalloc(1, sizeof(*b->rules));
    rules_init(b->rules);
    return relay_open(&b->relay);
}

struct err *backend_open(const struct backend_options *o, struct backend **ret)
{
    struct backend *b = xcalloc(1, sizeof(*b));

    b->ca_cert = xstrdup(o->ca_cert);
    b->ca_key = xstrdup(o->ca_key);
    b->has_services = o->has_services;
    struct err *e = place_open(o, &b->dir);

    if (e == NULL && o->has_services)
        e = open_services(b, o);
    if (e != NULL) {
        backend_close(b);
        return err_wrap(e, "data plane");
    }
    *ret = b;
    return NULL;
}

const char *backend_dns(const struct backend *b)
{
    return b->dns == NULL ? NULL : dns_address(b->dns);
}

const char *backend_address_map(const struct backend *b)
{
    return b->netmap == NULL ? NULL : netmap_rules(b->netmap);
}

bool backend_is_settled(const struct backend *b)
{
    for (const struct entry *e = b->entries; e != NULL; e = e->next)
        if (e->state == BACKEND_PENDING || (e->driver == &driver_app && !app_is_settled(e)))
            return false;
    return true;
}

static void entry_free(struct entry *e)
{
    if (e->driver != NULL && e->driver->release != NULL)
        e->driver->release(e);
    free(e->id);
    free(e->key);
    free(e->type);
    json_decref(e->doc);
    json_decref(e->error);
    free(e);
}

void backend_close(struct backend *b)
{
    if (b == NULL)
        return;
    b->is_closing = true;
    while (b->entries != NULL) {
        struct entry *e = b->entries;

        b->entries = e->next;
        entry_free(e);
    }
    curl_multi_cleanup(b->multi);
    relay_close(b->relay);
    dns_close(b->dns);
    if (b->supervisor != NULL)
        supervisor_drain(b->supervisor);
    garbage_tick(b);
    supervisor_free(b->supervisor);
    netmap_close(b->netmap);
    recipes_free(b->recipes);
    if (b->rules != NULL)
        rules_release(b->rules);
    free(b->rules);
    free(b->exe_dir);
    free(b->dir);
    free(b->ca_cert);
    free(b->ca_public);
    free(b->ca_key);
    free(b);
}

static struct entry *entry_add(struct backend *b, const char *id, const char *type)
{
    struct entry *e = xcalloc(1, sizeof(*e));

    e->id = xstrdup(id);
    e->key = lower(id);
    e->type = lower(type);
    e->driver = driver_of(b, type);
    e->next = b->entries;
    b->entries = e;
    return e;
}

void backend_put(struct backend *b, const char *id, const char *type, const json_t *resource)
{
    struct entry *e = backend_find(b, id);

    if (e == NULL)
        e = entry_add(b, id, type);
    b->generation++;
    json_decref(e->doc);
    e->doc = jsonx_copy(resource);
    e->state = BACKEND_NONE;
    if (e->driver != NULL)
        e->driver->put(b, e);
}

void backend_remove(struct backend *b, const char *id, const char *type)
{
    (void)type;
    for (struct entry **at = &b->entries; *at != NULL; at = &(*at)->next) {
        struct entry *e = *at;

        if (!str_eq_ci(str_of(e->id), str_of(id)))
            continue;
        *at = e->next;
        b->generation++;
        if (e->driver != NULL && e->driver->remove != NULL)
            e->driver->remove(b, e);
        entry_free(e);
        return;
    }
}

enum backend_state backend_status(struct backend *b, const char *id, const json_t **ret_error)
{
    const struct entry *e = backend_find(b, id);

    if (ret_error != NULL)
        *ret_error = e == NULL ? NULL : e->error;
    return e == NULL ? BACKEND_NONE : e->state;
}

json_t *backend_view(struct backend *b, const char *id, const char *type)
{
    struct entry *e = backend_find(b, id);

    (void)type;
    return e != NULL && e->driver != NULL && e->driver->view != NULL ? e->driver->view(b, e) : NULL;
}

bool backend_handle(struct backend *b, const char *id, const char *type, const char *method,
        const char *sub, const json_t *body, int *ret_status, json_t **ret_body)
{
    struct backend_call call = { .method = method, .sub = sub, .body = body, .status = 200 };
    struct entry *e = backend_find(b, id);

    (void)type;
    if (e == NULL || e->driver == NULL || e->driver->handle == NULL)
        return false;
    if (!e->driver->handle(b, e, &call)) {
        json_decref(call.answer);
        return false;
    }
    *ret_status = call.status;
    *ret_body = call.answer;
    return true;
}

void backend_tick(struct backend *b, int64_t now_ms)
{
    b->now_ms = now_ms;
    for (struct entry *e = b->entries; e != NULL; e = e->next)
        if (e->driver != NULL && e->driver->tick != NULL)
            e->driver->tick(b, e);
    garbage_tick(b);
    if (!b->has_services)
        return;
    supervisor_tick(b->supervisor, now_ms);
    endpoints_tick(b);
    dns_tick(b);
}

json_t *backend_report(struct backend *b)
{
    json_t *list = jsonx_must(json_array());

    for (struct entry *e = b->entries; e != NULL; e = e->next)
        if (e->driver != NULL && e->driver->report != NULL)
            e->driver->report(b, e, list);
    if (b->has_services) {
        ingress_report(b, list);
        dns_report(b->dns, list);
    }
    return list;
}
