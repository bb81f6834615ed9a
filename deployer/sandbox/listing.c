#include "sandbox/listing.h"

#include <strings.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/jsonx.h"
#include "base/num.h"
#include "sandbox/access.h"
#include "sandbox/checks.h"
#include "sandbox/faults.h"
#include "sandbox/rid.h"
#include "sandbox/view.h"

#define PAGE_DEFAULT 100

struct filter {
    const char *type, *group, *name, *location, *tag_name, *tag_value;
};

struct page {
    struct call *c;
    const char *after; /* the key of the last one already shown, or NULL */
    size_t max;
    size_t count;
    const char *last;
    bool has_more;
    json_t *value; /* owned until sent */
};

static struct err *start_page(struct call *c, struct page *page)
{
    const char *token = request_query(c->q, "$skiptoken");
    const char *top = request_query(c->q, "$top");
    const json_t *size = faults_setting(c->s->faults, "page_size");
    int64_t max = json_is_integer(size) ? json_integer_value(size) : PAGE_DEFAULT;

    *page = (struct page){ .c = c };
    if (top != NULL) {
        AUTO(err) struct err *e = num_parse_i64(str_of(top), 1, 1000, &max);

        if (e != NULL)
            return refuse(400, "InvalidTop", "The value of $top is not valid: %s.", top);
    }
    page->max = max < 1 ? 1 : (size_t)max;
    if (token != NULL) {
        AUTO(buf) struct buf key = BUF_INIT(REQUEST_URI_MAX);
        AUTO(err) struct err *e = decode_base64(str_of(token), &key);

        if (e != NULL)
            return refuse(400, "InvalidSkipToken", "The skip token is not valid.");
        page->after = arena_str(c->q->arena, buf_str(&key));
    }
    page->value = jsonx_must(json_array());
    return NULL;
}

static bool is_listed(const struct resource *r)
{
    return r->listed_ms <= clock_wall_ms();
}

static void add_to_page(struct page *page, const struct resource *r, const char *expand)
{
    if (!is_listed(r) || (page->after != NULL && strcmp(r->key, page->after) <= 0))
        return;
    if (page->count == page->max) {
        page->has_more = true;
        return;
    }
    json_array_append_new(
            page->value, expand == NULL ? view_resource(page->c->s, r) : view_brief(r, expand));
    page->last = r->key;
    page->count++;
}

static void add_next_link(struct page *page, json_t *body)
{
    const struct request *q = page->c->q;
    AUTO(buf) struct buf link = BUF_INIT(REQUEST_URI_MAX * 2);
    struct str rest = str_of(q->path);

    buf_addf(&link, "https://%s", q->host);
    str_cut(&rest, '/');
    while (rest.p != NULL) {
        buf_add_char(&link, '/');
        encode_percent(&link, str_cut(&rest, '/'));
    }
    buf_add_char(&link, '?');
    for (size_t i = 0; i < q->query_count; i++) {
        if (strcasecmp(q->query[i].name, "$skiptoken") == 0)
            continue;
        buf_addf(&link, "%s=", q->query[i].name);
        encode_percent(&link, str_of(q->query[i].value));
        buf_add_char(&link, '&');
    }
    buf_add_text(&link, "$skiptoken=");
    encode_base64url(&link, page->last, strlen(page->last));
    json_object_set_new(body, "nextLink", jsonx_textf("%s", buf_text(&link)));
}

static struct err *send_page(struct page *page)
{
    json_t *body = jsonx_must(json_pack("{s:o}", "value", page->value));

    if (page->has_more && page->last != NULL)
        add_next_link(page, body);
    reply_json(page->c->r, 200, body);
    return NULL;
}

/* Whether `key` is directly below the collection, or (for a whole subscription) anywhere in it. */
static bool is_member(const struct call *c, const struct resource *r)
{
    const size_t len = strlen(c->rid->key);

    if (r->kind != c->kind)
        return false;
    if (c->rid->group == NULL && c->kind->scope == KIND_GROUP)
        return true;
    return strncmp(r->key, c->rid->key, len) == 0 && r->key[len] == '/'
           && strchr(r->key + len + 1, '/') == NULL;
}

static bool is_at_or_below(const char *key, const char *scope)
{
    const size_t len = strlen(scope);

    return strncmp(key, scope, len) == 0 && (key[len] == '\0' || key[len] == '/');
}

/* Extensions such as role assignments hold at a scope and below: those above are listed too. */
static bool is_in_scope(const struct call *c, const struct resource *r)
{
    const char *filter = request_query(c->q, "$filter");
    const char *at = NULL;

    if (r->kind != c->kind)
        return false;
    for (const char *p = strstr(r->key, "/providers/"); p != NULL; p = strstr(p + 1, "/providers/"))
        at = p;
    if (at == NULL)
        return false;
    const char *scope = arena_str(c->q->arena, (struct str){ r->key, (size_t)(at - r->key) });
    const bool is_only_at = filter != NULL && strcasestr(filter, "atScope()") != NULL;

    return is_at_or_below(c->rid->scope_key, scope)
           || (!is_only_at && is_at_or_below(scope, c->rid->scope_key));
}

