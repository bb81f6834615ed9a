/*
 * hooks_link.c - private endpoints: an address of the subnet for each member of the target, its
 * network interface, and the A records that a zone group writes and takes away again.
 */
#include <strings.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "sandbox/address.h"
#include "sandbox/backend.h"
#include "sandbox/hooks.h"
#include "sandbox/resources.h"
#include "sandbox/template.h"
#include "sandbox/view.h"

static const json_t *connection_of(const json_t *doc)
{
    const json_t *automatic = jsonx_at(doc, "properties.privateLinkServiceConnections[0]");

    return automatic != NULL ? automatic
                             : jsonx_at(doc, "properties.manualPrivateLinkServiceConnections[0]");
}

static const struct resource *target_of(const struct sandbox *s, const json_t *doc)
{
    return hook_find(
            s, json_string_value(jsonx_at(connection_of(doc), "properties.privateLinkServiceId")));
}

static const char *group_of(const json_t *doc)
{
    return json_string_value(jsonx_at(connection_of(doc), "properties.groupIds[0]"));
}

/* {"hosts": [...], "records": [...]} of the target for a group id, expanded; owned or NULL. */
static json_t *members_of(struct sandbox *s, const struct resource *target, const char *group)
{
    const json_t *links = json_object_get(target->kind->data, "private_link");
    const json_t *members = group == NULL ? NULL : jsonx_get_ci(links, group);

    if (members == NULL)
        return NULL;
    json_auto_t *context = view_context(s, target);

    return template_expand(members, context);
}

static struct err *check_endpoint(
        const struct call *c, const json_t *body, json_t *doc, const struct resource *old)
{
    const struct resource *target = target_of(c->s, doc);
    const char *group = group_of(doc);

    (void)body;
    (void)old;
    if (connection_of(doc) == NULL)
        return refuse(400, "InvalidRequestFormat",
                "A private endpoint needs one privateLinkServiceConnection.");
    if (target == NULL)
        return NULL;
    json_auto_t *members = members_of(c->s, target, group);

    if (members == NULL)
        return refuse(400, "InvalidPrivateLinkServiceGroupId",
                "Group id '%s' is not valid for a private endpoint to %s.",
                group == NULL ? "" : group, target->id);
    return NULL;
}

static void make_interface(struct sandbox *s, struct resource *r)
{
    const char *own = hook_text(r, "properties.customNetworkInterfaceName");
    const char *end = strstr(r->id, "/privateEndpoints/");
    AUTO(free) char *base = xmemdup0(r->id, end == NULL ? strlen(r->id) : (size_t)(end - r->id));

    (void)s;
    hook_make(r, "properties.networkInterfaces",
            jsonx_must(json_pack("[{s:o}]", "id",
                    own != NULL ? jsonx_textf("%s/networkInterfaces/%s", base, own)
                                : jsonx_textf("%s/networkInterfaces/%s.nic.%.8s", base, r->name,
                                        hook_text(r, "properties.resourceGuid")))));
}

/* The address that the caller asked for, or a free one. */
static char *take_address(struct sandbox *s, struct resource *r, size_t i)
{
    const json_t *wanted = json_array_get(jsonx_at(r->doc, "properties.ipConfigurations"), i);
    const char *address = json_string_value(jsonx_at(wanted, "properties.privateIPAddress"));
    AUTO(free) char *what = xasprintf("member%zu", i);

    if (address != NULL)
        return xstrdup(address);
    return address_take(s, r, what, hook_text(r, "properties.subnet.id"));
}

static void make_endpoint(struct sandbox *s, struct resource *r, bool is_new)
{
    const struct resource *target = target_of(s, r->doc);
    json_auto_t *members = target == NULL ? NULL : members_of(s, target, group_of(r->doc));
    json_t *configs = jsonx_must(json_array());
    json_t *addresses = jsonx_must(json_array());
    size_t i = 0;
    json_t *host = NULL;

    (void)is_new;
    make_interface(s, r);
    json_array_foreach (json_object_get(members, "hosts"), i, host) {
        /* A wildcard and its bare name are one member: one address. */
        AUTO(free) char *address = take_address(s, r, i);

        if (address == NULL)
            continue;
        json_array_append_new(addresses, jsonx_textf("%s", address));
        json_array_append_new(configs,
                jsonx_must(json_pack("{s:O, s:[s]}", "fqdn", host, "ipAddresses", address)));
    }
    json_object_set_new(r->hidden, "member_addresses", addresses);
    hook_make(r, "properties.customDnsConfigs", configs);
}

/* Once a zone group exists, the endpoint shows no custom DNS configuration. */
static void view_endpoint(struct sandbox *s, const struct resource *r, json_t *out)
{
    static const char *const lists[] = { "privateLinkServiceConnections",
        "manualPrivateLinkServiceConnections" };
    size_t from = 0;
    size_t to = 0;

    store_below(&s->store, r->key, &from, &to);
    if (from < to)
        jsonx_set_at(out, "properties.customDnsConfigs", json_array());
    for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
        size_t i = 0;
        json_t *one = NULL;

        json_array_foreach (json_object_get(json_object_get(out, "properties"), lists[k]), i, one)
            jsonx_set_at(one, "properties.privateLinkServiceConnectionState",
                    jsonx_must(
                            json_pack("{s:s, s:s, s:s}", "status", k == 0 ? "Approved" : "Pending",
                                    "description", k == 0 ? "Auto-Approved" : "Awaiting Approval",
                                    "actionsRequired", "None")));
    }
}

