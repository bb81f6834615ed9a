#include "sandbox/preflight.h"

#include <strings.h>

#include "base/jsonx.h"
#include "sandbox/validate.h"

static struct err *validate_one(struct call *c, const struct kind *kind, const json_t *resource)
{
    const char *name = jsonx_text(resource, "name");
    const char *last = name == NULL ? NULL : strrchr(name, '/');
    json_auto_t *doc = NULL;

    if (name != NULL && name[0] != '[')
        TRY(validate_name(kind, last == NULL ? name : last + 1));
    return validate_body(
            &(struct validate_request){
                    .arena = c->q->arena, .kind = kind, .body = resource, .may_be_unknown = true },
            &doc);
}

struct err *preflight_validate(struct call *c)
{
    size_t i = 0;
    json_t *one = NULL;

    TRY(request_need_json(c->q));
    const char *provider = jsonx_text(c->q->json, "provider");
    const char *type = jsonx_text(c->q->json, "type");

    if (provider == NULL || type == NULL)
        return refuse(400, "InvalidRequestContent", "provider and type are needed.");
    const char *full = arena_printf(c->q->arena, "%s/%s", provider, type);
    const struct kind *kind = kinds_find(c->s->kinds, full);

    json_array_foreach (json_object_get(c->q->json, "resources"), i, one) {
        if (kind != NULL)
            TRY(validate_one(c, kind, one));
    }
    reply_json(c->r, 200, jsonx_must(json_object()));
    return NULL;
}
