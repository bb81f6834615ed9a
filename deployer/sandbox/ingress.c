#include "sandbox/ingress.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "sandbox/backend_app.h"
#include "sandbox/leaf.h"
#include "sandbox/netmap.h"

#define HTTP_PORT 80
#define HTTPS_PORT 443

static const char *environment_text(const struct entry *env, const char *key)
{
    return jsonx_text(json_object_get(env->doc, "properties"), key);
}

static const json_t *ingress_of(const struct entry *app)
{
    const json_t *ingress = jsonx_at(app->doc, "properties.configuration.ingress");

    return json_is_object(ingress) ? ingress : NULL;
}

static bool is_in(const struct entry *app, const struct entry *env)
{
    const json_t *p = json_object_get(app->doc, "properties");
    const char *id = jsonx_text(p, "environmentId");

    if (app->driver != &driver_app)
        return false;
    if (id == NULL)
        id = jsonx_text(p, "managedEnvironmentId");
    return id != NULL && str_eq_ci(str_of(id), str_of(env->id));
}

static int listen_port(int port)
{
    int other = port;

    return netmap_may_listen(port, &other) ? port : other;
}

static void add_targets(struct rules *rules, const json_t *addresses, int port)
{
    const json_t *address = NULL;
    size_t i = 0;

    json_array_foreach (addresses, i, address) {
        rules_add_target(rules, json_string_value(address), port);
    }
}

static void add_tcp(
        struct rules *rules, const char *at, const json_t *addresses, const json_t *mapping)
{
    const int target = (int)jsonx_int(mapping, "targetPort", 0);
    const int exposed = (int)jsonx_int(mapping, "exposedPort", 0);

    if (target == 0)
        return;
    rules_add_tcp(rules, at, listen_port(exposed > 0 ? exposed : target));
    add_targets(rules, addresses, target);
}

static bool is_tcp(const json_t *ingress)
{
    const char *transport = jsonx_text(ingress, "transport");

    return transport != NULL && str_eq_ci(str_of(transport), STR("tcp"));
}

static void add_tcp_of(
        const struct entry *app, const char *at, const json_t *addresses, struct rules *rules)
{
    const json_t *ingress = ingress_of(app);
    const json_t *mapping = NULL;
    size_t i = 0;

    if (is_tcp(ingress))
        add_tcp(rules, at, addresses, ingress);
    json_array_foreach (json_object_get(ingress, "additionalPortMappings"), i, mapping) {
        add_tcp(rules, at, addresses, mapping);
    }
}

/* Inside its environment an app is known by its bare name too. */
static void add_hosts(const struct entry *app, const struct entry *env, const json_t *addresses,
        bool is_plain, struct rules *rules)
{
    const json_t *ingress = ingress_of(app);
    const char *domain = environment_text(env, "defaultDomain");
    const int port = (int)jsonx_int(ingress, "targetPort", 80);
    const bool redirects = is_plain && !jsonx_bool(ingress, "allowInsecure", false);
    const json_t *custom = NULL;
    size_t i = 0;
    AUTO(free) char *outside = xasprintf("%s.%s", backend_name(app->id), domain);
    AUTO(free) char *inside = xasprintf("%s.internal.%s", backend_name(app->id), domain);
    const char *const names[] = { backend_name(app->id), outside, inside };

    for (i = 0; i < ARRAY_LEN(names); i++) {
        rules_add_host(rules, names[i], redirects);
        add_targets(rules, addresses, port);
    }
    json_array_foreach (json_object_get(ingress, "customDomains"), i, custom) {
        if (jsonx_text(custom, "name") == NULL)
            continue;
        rules_add_host(rules, jsonx_text(custom, "name"), redirects);
        add_targets(rules, addresses, port);
    }
}

static bool serves_http(const struct entry *e, const struct entry *env)
{
    return is_in(e, env) && ingress_of(e) != NULL && !is_tcp(ingress_of(e));
}

static void add_http(struct backend *b, const struct entry *env, const char *at, bool is_plain,
        struct rules *rules)
{
    AUTO(free) char *cert = backend_folder(b, env->id, "server.crt");
    AUTO(free) char *key = backend_folder(b, env->id, "server.key");
    bool is_begun = false;

