#include "cloud/arm/operation.h"

#include <stdlib.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/jsonx.h"

static const char *const follow_names[] = { "nothing", "status", "location", "resource" };
_Static_assert(ARRAY_LEN(follow_names) == ARM_FOLLOW_RESOURCE + 1, "one name a way");

static const char *const methods[] = { "PUT", "PATCH", "DELETE", "POST" };

static const char *method_literal(const char *method)
{
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        if (text_eq(methods[i], method))
            return methods[i];
    }
    return NULL;
}

enum arm_state arm_state_of(const char *word)
{
    static const struct {
        const char *word;
        enum arm_state state;
    } terminal[] = { { "Succeeded", ARM_SUCCEEDED }, { "Completed", ARM_SUCCEEDED },
        { "Failed", ARM_FAILED }, { "Canceled", ARM_FAILED }, { "Cancelled", ARM_FAILED } };

    for (size_t i = 0; word != NULL && i < ARRAY_LEN(terminal); i++) {
        if (strcasecmp(word, terminal[i].word) == 0)
            return terminal[i].state;
    }
    return ARM_RUNNING; /* whatever else they say, and new words they invent */
}

const char *arm_provisioning_state(const json_t *body)
{
    return json_string_value(jsonx_get_ci(jsonx_get_ci(body, "properties"), "provisioningState"));
}

static struct str origin_of(struct str url)
{
    const ptrdiff_t scheme = str_find(url, STR("://"));

    if (scheme < 0)
        return STR("");
    size_t end = (size_t)scheme + 3;

    while (end < url.len && strchr("/?#", url.p[end]) == NULL)
        end++;
    struct str o = str_slice(url, 0, end);

    /* The usual port, written out, is the same place. */
    if (str_starts_ci(o, STR("https://")) && str_ends(o, STR(":443")))
        o.len -= 4;
    return o;
}

bool arm_url_is_below(struct str url, const char *origin)
{
    const struct str a = origin_of(url);

    return a.len > 0 && str_eq_ci(a, origin_of(str_of(origin)));
}

/* "//host/x" and "/\\host/x" are no paths: they lead to another host. */
static bool is_path(struct str url)
{
    return url.len > 0 && url.p[0] == '/' && (url.len == 1 || strchr("/\\", url.p[1]) == NULL);
}

char *arm_url_at(struct str url, const char *origin)
{
    if (url.p != NULL && is_path(url)) {
        const struct str o = origin_of(str_of(origin));

        return xasprintf("%.*s%.*s", STR_ARG(o), STR_ARG(url));
    }
    return url.p != NULL && arm_url_is_below(url, origin) ? str_dup(url) : NULL;
}

static enum arm_follow body_follow(const char *method, const struct arm_reply *r)
{
    const char *word = arm_provisioning_state(r->body);

    if (text_eq(method, "DELETE"))
        return r->status == 202 ? ARM_FOLLOW_RESOURCE : ARM_FOLLOW_NOTHING;
    if (text_eq(method, "POST"))
        return ARM_FOLLOW_NOTHING;
    if (word != NULL)
        return arm_state_of(word) == ARM_RUNNING ? ARM_FOLLOW_RESOURCE : ARM_FOLLOW_NOTHING;
    return r->status == 201 || r->status == 202 ? ARM_FOLLOW_RESOURCE : ARM_FOLLOW_NOTHING;
}

void arm_operation_begin(const char *method, const struct arm_reply *r, const char *origin,
        int64_t wall_ms, struct arm_operation *ret)
{
    const char *word = arm_provisioning_state(r->body);
    const bool is_write = text_eq(method, "PUT") || text_eq(method, "PATCH");

    *ret = (struct arm_operation){ .method = method_literal(method), .since_wall_ms = wall_ms };
    ret->location = arm_url_at(r->location, origin);
    if (is_write && r->status != 202 && word != NULL && arm_state_of(word) != ARM_RUNNING) {
        ret->follow = ARM_FOLLOW_NOTHING;
        return;
    }
    ret->url = arm_url_at(r->async_operation, origin);
    if (ret->url == NULL)
        ret->url = arm_url_at(r->operation_location, origin);
    if (ret->url != NULL) {
        ret->follow = ARM_FOLLOW_STATUS;
    } else if (ret->location != NULL && r->status == 202) {
        /* A 201 with Location (classic Redis) only names the resource: its state is asked for. */
        ret->follow = ARM_FOLLOW_LOCATION;
        ret->url = xstrdup(ret->location);
    } else {
        ret->follow = body_follow(method, r);
    }
}

void arm_operation_release(struct arm_operation *op)
{
    free(op->url);
    free(op->location);
    op->url = op->location = NULL;
}

static enum arm_state judge_status(
        struct arm_operation *op, const struct arm_reply *r, const char **ret_word)
{
    const char *word = json_string_value(jsonx_get_ci(r->body, "status"));

    if (word == NULL)
        word = arm_provisioning_state(r->body);
    if (word == NULL && r->status == 204)
        return ARM_SUCCEEDED;
    /* An answer that tells no status is none of an operation: the resource knows. */
    if (word == NULL && r->status == 200 && !text_eq(op->method, "POST"))
        op->follow = ARM_FOLLOW_RESOURCE;
    *ret_word = word == NULL ? "running" : word;
    return arm_state_of(word);
}

static enum arm_state judge_location(
        struct arm_operation *op, const struct arm_reply *r, const char *origin, const char **ret)
{
    const char *word = arm_provisioning_state(r->body);

