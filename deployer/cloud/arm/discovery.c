#include "cloud/arm/discovery.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/jsonx.h"
#include "base/str.h"

static const struct discovery_known clouds[] = {
    { "AzureCloud", "https://management.azure.com", "https://login.microsoftonline.com",
            "https://management.azure.com", "vault.azure.net" },
    { "AzureUSGovernment", "https://management.usgovcloudapi.net",
            "https://login.microsoftonline.us", "https://management.core.usgovcloudapi.net",
            "vault.usgovcloudapi.net" },
    { "AzureChinaCloud", "https://management.chinacloudapi.cn", "https://login.chinacloudapi.cn",
            "https://management.core.chinacloudapi.cn", "vault.azure.cn" },
};

const struct discovery_known *discovery_by_endpoint(const char *endpoint)
{
    for (size_t i = 0; i < ARRAY_LEN(clouds); i++) {
        if (str_eq_ci(str_of(clouds[i].endpoint), str_of(endpoint)))
            return &clouds[i];
    }
    return NULL;
}

const struct discovery_known *discovery_by_authority(const char *authority)
{
    for (size_t i = 0; i < ARRAY_LEN(clouds); i++) {
        if (str_eq_ci(str_of(clouds[i].authority), str_of(authority)))
            return &clouds[i];
    }
    return NULL;
}

struct err *discovery_base(const char *url, const char *what, char **ret)
{
    struct str s = str_trim(str_of(url));

    while (str_ends(s, STR("/")))
        s.len--;
    if (str_find(s, STR("://")) < 0 && s.len > 0) {
        AUTO(free) char *host = str_dup(s);

        *ret = xasprintf("https://%s", host);
        return NULL;
    }
    if (!str_starts_ci(s, STR("https://")) || s.len == strlen("https://"))
        return err_new(ERR_USAGE, 0, "%s '%s' is no https address", what, url);
    *ret = str_dup(s);
    return NULL;
}

static bool is_at(const json_t *cloud, const char *endpoint)
{
    struct str rm = str_of(jsonx_text(cloud, "resourceManager"));

    while (str_ends(rm, STR("/")))
        rm.len--;
    return str_eq_ci(rm, str_of(endpoint));
}

/* With or without a dot in front, as the versions have it. */
static char *vault_suffix_of(const json_t *cloud)
{
    const char *suffix = jsonx_text(json_object_get(cloud, "suffixes"), "keyVaultDns");

    if (suffix == NULL || suffix[strspn(suffix, ".")] == '\0')
        return NULL;
    return xstrdup(suffix + strspn(suffix, "."));
}

static struct err *no_cloud(void)
{
    struct err *e = err_new(ERR_PROTO, 0,
            "what answers is no Azure Resource Manager: its metadata name no login endpoint");

    err_set_hint(e, "is AZURE_RESOURCE_MANAGER_ENDPOINT right, and no proxy in between?");
    return e;
}

struct err *discovery_read(const json_t *body, const char *endpoint, struct discovery *ret)
{
    const json_t *cloud = json_is_array(body) ? json_array_get(body, 0) : body;
    size_t i = 0;
    const json_t *c = NULL;

    if (json_is_array(body)) {
        json_array_foreach (body, i, c) {
            if (is_at(c, endpoint))
                cloud = c;
        }
    }
    const json_t *login = json_object_get(cloud, "authentication");
    const char *authority = jsonx_text(login, "loginEndpoint");
    const char *audience =
            json_string_value(json_array_get(json_object_get(login, "audiences"), 0));
    char *base = NULL;

    if (authority == NULL)
        return no_cloud();
    TRY(discovery_base(authority, "login endpoint", &base));
    *ret = (struct discovery){ .authority = base,
        .audience = xstrdup(audience != NULL ? audience : endpoint),
        .vault_suffix = vault_suffix_of(cloud) };
    return NULL;
}

void discovery_release(struct discovery *d)
{
    free(d->authority);
    free(d->audience);
    free(d->vault_suffix);
    *d = (struct discovery){ 0 };
}
