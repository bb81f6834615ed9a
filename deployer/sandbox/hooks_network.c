/*
 * hooks_network.c - subnets, security rules, public addresses, private DNS, application gateways.
 */
#include <strings.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "sandbox/address.h"
#include "sandbox/checks.h"
#include "sandbox/hooks.h"
#include "sandbox/validate.h"
#include "sandbox/view.h"

static const char *first_prefix(const json_t *properties)
{
    const char *prefix = jsonx_text(properties, "addressPrefix");

    return prefix != NULL ? prefix
                          : json_string_value(json_array_get(
                                  json_object_get(properties, "addressPrefixes"), 0));
}

static struct err *check_in_network(
        const char *name, const char *prefix, const json_t *network_prefixes)
{
    struct address_range inner;
    struct address_range outer;
    size_t i = 0;
    json_t *one = NULL;

    if (prefix == NULL)
        return refuse(400, "InvalidRequestFormat",
                "Subnet '%s' has neither addressPrefix nor addressPrefixes.", name);
    if (!address_parse(prefix, &inner))
        return NULL;
    json_array_foreach ((json_t *)(uintptr_t)network_prefixes, i, one) {
        if (address_parse(json_string_value(one), &outer) && address_contains(&outer, &inner))
            return NULL;
    }
    return refuse(400, "NetcfgInvalidSubnet",
            "Subnet '%s' is not valid because its IP address range is outside the IP address range "
            "of virtual network.",
            name);
}

static struct err *check_apart(
        const char *name, const char *prefix, const char *other_name, const char *other_prefix)
{
    struct address_range a;
    struct address_range b;

    if (prefix == NULL || other_prefix == NULL || strcasecmp(name, other_name) == 0
            || !address_parse(prefix, &a) || !address_parse(other_prefix, &b)
            || !address_overlaps(&a, &b))
        return NULL;
    return refuse(400, "NetcfgSubnetRangesOverlap",
            "Subnet '%s' is not valid because its IP address "
            "range overlaps with that of an existing subnet "
            "'%s'.",
            name, other_name);
}

/* The subnets that a network's document holds. */
static struct err *check_subnets(
        const struct call *c, const json_t *body, json_t *doc, const struct resource *old)
{
    const json_t *prefixes = jsonx_at(doc, "properties.addressSpace.addressPrefixes");
    const json_t *list = jsonx_at(doc, "properties.subnets");
    size_t i = 0;
    json_t *one = NULL;

    (void)c;
    (void)body;
    (void)old;
    json_array_foreach ((json_t *)(uintptr_t)list, i, one) {
        const char *name = jsonx_text(one, "name");
        const char *prefix = first_prefix(json_object_get(one, "properties"));

        if (name == NULL)
            continue;
        TRY(check_in_network(name, prefix, prefixes));
        for (size_t k = 0; k < i; k++) {
            const json_t *other = json_array_get(list, k);
            const char *other_name = jsonx_text(other, "name");

            if (other_name != NULL)
                TRY(check_apart(name, prefix, other_name,
                        first_prefix(json_object_get(other, "properties"))));
        }
    }
    return NULL;
}

static struct err *check_prefix_change(
        const struct call *c, const char *prefix, const struct resource *old)
{
    const char *before = old == NULL ? NULL : first_prefix(json_object_get(old->doc, "properties"));

    if (before == NULL || text_eq(before, prefix))
        return NULL;
    AUTO(err) struct err *e = checks_unused(c->s, old);

    return e == NULL ? NULL
                     : refuse(400, "InUsePrefixCannotBeDeleted",
                             "IpPrefix %s on Subnet %s has active allocations and cannot be "
                             "deleted.",
                             before, old->name);
}