static const struct resource *endpoint_of(const struct sandbox *s, const struct resource *group)
{
    AUTO(free) char *key = xstrdup(group->key);

    for (int i = 0; i < 2; i++)
        *strrchr(key, '/') = '\0';
    return store_find(&s->store, key);
}

static void write_record(struct sandbox *s, struct resource *group, const struct resource *zone,
        const char *name, const char *address)
{
    AUTO(free) char *id = xasprintf("%s/A/%s", zone->id, name);
    struct resource *record = hook_find(s, id);
    const struct kind *kind = kinds_find(s->kinds, "Microsoft.Network/privateDnsZones/A");
    const bool is_new = record == NULL;

    if (kind == NULL)
        return;
    if (is_new)
        record = store_add(&s->store, id, kind);
    json_decref(record->doc);
    record->doc = jsonx_must(
            json_pack("{s:{s:i, s:{s:s}, s:[{s:s}]}}", "properties", "ttl", 10, "metadata",
                    "creator", "created by private endpoint", "aRecords", "ipv4Address", address));
    json_object_set_new(record->hidden, "owner", jsonx_textf("%s", group->key));
    store_touch(&s->store, record);
    resource_make(s, record, is_new);
    resource_announce(s, record);
}

static json_t *record_set(const char *name, const struct resource *zone, const char *address)
{
    return jsonx_must(json_pack("{s:s, s:s, s:o, s:s, s:i, s:[s]}", "recordType", "A",
            "recordSetName", name, "fqdn", jsonx_textf("%s.%s", name, zone->name),
            "provisioningState", "Succeeded", "ttl", 10, "ipAddresses", address));
}

/* The records of one zone; what they are is shown with the configuration. */
static json_t *write_zone(struct sandbox *s, struct resource *group,
        const struct resource *endpoint, const struct resource *zone)
{
    const struct resource *target = target_of(s, endpoint->doc);
    json_auto_t *members = target == NULL ? NULL : members_of(s, target, group_of(endpoint->doc));
    const json_t *addresses = json_object_get(endpoint->hidden, "member_addresses");
    json_t *sets = jsonx_must(json_array());
    size_t i = 0;
    json_t *name = NULL;

    json_array_foreach (json_object_get(members, "records"), i, name) {
        const size_t last = json_array_size(addresses) - 1;
        const char *address = json_string_value(json_array_get(addresses, i < last ? i : last));

        if (address == NULL || json_array_size(addresses) == 0)
            continue;
        write_record(s, group, zone, json_string_value(name), address);
        json_array_append_new(sets, record_set(json_string_value(name), zone, address));
    }
    return sets;
}

static void remove_records(struct sandbox *s, struct resource *group)
{
    for (size_t i = s->store.count; i > 0; i--) {
        struct resource *r = s->store.items[i - 1];

        if (!text_eq(jsonx_text(r->hidden, "owner"), group->key))
            continue;
        backend_remove(s->backend, r->id, r->kind->type);
        store_remove(&s->store, r);
    }
}

static void make_zone_group(struct sandbox *s, struct resource *r, bool is_new)
{
    const struct resource *endpoint = endpoint_of(s, r);
    json_t *sets = jsonx_must(json_object());
    size_t i = 0;
    json_t *config = NULL;

    if (!is_new)
        remove_records(s, r);
    json_array_foreach (jsonx_at(r->doc, "properties.privateDnsZoneConfigs"), i, config) {
        const struct resource *zone =
                hook_find(s, json_string_value(jsonx_at(config, "properties.privateDnsZoneId")));

        if (zone != NULL && endpoint != NULL)
            json_object_set_new(sets, jsonx_text(config, "name"), write_zone(s, r, endpoint, zone));
    }
    json_object_set_new(r->hidden, "record_sets", sets);
}

static void view_zone_group(struct sandbox *s, const struct resource *r, json_t *out)
{
    const json_t *sets = json_object_get(r->hidden, "record_sets");
    size_t i = 0;
    json_t *config = NULL;

    (void)s;
    json_array_foreach (jsonx_at(out, "properties.privateDnsZoneConfigs"), i, config) {
        json_t *own = json_object_get(sets, jsonx_text(config, "name"));

        if (own != NULL)
            jsonx_set_at(config, "properties.recordSets", jsonx_copy(own));
    }
}

const struct hook hooks_link[] = {
    { .word = "private_endpoint",
            .check = check_endpoint,
            .made = make_endpoint,
            .view = view_endpoint },
    { .word = "zone_group",
            .made = make_zone_group,
            .removed = remove_records,
            .view = view_zone_group },
    { .word = NULL },
};