    char *moved = arm_url_at(r->location, origin);

    if (moved != NULL) {
        free(op->url);
        op->url = moved;
    }
    if (word != NULL)
        *ret = word;
    if (r->status == 202)
        return ARM_RUNNING;
    return word == NULL ? ARM_SUCCEEDED : arm_state_of(word);
}

static enum arm_state judge_resource(
        const struct arm_operation *op, const struct arm_reply *r, const char **ret)
{
    const char *word = arm_provisioning_state(r->body);

    if (text_eq(op->method, "DELETE")) {
        *ret = word == NULL ? "Deleting" : word;
        return r->status == 404 || r->status == 410 || r->status == 204 ? ARM_SUCCEEDED
               : word != NULL && arm_state_of(word) == ARM_FAILED       ? ARM_FAILED
                                                                        : ARM_RUNNING;
    }
    if (r->status == 404 || r->status == 202)
        return ARM_RUNNING; /* not everywhere yet */
    if (word != NULL)
        *ret = word;
    return word == NULL ? ARM_SUCCEEDED : arm_state_of(word);
}

enum arm_state arm_operation_judge(struct arm_operation *op, const struct arm_reply *r,
        const char *origin, const char **ret_word)
{
    *ret_word = text_eq(op->method, "DELETE") ? "Deleting" : "running";
    /* A URL that is gone (they live about a day) or was never one: the resource knows. */
    if (op->follow != ARM_FOLLOW_RESOURCE
            && (r->status == 404 || r->status == 405 || r->status == 410)) {
        if (text_eq(op->method, "DELETE") && op->follow == ARM_FOLLOW_LOCATION && r->status == 404)
            return ARM_SUCCEEDED; /* some services take the operation away with the resource */
        if (text_eq(op->method, "POST"))
            return ARM_FAILED;
        op->follow = ARM_FOLLOW_RESOURCE;
        return ARM_RUNNING;
    }
    switch (op->follow) {
    case ARM_FOLLOW_STATUS:
        return judge_status(op, r, ret_word);
    case ARM_FOLLOW_LOCATION:
        return judge_location(op, r, origin, ret_word);
    case ARM_FOLLOW_RESOURCE:
        return judge_resource(op, r, ret_word);
    case ARM_FOLLOW_NOTHING:
    default:
        return ARM_SUCCEEDED;
    }
}

json_t *arm_operation_token(const struct arm_operation *op, const char *id)
{
    return jsonx_must(json_pack("{s:s, s:s, s:s, s:s*, s:s*, s:I}", "method", op->method, "id", id,
            "follow", follow_names[op->follow], "url", op->url, "location", op->location,
            "since_ms", (json_int_t)op->since_wall_ms));
}

static char *url_of(const json_t *token, const char *key, const char *origin)
{
    const char *url = jsonx_text(token, key);

    return url != NULL && arm_url_is_below(str_of(url), origin) ? xstrdup(url) : NULL;
}

static struct err *damaged_token(void)
{
    struct err *e =
            err_new(ERR_CONFIG, 0, "the state's token of the operation under way names no method");

    err_set_hint(e,
            "state pull, take the operation out of 'intents', state push --repair: the next "
            "plan sees what became of it");
    return e;
}

struct err *arm_operation_resume(const json_t *token, const char *origin, struct arm_operation *ret)
{
    /* {}: something may be under way, its token was not stored. The resource itself tells. */
    const char *method =
            method_literal(json_object_size(token) == 0 ? "PUT" : jsonx_text(token, "method"));
    const char *follow = jsonx_text(token, "follow");
    enum arm_follow way = ARM_FOLLOW_RESOURCE;

    if (method == NULL)
        return damaged_token();
    for (size_t i = 0; i < ARRAY_LEN(follow_names); i++) {
        if (text_eq(follow_names[i], follow))
            way = (enum arm_follow)i;
    }
    *ret = (struct arm_operation){ .method = method,
        .follow = way,
        .url = url_of(token, "url", origin),
        .location = url_of(token, "location", origin),
        .since_wall_ms = jsonx_int(token, "since_ms", 0) };
    if (ret->url == NULL || way == ARM_FOLLOW_NOTHING)
        ret->follow = ARM_FOLLOW_RESOURCE;
    return NULL;
}

#define SOON_MS 200
#define OFTEN_MS 1000
#define SELDOM_MS 30000
#define LATE_MS 10000

static int64_t between(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

int64_t arm_poll_wait_ms(int64_t elapsed_ms, int64_t usual_ms, int64_t after_ms)
{
    const int64_t near = usual_ms * 8 / 10;
    int64_t wait = 0;

    if (elapsed_ms >= near) {
        if (after_ms >= 0 && usual_ms > 0)
            return after_ms;
        /* Overdue by much: no end is in sight, so it may be looked at less often. */
        const int64_t over = elapsed_ms - 2 * usual_ms - 60000;

        wait = elapsed_ms < 4 * OFTEN_MS ? between(elapsed_ms / 4, SOON_MS, OFTEN_MS)
                                         : between(over / 20, OFTEN_MS, LATE_MS);
    } else {
        wait = between(elapsed_ms / 4, SOON_MS, SELDOM_MS);
        if (elapsed_ms + wait > near)
            wait = between(near - elapsed_ms, SOON_MS, SELDOM_MS);
    }
    return wait < after_ms ? after_ms : wait;
}
