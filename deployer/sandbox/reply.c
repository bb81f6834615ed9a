#include "sandbox/reply.h"

#include <stdarg.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/text.h"

#define JSON_TYPE "application/json; charset=utf-8"

void reply_release(struct reply *r)
{
    json_decref(r->body);
    free(r->text);
    for (size_t i = 0; i < r->header_count; i++) {
        free(r->headers[i].name);
        free(r->headers[i].value);
    }
    *r = (struct reply){ 0 };
}

void reply_json(struct reply *r, int status, json_t *body)
{
    json_decref(r->body);
    r->status = status;
    r->body = body;
    r->content_type = JSON_TYPE;
}

void reply_header(struct reply *r, const char *name, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    char *value = xvasprintf(fmt, ap);

    va_end(ap);
    for (size_t i = 0; i < r->header_count; i++) {
        if (strcasecmp(r->headers[i].name, name) == 0) {
            free(r->headers[i].value);
            r->headers[i].value = value;
            return;
        }
    }
    if (r->header_count == REPLY_HEADERS_MAX) {
        free(value);
        return;
    }
    r->headers[r->header_count++] = (struct reply_header){ .name = xstrdup(name), .value = value };
}

const char *reply_find_header(const struct reply *r, const char *name)
{
    for (size_t i = 0; i < r->header_count; i++) {
        if (strcasecmp(r->headers[i].name, name) == 0)
            return r->headers[i].value;
    }
    return NULL;
}

char *reply_dump(const json_t *j)
{
    struct buf text = BUF_INIT(SIZE_MAX);

    jsonx_print(&text, j, JSON_COMPACT);
    return buf_take(&text);
}

json_t *refusal_json(const struct err *e)
{
    const char *code = err_api_code(e);

    /* Messages quote what came in, cut anywhere. */
    return jsonx_must(
            json_pack("{s:s, s:o}", "code", code[0] != '\0' ? code : "InternalServerError",
                    "message", text_json(str_of(err_text(e)))));
}

void reply_error(struct reply *r, const struct err *e)
{
    const int status = err_kind(e) == ERR_API ? (int)err_code(e) : 500;

    reply_json(r, status, jsonx_must(json_pack("{s:o}", "error", refusal_json(e))));
    if (status == 429 && reply_find_header(r, "Retry-After") == NULL)
        reply_header(r, "Retry-After", "1");
}

struct err *refuse(int status, const char *code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    AUTO(free) char *text = xvasprintf(fmt, ap);

    va_end(ap);
    struct err *e = err_new(ERR_API, status, "%s", text);

    err_set_api(e, code, NULL);
    return e;
}
