#include "cloud/arm/rights.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "base/text.h"
#include "cloud/arm/id.h"

#define RIGHTS_VERSION "2022-04-01"
#define PROVIDERS_VERSION "2021-04-01"

/* --- rights ---------------------------------------------------------------------------------- */

/* The id's first `count` segments. Owned; NULL where it has fewer. */
static char *first_segments(const char *id, unsigned count)
{
    const char *at = id;

    for (unsigned i = 0; i < count; i++) {
        if (*at != '/' || at[1] == '\0')
            return NULL;
        at += 1 + strcspn(at + 1, "/");
    }
    return xmemdup0(id, (size_t)(at - id));
}

char *arm_rights_scope(const char *id)
{
    if (id == NULL || !str_starts_ci(str_of(id), STR("/subscriptions/")))
        return NULL;
    AUTO(free) char *group = first_segments(id, 4);

    if (group != NULL) {
        AUTO(free) char *subscription = first_segments(id, 2);

        if (str_starts_ci(str_of(group + strlen(subscription)), STR("/resourceGroups/")))
            return TAKE(group);
    }
    return first_segments(id, 2);
}

char *arm_rights_path(const char *scope)
{
    return xasprintf("%s/providers/Microsoft.Authorization/permissions?api-version=%s", scope,
            RIGHTS_VERSION);
}

/* `*` stands for any text, slashes included. */
static bool fits(const char *pattern, const char *text)
{
    const char *star = NULL;
    const char *retry = NULL;

    while (*text != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            retry = text;
        } else if (tolower((unsigned char)*pattern) == tolower((unsigned char)*text)) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

/* "a/STAR/b" covers "a/b" too: roles are written so (userAssignedIdentities/STAR/assign/action). */
static bool covers(const char *pattern, const char *action)
{
    const char *middle = strstr(pattern, "/*/");

    if (middle == NULL || fits(pattern, action))
        return fits(pattern, action);
    AUTO(free) char *shorter = xasprintf("%.*s%s", (int)(middle - pattern), pattern, middle + 2);

    return fits(shorter, action);
}

static bool is_among(const json_t *patterns, const char *action)
{
    size_t i = 0;
    const json_t *pattern = NULL;

    json_array_foreach (patterns, i, pattern) {
        if (json_is_string(pattern) && covers(json_string_value(pattern), action))
            return true;
    }
    return false;
}

/* A NotAction takes away from its own role only: another one may still give it. */
bool arm_rights_allow(const json_t *permissions, const char *action)
{
    size_t i = 0;
    const json_t *role = NULL;

    json_array_foreach (permissions, i, role) {
        if (is_among(jsonx_get_ci(role, "actions"), action)
                && !is_among(jsonx_get_ci(role, "notActions"), action))
            return true;
    }
    return false;
}

char *arm_rights_action(const struct kind *k, const char *verb)
{
    return xasprintf("%s/%s", k->rights_type != NULL ? k->rights_type : k->type, verb);
}

char *arm_rights_type(const char *id)
{
    /* What stands before any provider is ARM's own; its namespace is in no such id. */
    const struct str ns = arm_id_namespace(id);
    AUTO(buf) struct buf type = BUF_INIT(BUF_TEXT_MAX);
    struct str rest = ns.len > 0 ? str_of(ns.p + ns.len) : str_of(id);
    bool is_name = false;

    if (ns.len == 0 && arm_id_part(id, "resourceGroups").len == 0)
        return NULL;
    buf_add_str(&type, ns.len > 0 ? ns : STR("Microsoft.Resources"));
    str_cut(&rest, '/');
    for (; rest.len > 0; is_name = !is_name) {
        const struct str segment = str_cut(&rest, '/');

        if (!is_name) {
            buf_add_char(&type, '/');
            buf_add_str(&type, segment);
        }
    }
    return buf_take(&type);
}

/* --- providers ------------------------------------------------------------------------------- */

char *arm_provider_of(const struct kind *k)
{
    struct str rest = str_of(k->type);

    return str_dup(str_cut(&rest, '/'));
}

char *arm_provider_path(const char *subscription, const char *ns)
{
    return xasprintf(
            "/subscriptions/%s/providers/%s?api-version=%s", subscription, ns, PROVIDERS_VERSION);
}

bool arm_provider_is_registered(const json_t *provider)
{
    const char *state = json_string_value(jsonx_get_ci(provider, "registrationState"));

    return state == NULL || strcasecmp(state, "Registered") == 0
           || strcasecmp(state, "Registering") == 0;
}

static const json_t *find_type(const json_t *provider, const struct kind *k)
{
    const char *slash = strchr(k->type, '/');
    size_t i = 0;
    const json_t *type = NULL;

    json_array_foreach (jsonx_get_ci(provider, "resourceTypes"), i, type) {
        const char *name = json_string_value(jsonx_get_ci(type, "resourceType"));

        if (name != NULL && slash != NULL && strcasecmp(name, slash + 1) == 0)
            return type;
    }
    return NULL;
}

bool arm_provider_has_region(const json_t *provider, const struct kind *k, const char *location)
{
    const json_t *regions = jsonx_get_ci(find_type(provider, k), "locations");
    size_t i = 0;
    const json_t *region = NULL;

    json_array_foreach (regions, i, region) {
        if (json_is_string(region) && text_eq_loose(json_string_value(region), location))
            return true;
    }
    return json_array_size(regions) == 0;
}

bool arm_provider_has_version(const json_t *provider, const struct kind *k)
{
    const json_t *versions = jsonx_get_ci(find_type(provider, k), "apiVersions");
    size_t i = 0;
    const json_t *version = NULL;

    json_array_foreach (versions, i, version) {
        if (json_is_string(version) && strcasecmp(json_string_value(version), k->api_version) == 0)
            return true;
    }
    return json_array_size(versions) == 0;
}