static struct err *check_subnet(
        const struct call *c, const json_t *body, json_t *doc, const struct resource *old)
{
    const struct resource *network = store_find(&c->s->store, c->rid->parent_key);
    const char *prefix = first_prefix(json_object_get(doc, "properties"));
    size_t from = 0;
    size_t to = 0;

    (void)body;
    if (network == NULL)
        return NULL;
    TRY(check_in_network(c->rid->name, prefix,
            jsonx_at(network->doc, "properties.addressSpace.addressPrefixes")));
    store_below(&c->s->store, network->key, &from, &to);
    for (size_t i = from; i < to; i++) {
        const struct resource *other = c->s->store.items[i];

        if (other->kind == c->kind)
            TRY(check_apart(c->rid->name, prefix, other->name,
                    first_prefix(json_object_get(other->doc, "properties"))));
    }
    return check_prefix_change(c, prefix, old);
}

static struct err *check_security_rule(
        const struct call *c, const json_t *body, json_t *doc, const struct resource *old)
{
    const json_t *properties = json_object_get(doc, "properties");
    size_t from = 0;
    size_t to = 0;

    (void)body;
    (void)old;
    store_below(&c->s->store, c->rid->parent_key, &from, &to);
    for (size_t i = from; i < to; i++) {
        const struct resource *other = c->s->store.items[i];
        const json_t *theirs = json_object_get(other->doc, "properties");

        if (text_eq(other->key, c->rid->key) || other->kind != c->kind
                || jsonx_int(theirs, "priority", -1) != jsonx_int(properties, "priority", -2)
                || strcasecmp(jsonx_text(theirs, "direction"), jsonx_text(properties, "direction"))
                           != 0)
            continue;
        return refuse(400, "SecurityRuleConflict",
                "Security rule %s conflicts with rule %s. Rules cannot have the same Priority and "
                "Direction.",
                c->rid->name, other->name);
    }
    return NULL;
}

static void make_public_ip(struct sandbox *s, struct resource *r, bool is_new)
{
    const char *label = hook_text(r, "properties.dnsSettings.domainNameLabel");
    AUTO(free) char *region = view_region(r->location);

    (void)s;
    (void)is_new;
    if (label != NULL)
        hook_make(r, "properties.dnsSettings.fqdn",
                jsonx_textf("%s.%s.cloudapp.azure.com", label, region));
}

/* Records and links are counted when the zone is shown. */
static void view_zone(struct sandbox *s, const struct resource *r, json_t *out)
{
    size_t from = 0;
    size_t to = 0;
    int links = 0;
    int registering = 0;
    int records = 0;

    store_below(&s->store, r->key, &from, &to);
    for (size_t i = from; i < to; i++) {
        const struct resource *child = s->store.items[i];

        if (strcasestr(child->kind->type, "/virtualNetworkLinks") != NULL) {
            links++;
            registering += json_is_true(jsonx_at(child->doc, "properties.registrationEnabled"));
        } else {
            records++;
        }
    }
    jsonx_set_at(out, "properties.numberOfRecordSets", json_integer(records));
    jsonx_set_at(out, "properties.numberOfVirtualNetworkLinks", json_integer(links));
    jsonx_set_at(out, "properties.numberOfVirtualNetworkLinksWithRegistration",
            json_integer(registering));
}

static const struct resource *zone_of(const struct sandbox *s, const struct resource *r)
{
    AUTO(free) char *key = xstrdup(r->key);

    for (int i = 0; i < 2; i++)
        *strrchr(key, '/') = '\0';
    return store_find(&s->store, key);
}

static struct err *check_zone_link(
        const struct call *c, const json_t *body, json_t *doc, const struct resource *old)
{
    const struct resource *zone = store_find(&c->s->store, c->rid->parent_key);
    const char *network = json_string_value(jsonx_at(doc, "properties.virtualNetwork.id"));

    (void)body;
    (void)old;
    for (size_t i = 0; zone != NULL && network != NULL && i < c->s->store.count; i++) {
        const struct resource *other = c->s->store.items[i];

        if (other->kind != c->kind || text_eq(other->key, c->rid->key))
            continue;
        const char *theirs = hook_text(other, "properties.virtualNetwork.id");
        const struct resource *other_zone = zone_of(c->s, other);

        if (theirs == NULL || other_zone == NULL || strcasecmp(theirs, network) != 0
                || strcasecmp(other_zone->name, zone->name) != 0)
            continue;
        return refuse(409, "Conflict",
                "A virtual network cannot be linked to multiple zones with overlapping namespaces. "
                "You tried to link virtual network with '%s' and '%s' zones.",
                zone->name, other_zone->name);
    }
    return NULL;
}