    for (const struct entry *e = b->entries; e != NULL; e = e->next) {
        if (!serves_http(e, env))
            continue;
        if (!is_begun)
            rules_add_http(rules, at, listen_port(is_plain ? HTTP_PORT : HTTPS_PORT),
                    is_plain ? NULL : cert, is_plain ? NULL : key);
        is_begun = true;
        json_auto_t *addresses = jsonx_must(json_array());

        app_serving_addresses(e, addresses);
        add_hosts(e, env, addresses, is_plain, rules);
    }
}

static void add_environment(struct backend *b, const struct entry *env, struct rules *rules)
{
    AUTO(free) char *at = netmap_apply(b->netmap, environment_text(env, "staticIp"));

    if (at == NULL || environment_text(env, "defaultDomain") == NULL)
        return;
    for (const struct entry *e = b->entries; e != NULL; e = e->next) {
        if (!is_in(e, env) || ingress_of(e) == NULL)
            continue;
        json_auto_t *addresses = jsonx_must(json_array());

        app_serving_addresses(e, addresses);
        add_tcp_of(e, at, addresses, rules);
    }
    add_http(b, env, at, true, rules);
    add_http(b, env, at, false, rules);
}

void ingress_add_rules(struct backend *b, struct rules *rules)
{
    for (const struct entry *e = b->entries; e != NULL; e = e->next)
        if (e->driver == &driver_environment)
            add_environment(b, e, rules);
}

static void report_app(
        struct backend *b, const struct entry *env, const struct entry *app, json_t *list)
{
    const json_t *ingress = ingress_of(app);
    const char *ip = environment_text(env, "staticIp");
    AUTO(free) char *mapped = netmap_apply(b->netmap, ip);
    const int exposed = (int)jsonx_int(ingress, "exposedPort", 0);
    const int port = !is_tcp(ingress) ? HTTPS_PORT
                     : exposed > 0    ? exposed
                                      : (int)jsonx_int(ingress, "targetPort", 0);

    if (mapped == NULL)
        return;
    json_array_append_new(
            list, jsonx_must(json_pack("{s:s, s:s, s:o, s:o}", "resource", app->id, "service",
                          "ingress", "address", jsonx_textf("%s:%d", ip, port), "mapped",
                          jsonx_textf("%s:%d", mapped, listen_port(port)))));
}

void ingress_report(struct backend *b, json_t *list)
{
    for (const struct entry *env = b->entries; env != NULL; env = env->next) {
        if (env->driver != &driver_environment)
            continue;
        for (const struct entry *e = b->entries; e != NULL; e = e->next)
            if (is_in(e, env) && ingress_of(e) != NULL)
                report_app(b, env, e, list);
    }
}

/* Container Apps has one certificate for all apps of an environment. */
static struct err *issue(struct backend *b, const struct entry *env, const char *domain)
{
    AUTO(free) char *dir = backend_folder(b, env->id, NULL);
    AUTO(free) char *cert = file_join(dir, "server.crt");
    AUTO(free) char *key = file_join(dir, "server.key");
    AUTO(free) char *all = xasprintf("*.%s", domain);
    AUTO(free) char *internal = xasprintf("*.internal.%s", domain);
    const char *const names[] = { all, internal, domain, NULL };
    const struct leaf_request request = {
        .ca_cert = b->ca_cert,
        .ca_key = b->ca_key,
        .names = names,
        .cert_path = cert,
        .key_path = key,
    };

    if (file_exists(cert))
        return NULL;
    TRY(file_make_dir(dir, 0700));
    return leaf_issue(&request);
}

static void put(struct backend *b, struct entry *e)
{
    const char *domain = environment_text(e, "defaultDomain");

    backend_set_ready(e);
    if (!b->has_services || domain == NULL)
        return;
    struct err *err = issue(b, e, domain);

    if (err != NULL)
        backend_set_failed(e, "SandboxServiceFailed", "ingress: %s", err_text(err));
    err_free(err);
}

static void removed(struct backend *b, struct entry *e)
{
    AUTO(free) char *dir = backend_folder(b, e->id, NULL);

    backend_bury(b, dir, NULL);
}

const struct driver driver_environment = {
    .type = "microsoft.app/managedenvironments",
    .put = put,
    .remove = removed,
};
