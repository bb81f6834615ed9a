#include "sandbox/rules.h"

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/str.h"

void rules_init(struct rules *r)
{
    r->list = jsonx_must(json_array());
}

void rules_release(struct rules *r)
{
    json_decref(r->list);
    r->list = NULL;
}

bool rules_equal(const struct rules *a, const struct rules *b)
{
    return json_equal(a->list, b->list) != 0;
}

static bool is_there(const struct rules *r, const char *address, int port)
{
    const json_t *rule = NULL;
    size_t i = 0;

    json_array_foreach (r->list, i, rule) {
        if (text_eq(jsonx_text(rule, "address"), address) && jsonx_int(rule, "port", 0) == port)
            return true;
    }
    return false;
}

static void add(struct rules *r, const char *address, int port, const char *cert, const char *key)
{
    json_t *rule = jsonx_must(json_pack("{s:s, s:i, s:s?, s:s?, s:[]}", "address", address, "port",
            port, "cert", cert, "key", key, "routes"));

    json_object_set_new(rule, "is_second", json_boolean(is_there(r, address, port)));
    json_array_append_new(r->list, rule);
}

void rules_add_tcp(struct rules *r, const char *address, int port)
{
    add(r, address, port, NULL, NULL);
    json_object_set_new(
            json_array_get(r->list, json_array_size(r->list) - 1), "is_tcp", json_true());
    rules_add_host(r, "", false);
}

void rules_add_http(
        struct rules *r, const char *address, int port, const char *cert_path, const char *key_path)
{
    add(r, address, port, cert_path, key_path);
}

static json_t *last_of(const json_t *list)
{
    return json_array_get(list, json_array_size(list) - 1);
}

void rules_add_host(struct rules *r, const char *host, bool redirects)
{
    json_array_append_new(json_object_get(last_of(r->list), "routes"),
            jsonx_must(json_pack(
                    "{s:s, s:b, s:[]}", "host", host, "redirects", redirects, "targets")));
}

void rules_add_target(struct rules *r, const char *address, int port)
{
    json_t *route = last_of(json_object_get(last_of(r->list), "routes"));

    json_array_append_new(json_object_get(route, "targets"),
            jsonx_must(json_pack("{s:s, s:i}", "address", address, "port", port)));
}

static struct relay_route make_route(const json_t *j)
{
    const json_t *targets = json_object_get(j, "targets");
    const size_t count = json_array_size(targets);
    struct relay_target *list = xcalloc(count + 1, sizeof(*list));

    for (size_t i = 0; i < count; i++)
        list[i] = (struct relay_target){ jsonx_text(json_array_get(targets, i), "address"),
            (int)jsonx_int(json_array_get(targets, i), "port", 0) };
    return (struct relay_route){ .host = jsonx_text(j, "host"),
        .redirects = jsonx_bool(j, "redirects", false),
        .targets = list,
        .target_count = count };
}

static struct relay_rule make_rule(const json_t *j)
{
    const json_t *routes = json_object_get(j, "routes");
    const size_t count = json_array_size(routes);
    struct relay_route *list = xcalloc(count + 1, sizeof(*list));
    const char *cert = jsonx_text(j, "cert");

    for (size_t i = 0; i < count; i++)
        list[i] = make_route(json_array_get(routes, i));
    return (struct relay_rule){
        .address = jsonx_text(j, "address"),
        .port = (int)jsonx_int(j, "port", 0),
        .kind = jsonx_bool(j, "is_tcp", false) ? RELAY_TCP
                : cert != NULL                 ? RELAY_HTTPS
                                               : RELAY_HTTP,
        .cert_path = cert,
        .key_path = jsonx_text(j, "key"),
        .routes = list,
        .route_count = count,
    };
}

static void free_rule(struct relay_rule *rule)
{
    for (size_t i = 0; i < rule->route_count; i++)
        free((void *)(uintptr_t)rule->routes[i].targets);
    free((void *)(uintptr_t)rule->routes);
}

void rules_apply(const struct rules *r, struct relay *relay)
{
    struct relay_rule *list = xcalloc(json_array_size(r->list) + 1, sizeof(*list));
    const json_t *rule = NULL;
    size_t count = 0;
    size_t i = 0;

    json_array_foreach (r->list, i, rule) {
        if (!jsonx_bool(rule, "is_second", false))
            list[count++] = make_rule(rule);
    }
    relay_set(relay, list, count);
    for (i = 0; i < count; i++)
        free_rule(&list[i]);
    free(list);
}
