#include "cloud/arm/locks.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "cloud/arm/id.h"

#define LOCKS_VERSION "2020-05-01"

static const char mark[] = "/providers/microsoft.authorization/locks/";

char *arm_locks_path(const char *scope)
{
    const bool is_group = arm_id_part(scope, "resourceGroups").len > 0;

    return xasprintf("%s/providers/Microsoft.Authorization/locks?api-version=%s%s", scope,
            LOCKS_VERSION, is_group ? "" : "&$filter=atScope()");
}

/* What the lock is on, in normal form. Owned; NULL for what is no lock. */
static char *scope_of(const json_t *lock)
{
    const char *id = jsonx_text(lock, "id");
    AUTO(free) char *normal = id == NULL ? NULL : arm_id_normal(id);
    const char *at = normal == NULL ? NULL : strstr(normal, mark);

    return at == NULL ? NULL : xmemdup0(normal, (size_t)(at - normal));
}

static bool is_at_or_below(const char *id, const char *scope)
{
    const size_t len = strlen(scope);

    return strncmp(id, scope, len) == 0 && (id[len] == '\0' || id[len] == '/');
}

static bool is_read_only(const json_t *lock)
{
    const char *level = json_string_value(jsonx_at_ci(lock, "properties.level"));

    return level != NULL && strcasecmp(level, "ReadOnly") == 0;
}

bool arm_lock_refuses(const json_t *lock, const char *id, bool is_delete)
{
    AUTO(free) char *scope = scope_of(lock);
    AUTO(free) char *normal = arm_id_normal(id);

    if (scope == NULL || strstr(normal, mark) != NULL)
        return false;
    if (is_at_or_below(normal, scope))
        return is_delete || is_read_only(lock);
    return is_delete && is_at_or_below(scope, normal);
}

char *arm_lock_text(const json_t *lock)
{
    const char *name = jsonx_text(lock, "name");
    const char *level = json_string_value(jsonx_at_ci(lock, "properties.level"));
    const char *notes = json_string_value(jsonx_at_ci(lock, "properties.notes"));
    const char *id = jsonx_text(lock, "id");
    AUTO(free) char *parent = id == NULL ? NULL : arm_id_parent(id);

    return xasprintf("the lock %s (%s%s%s) on %s", name == NULL ? "" : name,
            level == NULL ? "" : level, notes == NULL ? "" : ": ", notes == NULL ? "" : notes,
            parent == NULL ? "" : parent);
}

char *arm_lock_hint(const json_t *lock)
{
    const char *id = jsonx_text(lock, "id");

    return xasprintf("az lock delete --ids %s, and set it again afterwards; or ask whoever set it",
            id == NULL ? "" : id);
}