static struct err *check_record(
        const struct call *c, const json_t *body, json_t *doc, const struct resource *old)
{
    (void)body;
    (void)old;
    if (json_is_object(jsonx_at(doc, "properties.cnameRecord")) && text_eq(c->rid->name, "@"))
        return refuse(400, "BadRequest", "A CNAME record set cannot be created at the zone apex.");
    return NULL;
}

static void make_record(struct sandbox *s, struct resource *r, bool is_new)
{
    const struct resource *zone = zone_of(s, r);

    (void)is_new;
    if (zone == NULL)
        return;
    hook_make(r, "properties.fqdn",
            text_eq(r->name, "@") ? jsonx_textf("%s.", zone->name)
                                  : jsonx_textf("%s.%s.", r->name, zone->name));
}

struct own_ref {
    const char *id;
    const json_t *doc;
};

/* "ID/backendAddressPools/web" must be a member of that list. */
static struct err *check_own_ref(const struct own_ref *own, const char *id)
{
    const size_t len = strlen(own->id);

    if (strncasecmp(id, own->id, len) != 0 || id[len] != '/')
        return NULL;
    struct str rest = str_of(id + len + 1);
    AUTO(free) char *list = str_dup(str_cut(&rest, '/'));
    AUTO(free) char *name = str_dup(str_cut(&rest, '/'));
    const json_t *items = jsonx_get_ci(json_object_get(own->doc, "properties"), list);
    size_t i = 0;
    json_t *one = NULL;

    json_array_foreach ((json_t *)(uintptr_t)items, i, one) {
        const char *its = jsonx_text(one, "name");

        if (its != NULL && strcasecmp(its, name) == 0)
            return NULL;
    }
    return refuse(400, "InvalidResourceReference",
            "Resource %s referenced by resource %s was not found. Please make sure that the "
            "referenced resource exists, and that both resources are in the same region.",
            id, own->id);
}

static struct err *check_own_refs(const struct own_ref *own, const json_t *value)
{
    const char *key = NULL;
    json_t *item = NULL;
    size_t i = 0;

    if (json_is_object(value)) {
        const char *id = jsonx_text(value, "id");

        if (id != NULL)
            TRY(check_own_ref(own, id));
        json_object_foreach ((json_t *)(uintptr_t)value, key, item)
            TRY(check_own_refs(own, item));
    }
    json_array_foreach ((json_t *)(uintptr_t)value, i, item)
        TRY(check_own_refs(own, item));
    return NULL;
}

static struct err *check_gateway(
        const struct call *c, const json_t *body, json_t *doc, const struct resource *old)
{
    const struct own_ref own = { .id = c->rid->id, .doc = doc };
    const char *tier = json_string_value(jsonx_at(doc, "properties.sku.tier"));
    size_t i = 0;
    json_t *rule = NULL;

    (void)body;
    (void)old;
    json_array_foreach (jsonx_at(doc, "properties.requestRoutingRules"), i, rule) {
        if (tier != NULL && strcasestr(tier, "_v2") != NULL
                && jsonx_at(rule, "properties.priority") == NULL)
            return refuse(400, "ApplicationGatewayRequestRoutingRulePriorityCannotBeEmpty",
                    "The priority of request routing rule %s/requestRoutingRules/%s cannot be "
                    "empty.",
                    c->rid->id, jsonx_text(rule, "name"));
    }
    return check_own_refs(&own, doc);
}

const struct hook hooks_network[] = {
    { .word = "subnets_free", .check = check_subnets },
    { .word = "subnet", .check = check_subnet },
    { .word = "security_rule", .check = check_security_rule },
    { .word = "public_ip", .made = make_public_ip },
    { .word = "zone", .view = view_zone },
    { .word = "zone_link", .check = check_zone_link },
    { .word = "record", .check = check_record, .made = make_record },
    { .word = "gateway", .check = check_gateway },
    { .word = NULL },
};
