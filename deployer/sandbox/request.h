/*
 * request.h - one HTTP request as the sandbox reads it, away from any socket: the path in decoded
 * segments (runs of slashes collapsed), the query, the headers that matter, the body.
 */
#ifndef SANDBOX_REQUEST_H
#define SANDBOX_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define REQUEST_SEGMENTS_MAX 64u
#define REQUEST_QUERY_MAX 64u
#define REQUEST_URI_MAX 16384u
#define REQUEST_BODY_MAX (4u << 20)

struct request_pair {
    const char *name;
    const char *value;
};

struct request {
    struct arena *arena; /* borrowed; everything below lives there */
    const char *method;
    const char *path; /* decoded segments, joined again; begins with a slash */
    const char *segments[REQUEST_SEGMENTS_MAX];
    size_t count;
    struct request_pair query[REQUEST_QUERY_MAX];
    size_t query_count;
    const char *host; /* "localhost:8443"; never NULL */
    const char *authorization, *if_match, *if_none_match, *content_type;
    const char *client_request_id, *correlation_id;
    struct str body;
    json_t *json; /* borrowed from the arena once request_need_json gave it */
};

/*
 * Reads method and URI as received ("/a/%62?c=d"); headers are set by the caller afterwards. A
 * form body may be added with request_add_form.
 * Errors (refusals): 400 for malformed escapes, 414 for what is too long.
 */
MUST_CHECK struct err *request_parse(
        struct arena *arena, const char *method, const char *uri, struct request *ret);
/* A query parameter, names without regard to case; NULL if absent. */
const char *request_query(const struct request *r, const char *name);
bool request_is(const struct request *r, const char *method);
/* Whether segment `i` is this word, without regard to case. */
bool request_segment_is(const struct request *r, size_t i, const char *word);
/* The body as a JSON object in r->json. 400 InvalidRequestContent for anything else. */
MUST_CHECK struct err *request_need_json(struct request *r);
/* The fields of an application/x-www-form-urlencoded body, as request_query's; *ret_count <= max.
 */
MUST_CHECK struct err *request_form(
        const struct request *r, struct request_pair *ret, size_t max, size_t *ret_count);
const char *request_pair_find(const struct request_pair *pairs, size_t count, const char *name);

#endif
