#include "sandbox/endpoints.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "sandbox/dns.h"
#include "sandbox/ingress.h"
#include "sandbox/netmap.h"
#include "sandbox/relay.h"
#include "sandbox/rules.h"
#include "sandbox/service.h"

static const json_t *first_connection(const json_t *endpoint)
{
    const json_t *p = json_object_get(endpoint, "properties");
    const json_t *list = json_object_get(p, "privateLinkServiceConnections");

    if (json_array_size(list) == 0)
        list = json_object_get(p, "manualPrivateLinkServiceConnections");
    return json_object_get(json_array_get(list, 0), "properties");
}

const char *endpoints_target(const json_t *endpoint)
{
    return jsonx_text(first_connection(endpoint), "privateLinkServiceId");
}

const char *endpoints_group(const json_t *endpoint)
{
    return json_string_value(
            json_array_get(json_object_get(first_connection(endpoint), "groupIds"), 0));
}

const char *endpoints_ip(const json_t *endpoint)
{
    static const char *const paths[] = {
        "properties.customDnsConfigs[0].ipAddresses[0]",
        "properties.ipConfigurations[0].properties.privateIPAddress",
        "hidden.member_addresses[0]",
    };

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        const char *ip = json_string_value(jsonx_at(endpoint, paths[i]));

        if (ip != NULL)
            return ip;
    }
    return NULL;
}

static bool leads_to(const struct entry *e, const char *id)
{
    const char *target = e->driver == &driver_endpoint ? endpoints_target(e->doc) : NULL;

    return target != NULL && backend_is_below(id, target);
}

char *endpoints_address_of(struct backend *b, const char *id)
{
    for (const struct entry *e = b->entries; e != NULL; e = e->next)
        if (leads_to(e, id) && endpoints_ip(e->doc) != NULL)
            return xstrdup(endpoints_ip(e->doc));
    return NULL;
}

/* The port that this user may listen on in place of `port`. */
static int listen_port(int port)
{
    int other = port;

    return netmap_may_listen(port, &other) ? port : other;
}

void endpoints_describe(struct backend *b, const char *id, json_t *row)
{
    json_t *all = jsonx_must(json_array());

    for (const struct entry *e = b->entries; e != NULL; e = e->next) {
        struct service_endpoint to;
        const char *ip = leads_to(e, id) ? endpoints_ip(e->doc) : NULL;

        if (ip == NULL || !service_find_endpoint(b, id, endpoints_group(e->doc), &to))
            continue;
        AUTO(free) char *mapped = netmap_apply(b->netmap, ip);

        json_array_append_new(
                all, jsonx_must(json_pack("{s:o, s:o}", "address",
                             jsonx_textf("%s:%d", ip, to.public_port), "mapped",
                             jsonx_textf("%s:%d", mapped, listen_port(to.public_port)))));
    }
    if (json_array_size(all) > 0)
        json_object_update(row, json_array_get(all, 0));
    if (json_array_size(all) > 1)
        json_object_set(row, "endpoints", all);
    json_decref(all);
}

static void add_endpoint(struct backend *b, const struct entry *e, struct rules *rules)
{
    const char *ip = endpoints_ip(e->doc);
    const char *target = endpoints_target(e->doc);
    const char *group = endpoints_group(e->doc);
    struct service_endpoint to;
    AUTO(free) char *mapped = netmap_apply(b->netmap, ip);

    if (mapped == NULL || target == NULL || group == NULL
            || !service_find_endpoint(b, target, group, &to))
        return;
    rules_add_tcp(rules, mapped, listen_port(to.public_port));
    rules_add_target(rules, to.address, to.port);
}

/* What is reachable from the internet answers at its own address on the usual port. */
static void add_public(struct backend *b, const struct entry *e, struct rules *rules)
{
    struct service_endpoint own;

    if (!service_own_endpoint(e, &own) || own.port == own.public_port || !dns_is_public(b, e))
        return;
    rules_add_tcp(rules, own.address, listen_port(own.public_port));
    rules_add_target(rules, own.address, own.port);
}

/* Ready once the relay listens, or when there is nothing to relay to. */
static void settle(struct backend *b, struct entry *e)
{
    const char *target = endpoints_target(e->doc);
    const char *group = endpoints_group(e->doc);
    struct service_endpoint to;
    AUTO(free) char *mapped = netmap_apply(b->netmap, endpoints_ip(e->doc));

    backend_set_ready(e);
    if (mapped == NULL || target == NULL || group == NULL
            || !service_find_endpoint(b, target, group, &to))
        return;
    const int port = listen_port(to.public_port);
    const int error = relay_state(b->relay, mapped, port);

    if (error == EADDRINUSE)
        backend_set_failed(e, "SandboxAddressInUse",
                "%s:%d (for %s) is taken by another process, perhaps another sandbox with the same "
                "network.",
                mapped, port, endpoints_ip(e->doc));
    else if (error != 0)
        backend_set_failed(e, "SandboxAddressUnavailable", "cannot listen on %s:%d (errno %d)",
                mapped, port, error);
}

void endpoints_tick(struct backend *b)
{
    struct rules rules;

    rules_init(&rules);
    for (const struct entry *e = b->entries; e != NULL; e = e->next)
        if (e->driver == &driver_endpoint)
            add_endpoint(b, e, &rules);
    for (const struct entry *e = b->entries; e != NULL; e = e->next)
        add_public(b, e, &rules);
    ingress_add_rules(b, &rules);
    const bool has_changed = !rules_equal(&rules, b->rules);

    if (has_changed) {
        rules_apply(&rules, b->relay);
        rules_release(b->rules);
        *b->rules = rules;
    } else {
        rules_release(&rules);
    }
    for (struct entry *e = b->entries; e != NULL; e = e->next)
        if (e->driver == &driver_endpoint && (has_changed || e->state == BACKEND_PENDING))
            settle(b, e);
}

static void put(struct backend *b, struct entry *e)
{
    backend_set_ready(e);
    if (b->has_services)
        backend_set_pending(e);
}

const struct driver driver_endpoint = {
    .type = "microsoft.network/privateendpoints",
    .put = put,
};
