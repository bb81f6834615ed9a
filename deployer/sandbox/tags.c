#include "sandbox/tags.h"

#include <strings.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/jsonx.h"
#include "sandbox/access.h"
#include "sandbox/checks.h"
#include "sandbox/resources.h"
#include "sandbox/rid.h"
#include "sandbox/store.h"

#define TAIL 4u /* providers/Microsoft.Resources/tags/default */

static json_t *document(const char *scope, const struct resource *r)
{
    json_t *tags = r->tags == NULL ? jsonx_must(json_object()) : jsonx_copy(r->tags);

    return jsonx_must(json_pack("{s:o, s:s, s:s, s:{s:o}}", "id",
            jsonx_textf("%s/providers/Microsoft.Resources/tags/default", scope), "name", "default",
            "type", "Microsoft.Resources/tags", "properties", "tags", tags));
}

static json_t *without(const json_t *tags, const json_t *taken)
{
    json_t *left = jsonx_copy(tags);
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach ((json_t *)(uintptr_t)taken, key, value) {
        if (json_equal(json_object_get(left, key), value) == 1)
            json_object_del(left, key);
    }
    return left;
}

/* PUT replaces all; PATCH says what it does. Owned. */
static struct err *changed(const struct call *c, const struct resource *r, json_t **ret)
{
    const json_t *given = jsonx_at(c->q->json, "properties.tags");
    const char *operation =
            request_is(c->q, "PUT") ? "Replace" : jsonx_text(c->q->json, "operation");
    json_auto_t *now = r->tags == NULL ? jsonx_must(json_object()) : jsonx_copy(r->tags);

    if (!json_is_object(given) || operation == NULL)
        return refuse(400, "InvalidRequestContent", "properties.tags and operation are needed.");
    if (strcasecmp(operation, "Merge") == 0)
        json_object_update(now, (json_t *)(uintptr_t)given);
    *ret = strcasecmp(operation, "Replace") == 0  ? jsonx_copy(given)
           : strcasecmp(operation, "Delete") == 0 ? without(now, given)
                                                  : TAKE(now);
    return NULL;
}

static struct err *write_tags(struct call *c, struct resource *r)
{
    json_t *now = NULL;

    if (request_is(c->q, "DELETE")) {
        now = jsonx_must(json_object());
    } else {
        TRY(request_need_json(c->q));
        TRY(changed(c, r, &now));
    }
    json_decref(r->tags);
    r->tags = now;
    store_touch(&c->s->store, r);
    return NULL;
}

struct err *tags_handle(struct call *c, bool *ret_is_handled)
{
    const size_t n = c->q->count;
    AUTO(buf) struct buf scope = BUF_INIT(REQUEST_URI_MAX);
    const bool is_read = request_is(c->q, "GET");

    *ret_is_handled = n > TAIL && request_segment_is(c->q, n - 4, "providers")
                      && request_segment_is(c->q, n - 3, "Microsoft.Resources")
                      && request_segment_is(c->q, n - 2, "tags")
                      && request_segment_is(c->q, n - 1, "default");
    if (!*ret_is_handled)
        return NULL;
    for (size_t i = 0; i + TAIL < n; i++)
        buf_addf(&scope, "/%s", c->q->segments[i]);
    const char *at = buf_text(&scope);

    TRY(access_check(
            c, is_read ? "Microsoft.Resources/tags/read" : "Microsoft.Resources/tags/write", at));
    struct resource *r = store_find(&c->s->store, rid_key(c->q->arena, at));

    if (r == NULL)
        return refuse(404, "ResourceNotFound", "The Resource '%s' was not found.", at);
    if (!is_read)
        TRY(checks_locks(c, r->key, false));
    if (!is_read)
        TRY(write_tags(c, r));
    reply_json(c->r, 200, document(at, r));
    return NULL;
}

static void add_name(const struct call *c, json_t *list, const char *name)
{
    size_t i = 0;
    const json_t *one = NULL;

    json_array_foreach (list, i, one) {
        if (strcasecmp(jsonx_text(one, "tagName"), name) == 0)
            return;
    }
    json_array_append_new(
            list, jsonx_must(json_pack("{s:o, s:s, s:[]}", "id",
                          jsonx_textf("/subscriptions/%s/tagNames/%s", c->q->segments[1], name),
                          "tagName", name, "values")));
}

struct err *tags_names(struct call *c)
{
    json_t *list = jsonx_must(json_array());
    const char *name = NULL;
    json_t *value = NULL;

    for (size_t i = 0; i < c->s->store.count; i++) {
        json_object_foreach (c->s->store.items[i]->tags, name, value)
            add_name(c, list, name);
    }
    reply_json(c->r, 200, jsonx_must(json_pack("{s:o}", "value", list)));
    return NULL;
}
