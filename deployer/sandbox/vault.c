#include "sandbox/vault.h"

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/str.h"

#define TYPE "microsoft.keyvault/vaults/secrets"

const char *vault_secret(struct backend *b, const char *url)
{
    struct str rest = str_of(url);

    if (!str_starts_ci(rest, STR("https://")))
        return NULL;
    rest = str_slice(rest, 8, rest.len);
    struct str host = str_cut(&rest, '/');
    const struct str vault = str_cut(&host, '.');

    if (!str_eq_ci(str_cut(&rest, '/'), STR("secrets")))
        return NULL;
    const struct str name = str_cut(&rest, '/');
    AUTO(free) char *tail = xasprintf("/vaults/%.*s/secrets/%.*s", STR_ARG(vault), STR_ARG(name));

    for (const struct entry *e = b->entries; e != NULL; e = e->next)
        if (text_eq(e->type, TYPE) && str_ends_ci(str_of(e->id), str_of(tail)))
            return jsonx_text(json_object_get(e->doc, "properties"), "value");
    return NULL;
}
