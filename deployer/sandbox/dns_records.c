#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "sandbox/dns.h"
#include "sandbox/endpoints.h"
#include "sandbox/service.h"

/* What a public name leads to from where nothing private answers (RFC 5737: nobody's). */
#define PUBLIC_ADDRESS "203.0.113.10"
#define PRIVATELINK "privatelink."

struct records {
    struct backend *b;
    json_t *lines; /* an object: its keys are the lines */
    json_t *names; /* public names that lead into a zone */
};

static void add_line(struct records *r, char *line)
{
    json_object_set_new(r->lines, line, json_true());
    free(line);
}

bool dns_zone_is_linked(struct backend *b, const struct entry *zone)
{
    for (const struct entry *e = b->entries; e != NULL; e = e->next) {
        const char *network = jsonx_text(jsonx_at(e->doc, "properties.virtualNetwork"), "id");

        if (e->driver == &driver_dns_link && backend_is_below(e->id, zone->id)
                && backend_find(b, network) != NULL)
            return true;
    }
    return false;
}

bool dns_zone_has_records(struct backend *b, const struct entry *zone)
{
    for (const struct entry *e = b->entries; e != NULL; e = e->next)
        if (e->driver == &driver_dns_a && backend_is_below(e->id, zone->id))
            return true;
    return false;
}

/* "@" is the zone itself, "*" every name below it. */
static char *record_line(const char *name, const char *zone, const char *address)
{
    if (text_eq(name, "@"))
        return xasprintf("host-record=%s,%s", zone, address);
    if (text_eq(name, "*"))
        return xasprintf("address=/*.%s/%s", zone, address);
    if (str_starts(str_of(name), STR("*.")))
        return xasprintf("address=/%s.%s/%s", name, zone, address);
    return xasprintf("host-record=%s.%s,%s", name, zone, address);
}

static void add_a_record(struct records *r, const struct entry *e, const char *zone)
{
    const json_t *list = jsonx_get_ci(json_object_get(e->doc, "properties"), "aRecords");
    const json_t *item = NULL;
    size_t i = 0;

    json_array_foreach (list, i, item) {
        const char *address = jsonx_text(item, "ipv4Address");

        if (address != NULL)
            add_line(r, record_line(backend_name(e->id), zone, address));
    }
}

/* "db.postgres.database.azure.com" in zone "privatelink.postgres...": "db"; else NULL. */
static char *name_in_zone(const char *fqdn, const char *zone)
{
    struct str bare = str_of(zone);

    if (str_starts_ci(bare, STR(PRIVATELINK)))
        bare = str_slice(bare, sizeof(PRIVATELINK) - 1, bare.len);
    const struct str full = str_of(fqdn);

    if (!str_ends_ci(full, bare) || full.len <= bare.len + 1
            || full.p[full.len - bare.len - 1] != '.')
        return NULL;
    return str_dup(str_slice(full, 0, full.len - bare.len - 1));
}

static void add_endpoint_name(
        struct records *r, const char *fqdn, const char *address, const char *zone)
{
    AUTO(free) char *name = fqdn == NULL ? NULL : name_in_zone(fqdn, zone);

    if (name == NULL || address == NULL)
        return;
    add_line(r, record_line(name, zone, address));
    if (str_starts_ci(str_of(zone), STR(PRIVATELINK)))
        add_line(r, xasprintf("cname=%s,%s.%s", fqdn, name, zone));
    json_object_set_new(r->names, fqdn, json_true());
}

static void add_endpoint(struct records *r, const struct entry *endpoint, const char *zone)
{
    const json_t *configs = jsonx_at(endpoint->doc, "properties.customDnsConfigs");
    const char *target = endpoints_target(endpoint->doc);
    const char *group = endpoints_group(endpoint->doc);
    struct service_endpoint to;
    const json_t *config = NULL;
    size_t i = 0;

    json_array_foreach (configs, i, config) {
        add_endpoint_name(r, jsonx_text(config, "fqdn"),
                json_string_value(json_array_get(json_object_get(config, "ipAddresses"), 0)), zone);
    }
    if (target != NULL && group != NULL && service_find_endpoint(r->b, target, group, &to))
        add_endpoint_name(r, to.host, endpoints_ip(endpoint->doc), zone);
}

static void add_group(struct records *r, const struct entry *e, const struct entry *zone)
{
    const struct entry *endpoint = backend_parent(r->b, e->id, 1);
    const json_t *configs = jsonx_at(e->doc, "properties.privateDnsZoneConfigs");
    const json_t *config = NULL;
    size_t i = 0;

    json_array_foreach (configs, i, config) {
        const char *id = jsonx_text(json_object_get(config, "properties"), "privateDnsZoneId");

        if (endpoint != NULL && id != NULL && str_eq_ci(str_of(id), str_of(zone->id)))
            add_endpoint(r, endpoint, backend_name(zone->id));
    }
}

static void add_zone(struct records *r, const struct entry *zone)
{
    const char *name = backend_name(zone->id);

    /* A name that the zone lacks does not exist: nobody else is asked. */
    add_line(r, xasprintf("local=/%s/", name));
    for (const struct entry *e = r->b->entries; e != NULL; e = e->next) {
        if (e->driver == &driver_dns_a && backend_is_below(e->id, zone->id))
            add_a_record(r, e, name);
        else if (e->driver == &driver_dns_group)
            add_group(r, e, zone);
    }
}

bool dns_is_public(struct backend *b, const struct entry *e)
{
    static const char *const paths[] = { "properties.publicNetworkAccess",
        "properties.network.publicNetworkAccess" };
    const struct entry *above = backend_parent(b, e->id, 1);

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        const char *own = json_string_value(jsonx_at(e->doc, paths[i]));
        const char *of_above =
                above == NULL ? NULL : json_string_value(jsonx_at(above->doc, paths[i]));

        if ((own != NULL && str_eq_ci(str_of(own), STR("Disabled")))
                || (of_above != NULL && str_eq_ci(str_of(of_above), STR("Disabled"))))
            return false;
    }
    return true;
}

/* A service that no zone names: Azure's public DNS has it all the same. */
static void add_public(struct records *r, const struct entry *e)
{
    struct service_endpoint own;

    if (!service_own_endpoint(e, &own) || own.host == NULL || own.host[0] == '\0'
            || json_object_get(r->names, own.host) != NULL)
        return;
    add_line(r, xasprintf("host-record=%s,%s", own.host,
                        dns_is_public(r->b, e) ? own.address : PUBLIC_ADDRESS));
}

void dns_add_records(struct backend *b, struct buf *out)
{
    struct records r = {
        .b = b, .lines = jsonx_must(json_object()), .names = jsonx_must(json_object())
    };
    const char *line = NULL;
    json_t *value = NULL;
    json_auto_t *sorted = NULL;

    for (const struct entry *e = b->entries; e != NULL; e = e->next)
        if (e->driver == &driver_dns_zone && dns_zone_is_linked(b, e))
            add_zone(&r, e);
    for (const struct entry *e = b->entries; e != NULL; e = e->next)
        add_public(&r, e);
    AUTO(free) char *text = jsonx_dump(r.lines);

    err_ignore(jsonx_load(str_of(text), "records", &sorted), "our own text");
    json_object_foreach (sorted, line, value) {
        buf_addf(out, "%s\n", line);
    }
    json_decref(r.lines);
    json_decref(r.names);
}
