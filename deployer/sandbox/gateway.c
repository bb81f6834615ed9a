#include "sandbox/gateway.h"

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "sandbox/backend_app.h"
#include "sandbox/dns.h"

struct health {
    const char *word;
    char *log;
};

/* Whether a private zone that is linked to a network answers for the name. */
static bool resolves(struct backend *b, const char *host)
{
    const struct str name = str_of(host);

    for (const struct entry *e = b->entries; e != NULL; e = e->next) {
        if (e->driver != &driver_dns_zone || !dns_zone_is_linked(b, e))
            continue;
        const struct str zone = str_of(backend_name(e->id));

        if (str_ends_ci(name, zone)
                && (name.len == zone.len || name.p[name.len - zone.len - 1] == '.')
                && dns_zone_has_records(b, e))
            return true;
    }
    return false;
}

static const struct entry *app_of(struct backend *b, const char *host)
{
    for (const struct entry *e = b->entries; e != NULL; e = e->next) {
        const char *fqdn = jsonx_text(jsonx_at(e->doc, "properties.configuration.ingress"), "fqdn");

        if (e->driver == &driver_app && fqdn != NULL && str_eq_ci(str_of(fqdn), str_of(host)))
            return e;
    }
    return NULL;
}

/* In the gateway's own words, and whose status it was. */
static char *unexpected_status(int status, const char *host)
{
    return xasprintf("Status code of the backend's HTTP response did not match the probe setting. "
                     "Expected:200-399 Received:%d (%s)",
            status, host);
}

static struct health health_of(struct backend *b, const char *host)
{
    if (!resolves(b, host))
        return (struct health){ "Unknown",
            xasprintf("Cannot connect to the backend: the FQDN '%s' configured in the backend pool "
                      "could not be resolved to an IP address.",
                    host) };
    const struct entry *app = app_of(b, host);
    json_auto_t *serving = jsonx_must(json_array());

    if (app == NULL)
        return (struct health){ "Unhealthy", unexpected_status(404, host) };
    app_serving_addresses(app, serving);
    if (b->has_services && json_array_size(serving) == 0)
        return (struct health){ "Unhealthy", unexpected_status(503, host) };
    return (struct health){ "Healthy", xstrdup("Success. Received 200 status code") };
}

static json_t *servers_of(struct backend *b, const json_t *pool)
{
    const json_t *addresses = jsonx_at(pool, "properties.backendAddresses");
    json_t *servers = jsonx_must(json_array());
    const json_t *one = NULL;
    size_t i = 0;

    json_array_foreach (addresses, i, one) {
        const char *host = jsonx_text(one, "fqdn");

        if (host == NULL)
            continue; /* by address: nothing here knows what stands there */
        const struct health h = health_of(b, host);

        json_array_append_new(servers, jsonx_must(json_pack("{s:s, s:s, s:s}", "address", host,
                                               "health", h.word, "healthProbeLog", h.log)));
        free(h.log);
    }
    return servers;
}

static json_t *pool_health(struct backend *b, const struct entry *e, const json_t *pool)
{
    const json_t *settings = jsonx_at(e->doc, "properties.backendHttpSettingsCollection");
    json_auto_t *servers = servers_of(b, pool);
    json_t *list = jsonx_must(json_array());
    const json_t *one = NULL;
    size_t i = 0;

    json_array_foreach (settings, i, one)
        json_array_append_new(
                list, jsonx_must(json_pack("{s:{s:o}, s:O}", "backendHttpSettings", "id",
                              jsonx_textf("%s/backendHttpSettingsCollection/%s", e->id,
                                      jsonx_text(one, "name")),
                              "servers", servers)));
    return jsonx_must(json_pack("{s:{s:o}, s:o}", "backendAddressPool", "id",
            jsonx_textf("%s/backendAddressPools/%s", e->id, jsonx_text(pool, "name")),
            "backendHttpSettingsCollection", list));
}

static bool handle(struct backend *b, struct entry *e, struct backend_call *call)
{
    const json_t *pools = jsonx_at(e->doc, "properties.backendAddressPools");
    json_t *list = NULL;
    const json_t *pool = NULL;
    size_t i = 0;

    if (!text_eq(call->method, "POST") || !str_eq_ci(str_of(call->sub), STR("backendhealth")))
        return false;
    list = jsonx_must(json_array());
    json_array_foreach (pools, i, pool)
        json_array_append_new(list, pool_health(b, e, pool));
    call->answer = jsonx_must(json_pack("{s:o}", "backendAddressPools", list));
    return true;
}

static void put(struct backend *b, struct entry *e)
{
    (void)b;
    backend_set_ready(e);
}

const struct driver driver_gateway = {
    .type = "microsoft.network/applicationgateways",
    .put = put,
    .handle = handle,
};