struct err *listing_type(struct call *c)
{
    struct page page;
    const bool is_inherited = jsonx_bool(c->kind->data, "inherited", false);

    TRY(checks_scope(c, "read"));
    TRY(start_page(c, &page));
    for (size_t i = 0; i < c->s->store.count && !page.has_more; i++) {
        const struct resource *r = c->s->store.items[i];

        if (is_inherited ? is_in_scope(c, r) : is_member(c, r))
            add_to_page(&page, r, NULL);
    }
    if (page.after == NULL && kind_has_word(c->kind, "hooks", "role_definition"))
        access_add_roles(c, page.value);
    return send_page(&page);
}

struct err *listing_types(struct call *c, const json_t *types)
{
    struct page page;
    size_t from = 0;
    size_t to = 0;

    TRY(start_page(c, &page));
    store_below(&c->s->store, c->rid->parent_key, &from, &to);
    for (size_t i = from; i < to && !page.has_more; i++) {
        const struct resource *r = c->s->store.items[i];
        size_t k = 0;
        json_t *type = NULL;

        json_array_foreach ((json_t *)(uintptr_t)types, k, type) {
            if (text_eq(r->kind->type, json_string_value(type)))
                add_to_page(&page, r, NULL);
        }
    }
    return send_page(&page);
}

/* "name eq 'value'" */
static struct err *read_term(struct arena *arena, struct str term, struct filter *f)
{
    const ptrdiff_t eq = str_find(term, STR(" eq "));
    const struct str name = str_trim(str_slice(term, 0, eq < 0 ? 0 : (size_t)eq));
    struct str value = str_trim(str_slice(term, eq < 0 ? term.len : (size_t)eq + 4, term.len));
    const struct {
        const char *name;
        const char **at;
    } fields[] = {
        { "resourceType", &f->type },
        { "resourceGroup", &f->group },
        { "name", &f->name },
        { "location", &f->location },
        { "tagName", &f->tag_name },
        { "tagValue", &f->tag_value },
    };

    if (value.len >= 2 && value.p[0] == '\'')
        value = str_slice(value, 1, value.len - 1);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (str_eq_ci(name, str_of(fields[i].name))) {
            *fields[i].at = arena_str(arena, value);
            return NULL;
        }
    }
    return refuse(400, "InvalidFilterInQueryString",
            "Invalid $filter '%.*s' specified in the query string.", STR_ARG(term));
}

static struct err *read_filter(const struct call *c, struct filter *f)
{
    const char *text = request_query(c->q, "$filter");
    struct str rest = str_of(text);

    *f = (struct filter){ 0 };
    while (rest.len > 0) {
        const ptrdiff_t at = str_find(rest, STR(" and "));
        const size_t end = at < 0 ? rest.len : (size_t)at;

        TRY(read_term(c->q->arena, str_slice(rest, 0, end), f));
        rest = str_slice(rest, at < 0 ? rest.len : end + 5, rest.len);
    }
    return NULL;
}

static bool same(const char *wanted, const char *text)
{
    return wanted == NULL || (text != NULL && strcasecmp(wanted, text) == 0);
}

static bool passes(const struct filter *f, const struct resource *r, const char *group)
{
    if (!same(f->type, r->kind->type) || !same(f->group, group) || !same(f->name, r->name)
            || !same(f->location, r->location))
        return false;
    if (f->tag_name == NULL)
        return true;
    const json_t *tag = jsonx_get_ci(r->tags, f->tag_name);

    return tag != NULL && (f->tag_value == NULL || text_eq(json_string_value(tag), f->tag_value));
}

struct err *listing_resources(struct call *c, const char *group_key)
{
    const char *expand = request_query(c->q, "$expand");
    struct filter filter;
    struct page page;

    TRY(read_filter(c, &filter));
    TRY(start_page(c, &page));
    for (size_t i = 0; i < c->s->store.count && !page.has_more; i++) {
        const struct resource *r = c->s->store.items[i];
        struct rid rid = { 0 };

        if (!r->kind->is_tracked || r->kind->scope != KIND_GROUP)
            continue;
        if (group_key != NULL && !is_at_or_below(r->key, group_key))
            continue;
        rid_parse_text(c->q->arena, r->id, &rid);
        const char *action = arena_printf(c->q->arena, "%s/read", r->kind->type);

        if (passes(&filter, r, rid.group) && access_allows(c, action, r->key))
            add_to_page(&page, r, expand == NULL ? "" : expand);
    }
    return send_page(&page);
}

struct err *listing_groups(struct call *c)
{
    struct filter filter;
    struct page page;

    TRY(read_filter(c, &filter));
    TRY(start_page(c, &page));
    for (size_t i = 0; i < c->s->store.count && !page.has_more; i++) {
        const struct resource *r = c->s->store.items[i];

        if (r->kind == c->kind && passes(&filter, r, r->name)
                && access_allows(
                        c, "Microsoft.Resources/subscriptions/resourceGroups/read", r->key))
            add_to_page(&page, r, NULL);
    }
    return send_page(&page);
}
