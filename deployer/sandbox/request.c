#include "sandbox/request.h"

#include <strings.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "sandbox/reply.h"

static struct err *bad_request(const char *why)
{
    return refuse(400, "BadRequest", "The request is not well formed: %s.", why);
}

static struct err *decode(struct arena *arena, struct str s, const char **ret)
{
    AUTO(buf) struct buf out = BUF_INIT(REQUEST_BODY_MAX);
    struct err *e = decode_percent(s, &out);

    if (e != NULL) {
        err_ignore(e, "answered as a refusal");
        return bad_request("a percent sign without two hexadecimal digits");
    }
    if (memchr(buf_text(&out), '\0', out.len) != NULL || !text_is_utf8(buf_str(&out)))
        return bad_request("text that is not UTF-8");
    *ret = arena_str(arena, buf_str(&out));
    return NULL;
}

/* In queries and forms a plus is a space, unless it came as %2B. */
static struct str replace_plus(struct arena *arena, struct str s)
{
    char *copy = arena_str(arena, s);

    for (size_t i = 0; i < s.len; i++) {
        if (copy[i] == '+')
            copy[i] = ' ';
    }
    return (struct str){ .p = copy, .len = s.len };
}

static struct err *read_pairs(
        struct arena *arena, struct str text, struct request_pair *ret, size_t max, size_t *count)
{
    struct str rest = text;

    *count = 0;
    while (rest.p != NULL && rest.len > 0) {
        struct str value = replace_plus(arena, str_cut(&rest, '&'));

        if (value.len == 0)
            continue;
        const struct str name = str_cut(&value, '=');

        if (*count == max)
            return bad_request("too many parameters");
        TRY(decode(arena, name, &ret[*count].name));
        TRY(decode(arena, value, &ret[*count].value));
        (*count)++;
    }
    return NULL;
}

static struct err *read_path(struct request *r, struct str path)
{
    AUTO(buf) struct buf joined = BUF_INIT(REQUEST_URI_MAX);
    struct str rest = path;

    while (rest.p != NULL && rest.len > 0) {
        const struct str raw = str_cut(&rest, '/');

        if (raw.len == 0)
            continue;
        if (r->count == REQUEST_SEGMENTS_MAX)
            return refuse(414, "UriTooLong", "The path has too many segments.");
        TRY(decode(r->arena, raw, &r->segments[r->count]));
        buf_addf(&joined, "/%s", r->segments[r->count++]);
    }
    r->path = r->count == 0 ? "/" : arena_text(r->arena, buf_text(&joined));
    return NULL;
}

struct err *request_parse(
        struct arena *arena, const char *method, const char *uri, struct request *ret)
{
    struct str query = str_of(uri);

    *ret = (struct request){ .arena = arena, .method = arena_text(arena, method), .path = "/" };
    ret->host = "localhost";
    if (query.len > REQUEST_URI_MAX)
        return refuse(414, "UriTooLong", "The URI is longer than %u bytes.", REQUEST_URI_MAX);
    struct str path = str_cut(&query, '?');

    if (str_starts(path, STR("https://"))) {
        path = str_slice(path, 8, path.len);
        str_cut(&path, '/');
    }
    TRY(read_path(ret, path));
    return read_pairs(arena, query, ret->query, REQUEST_QUERY_MAX, &ret->query_count);
}

const char *request_pair_find(const struct request_pair *pairs, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(pairs[i].name, name) == 0)
            return pairs[i].value;
    }
    return NULL;
}

const char *request_query(const struct request *r, const char *name)
{
    return request_pair_find(r->query, r->query_count, name);
}

bool request_is(const struct request *r, const char *method)
{
    return text_eq(r->method, method);
}

bool request_segment_is(const struct request *r, size_t i, const char *word)
{
    return i < r->count && strcasecmp(r->segments[i], word) == 0;
}

static void release_json(void *j)
{
    json_decref(j);
}

struct err *request_need_json(struct request *r)
{
    json_t *j = NULL;

    if (r->json != NULL)
        return NULL;
    AUTO(err) struct err *e = jsonx_load(r->body, "body", &j);

    if (e != NULL)
        return refuse(400, "InvalidRequestContent",
                "The request content was invalid and could not be deserialized: '%s'.",
                err_text(e));
    arena_hook(r->arena, release_json, j);
    if (!json_is_object(j))
        return refuse(400, "InvalidRequestContent",
                "The request content was invalid and could not be deserialized: an object is "
                "expected, not %s.",
                jsonx_type_name(j));
    r->json = j;
    return NULL;
}

struct err *request_form(
        const struct request *r, struct request_pair *ret, size_t max, size_t *ret_count)
{
    return read_pairs(r->arena, r->body, ret, max, ret_count);
}
