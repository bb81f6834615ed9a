/*
 * fake_cloud.h - a cloud in memory for the engine's tests: documents by id, a log of what was
 * asked, faults by request. An operation takes a few turns of the fake loop: sent, taken in,
 * through; the process can die between any two. Nothing waits for real; the clock jumps.
 */
#ifndef TESTS_FAKE_CLOUD_H
#define TESTS_FAKE_CLOUD_H

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "cloud/cloud.h"

#define FAKE_QUEUE_MAX 256
#define FAKE_GROUP "/subscriptions/s/resourceGroups/g"

enum fake_stage { FAKE_SENT, FAKE_TAKEN, FAKE_TOLD };

struct fake_op {
    const char *verb; /* PUT PATCH DELETE GET LIST POST RESUME AWAIT */
    char *id;
    char *path;
    json_t *body;
    enum fake_stage stage;
    void (*accepted)(void *arg, const json_t *token);
    cloud_done *done;
    void *arg;
};

struct fake_cloud {
    struct cloud base;
    json_t *resources; /* by lower-case id */
    json_t *under_way; /* by lower-case id: what a write that was taken in makes of it */
    json_t *faults;    /* "PUT NAME" -> HTTP status; once; "PUT NAME!" after it was taken in */
    json_t *answers;   /* "POST NAME/PATH" -> list of answers, the last one stays */
    json_t *created;   /* id -> how often it came into being */
    struct buf log;    /* "PUT name; " */
    struct fake_op queue[FAKE_QUEUE_MAX];
    size_t queued;
    unsigned steps;
    unsigned die_after; /* the loop breaks after so many steps; 0: never */
    unsigned writing_max;
    unsigned deleting_max;
    unsigned queue_max;
    bool is_list_lagging; /* lists are empty */
    bool is_denied;       /* nothing may be read */
    bool is_log_writes_only;
};

static struct fake_cloud *fake_of(struct cloud *c)
{
    return (struct fake_cloud *)(void *)c;
}

static const char *fake_name(const char *id)
{
    const char *slash = strrchr(id, '/');

    return slash == NULL ? id : slash + 1;
}

static char *fake_key(const char *id)
{
    char *key = xstrdup(id);

    for (char *c = key; *c != '\0'; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    return key;
}

/* ---- starting ---- */

static struct fake_op *fake_push(struct fake_cloud *f, const char *verb, const char *id)
{
    struct fake_op *op = &f->queue[f->queued++];

    if (f->queued >= FAKE_QUEUE_MAX)
        abort();
    *op = (struct fake_op){ .verb = verb, .id = xstrdup(id) };
    f->queue_max = f->queued > f->queue_max ? (unsigned)f->queued : f->queue_max;
    if (!f->is_log_writes_only || strcmp(verb, "GET") != 0)
        buf_addf(&f->log, "%s %s; ", verb, fake_name(id));
    return op;
}

static void fake_read(struct cloud *c, const struct kind *k, const char *id, int64_t deadline_ms,
        cloud_done *done, void *arg)
{
    struct fake_op *op = fake_push(fake_of(c), "GET", id);

    (void)k;
    (void)deadline_ms;
    op->done = done;
    op->arg = arg;
}

static char *fake_collection(struct cloud *c, const struct kind *k, const char *id)
{
    char *copy = fake_key(id);

    (void)c;
    (void)k;
    *strrchr(copy, '/') = '\0';
    return copy;
}

static void fake_list(struct cloud *c, const struct kind *k, const char *id, int64_t deadline_ms,
        cloud_done *done, void *arg)
{
    AUTO(free) char *collection = fake_collection(c, k, id);
    struct fake_op *op = fake_push(fake_of(c), "LIST", collection);

    (void)deadline_ms;
    op->done = done;
    op->arg = arg;
}

static void fake_write(struct cloud *c, const struct cloud_write *w)
{
    struct fake_op *op = fake_push(fake_of(c),
            w->resume != NULL ? "RESUME"
            : w->is_patch     ? "PATCH"
                              : "PUT",
            w->id);

    op->body = jsonx_copy(w->body);
    op->accepted = w->accepted;
    op->done = w->done;
    op->arg = w->arg;
}

static void fake_remove(struct cloud *c, const struct kind *k, const char *id, const json_t *resume,
        int64_t deadline_ms, void (*accepted)(void *arg, const json_t *token), cloud_done *done,
        void *arg)
{
    struct fake_op *op = fake_push(fake_of(c), resume == NULL ? "DELETE" : "AWAIT", id);

    (void)k;
    (void)deadline_ms;
    op->accepted = accepted;
    op->done = done;
    op->arg = arg;
}

static void fake_act(struct cloud *c, const struct kind *k, const char *id, const char *method,
        const char *path, const json_t *body, int64_t deadline_ms, cloud_done *done, void *arg)
{
    AUTO(free) char *full = xasprintf("%s/%s", id, path);
    struct fake_op *op = NULL;

    (void)k;
    (void)body;
    (void)deadline_ms;
    op = fake_push(fake_of(c), method[0] == 'P' ? "POST" : "GET", full);
    op->path = xstrdup(path);
    op->done = done;
    op->arg = arg;
}

static char *fake_make_id(
        struct cloud *c, const struct kind *k, const char *parent_or_scope_id, const char *name)
{
    (void)c;
    if (k->is_group)
        return xasprintf("/subscriptions/s/resourceGroups/%s", name);
    if (k->scope == KIND_SCOPE_PARENT)
        return parent_or_scope_id == NULL
                       ? NULL
                       : xasprintf("%s/%s/%s", parent_or_scope_id, fake_name(k->type), name);
    return xasprintf(FAKE_GROUP "/providers/%s/%s", k->type, name);
}

static bool fake_same_id(const char *a, const char *b)
{
    return str_eq_ci(str_of(a), str_of(b));
}

static const char *fake_state(const json_t *document)
{
    return json_string_value(jsonx_at(document, "properties.provisioningState"));
}

/* ---- the server's side ---- */

static json_t *fake_get(struct fake_cloud *f, const char *id)
{
    AUTO(free) char *key = fake_key(id);

    return json_object_get(f->resources, key);
}

static bool fake_is_marked_secret(const json_t *j)
{
    return json_is_object(j) && json_object_get(j, "$secret") != NULL;
}

static void fake_drop_secrets(json_t *j)
{
    const char *key = NULL;
    json_t *value = NULL;
    void *next = NULL;

    json_object_foreach_safe (j, next, key, value) {
        if (fake_is_marked_secret(value))
            json_object_del(j, key);
        else
            fake_drop_secrets(value);
    }
}

static json_t *fake_document(struct fake_cloud *f, const struct fake_op *op)
{
    json_t *old = fake_get(f, op->id);
    json_t *document = NULL;

    if (strcmp(op->verb, "PATCH") == 0 && old != NULL) {
        document = jsonx_copy(old);
        jsonx_merge_patch(document, op->body);
    } else {
        document = jsonx_copy(op->body);
    }
    AUTO(free) char *value = xasprintf("sv-%s", fake_name(op->id));

    fake_drop_secrets(document);
    json_object_set_new(document, "id", json_string(op->id));
    json_object_set_new(document, "name", json_string(fake_name(op->id)));
    jsonx_set_at(document, "properties.server", json_string(value));
    jsonx_set_at(document, "properties.provisioningState", json_string("Succeeded"));
    return document;
}

/* What was taken in comes about. */
static void fake_finish(struct fake_cloud *f, const char *id)
{
    AUTO(free) char *key = fake_key(id);
    json_t *made = json_object_get(f->under_way, key);

    if (made == NULL)
        return;
    if (json_is_null(made)) {
        const char *other = NULL;
        json_t *value = NULL;
        void *next = NULL;
        AUTO(free) char *below = xasprintf("%s/", key);

        json_object_del(f->resources, key);
        json_object_foreach_safe (f->resources, next, other, value) {
            if (strncmp(other, below, strlen(below)) == 0)
                json_object_del(f->resources, other);
        }
    } else {
        if (json_object_get(f->resources, key) == NULL)
            json_object_set_new(f->created, key, json_integer(jsonx_int(f->created, key, 0) + 1));
        json_object_set(f->resources, key, made);
    }
    json_object_del(f->under_way, key);
}

static long fake_fault(struct fake_cloud *f, const struct fake_op *op, const char *mark)
{
    AUTO(free) char *key = xasprintf("%s %s%s", op->verb, fake_name(op->id), mark);
    const long status = (long)jsonx_int(f->faults, key, 0);

    json_object_del(f->faults, key);
    return status;
}

static void fake_end(struct fake_op *op, struct err *e, json_t *document, bool is_absent)
{
    op->done(op->arg, &(struct cloud_result){
                              .e = e,
                              .document = document,
                              .is_absent = is_absent,
                              .status = e == NULL ? 200 : err_code(e),
                      });
    free(op->id);
    free(op->path);
    json_decref(op->body);
}

static struct err *fake_error(long status)
{
    if (status == 403)
        return err_new(ERR_DENIED, 403, "HTTP 403 AuthorizationFailed");
    if (status == 599)
        return err_new(ERR_NET, 0, "connection reset");
    return err_new(ERR_API, status, "HTTP %ld Fault", status);
}

static bool fake_is_write(const struct fake_op *op)
{
    return strcmp(op->verb, "PUT") == 0 || strcmp(op->verb, "PATCH") == 0
           || strcmp(op->verb, "DELETE") == 0;
}

/* Returns whether the operation goes back into the queue. */
static bool fake_step_write(struct fake_cloud *f, struct fake_op *op)
{
    AUTO(free) char *key = fake_key(op->id);
    const bool is_delete = strcmp(op->verb, "DELETE") == 0;
    long status = 0;

    switch (op->stage) {
    case FAKE_SENT:
        status = fake_fault(f, op, "");
        if (status != 0) {
            fake_end(op, fake_error(status), NULL, false);
            return false;
        }
        json_object_set_new(f->under_way, key, is_delete ? json_null() : fake_document(f, op));
        op->stage = FAKE_TAKEN;
        return true;
    case FAKE_TAKEN: {
        json_auto_t *token = json_pack("{s:s}", "poll", op->id);

        op->accepted(op->arg, token);
        op->stage = FAKE_TOLD;
        return true;
    }
    case FAKE_TOLD:
        status = fake_fault(f, op, "!");
        if (status != 0) {
            json_t *made = json_object_get(f->under_way, key);

            jsonx_set_at(made, "properties.provisioningState", json_string("Failed"));
            fake_finish(f, op->id);
            fake_end(op, err_new(ERR_API, 0, "operation Failed"), NULL, false);
            return false;
        }
        fake_finish(f, op->id);
        fake_end(op, NULL, is_delete ? NULL : fake_get(f, op->id), false);
        return false;
    }
    return false;
}

static json_t *fake_answer(struct fake_cloud *f, const struct fake_op *op)
{
    AUTO(free)
    char *parent =
            str_dup((struct str){ .p = op->id, .len = strlen(op->id) - strlen(op->path) - 1 });
    AUTO(free) char *key = xasprintf("%s %s/%s", op->verb, fake_name(parent), op->path);
    json_t *list = json_object_get(f->answers, key);
    json_t *first = json_array_get(list, 0);

    json_incref(first);
    if (json_array_size(list) > 1)
        json_array_remove(list, 0);
    return first;
}

/* What GET shows: also of a create that was taken in, or a deletion, and is not through. */
static json_t *fake_seen(struct fake_cloud *f, const char *id)
{
    AUTO(free) char *key = fake_key(id);
    json_t *made = json_object_get(f->under_way, key);

    if (fake_get(f, id) != NULL && json_is_null(made)) {
        json_t *going = jsonx_copy(fake_get(f, id));

        jsonx_set_at(going, "properties.provisioningState", json_string("Deleting"));
        return going;
    }
    if (fake_get(f, id) != NULL || made == NULL || json_is_null(made))
        return json_incref(fake_get(f, id));
    json_t *document = jsonx_copy(made);

    jsonx_set_at(document, "properties.provisioningState", json_string("Creating"));
    return document;
}

static void fake_step_other(struct fake_cloud *f, struct fake_op *op)
{
    const long status = fake_fault(f, op, "");

    if (status != 0
            || (f->is_denied && strcmp(op->verb, "RESUME") != 0
                    && strcmp(op->verb, "AWAIT") != 0)) {
        fake_end(op, fake_error(status != 0 ? status : 403), NULL, false);
    } else if (strcmp(op->verb, "RESUME") == 0) {
        fake_finish(f, op->id);
        fake_end(op, NULL, fake_get(f, op->id), fake_get(f, op->id) == NULL);
    } else if (strcmp(op->verb, "AWAIT") == 0) {
        fake_finish(f, op->id);
        fake_end(op, NULL, NULL, true);
    } else if (op->path != NULL) {
        json_auto_t *answer = fake_answer(f, op);

        fake_end(op, answer == NULL ? fake_error(404) : NULL, answer, false);
    } else if (strcmp(op->verb, "LIST") == 0) {
        json_auto_t *members = json_array();
        const char *key = NULL;
        json_t *value = NULL;

        json_object_foreach (f->resources, key, value) {
            AUTO(free) char *collection = fake_collection(NULL, NULL, key);

            if (strcmp(collection, op->id) == 0 && !f->is_list_lagging)
                json_array_append(members, value);
        }
        fake_end(op, NULL, members, false);
    } else {
        json_auto_t *document = fake_seen(f, op->id);

        fake_end(op, NULL, document, document == NULL);
    }
}

static void fake_step(struct fake_cloud *f)
{
    struct fake_op op = f->queue[0];
    unsigned writing = 0;
    unsigned deleting = 0;

    for (size_t i = 0; i < f->queued; i++) {
        writing += fake_is_write(&f->queue[i]);
        deleting += strcmp(f->queue[i].verb, "DELETE") == 0;
    }
    f->deleting_max = deleting > f->deleting_max ? deleting : f->deleting_max;
    f->writing_max = writing > f->writing_max ? writing : f->writing_max;
    memmove(f->queue, f->queue + 1, (--f->queued) * sizeof(f->queue[0]));
    if (!fake_is_write(&op))
        fake_step_other(f, &op);
    else if (fake_step_write(f, &op))
        f->queue[f->queued++] = op;
}

/* http_loop_run's contract. Without anything to do the clock jumps to the deadline. */
static struct err *fake_turn(
        struct fake_cloud *f, bool (*until)(void *), void *arg, int64_t deadline_ms)
{
    while (!until(arg)) {
        if (f->queued == 0) {
            clock_fake(deadline_ms, clock_wall_ms() + 1000);
            return err_new(ERR_TIMEOUT, 0, "deadline");
        }
        if (f->die_after != 0 && f->steps >= f->die_after)
            return err_new(ERR_INTERNAL, 0, "died");
        f->steps++;
        fake_step(f);
    }
    return NULL;
}

/* The process died: what was started is forgotten by it, what was taken in goes on. */
static void fake_die(struct fake_cloud *f)
{
    for (size_t i = 0; i < f->queued; i++) {
        free(f->queue[i].id);
        free(f->queue[i].path);
        json_decref(f->queue[i].body);
    }
    f->queued = 0;
}

static const struct cloud_ops fake_ops = {
    .name = "fake",
    .make_id = fake_make_id,
    .same_id = fake_same_id,
    .read = fake_read,
    .list = fake_list,
    .write = fake_write,
    .remove = fake_remove,
    .act = fake_act,
    .collection = fake_collection,
    .state = fake_state,
};

static void fake_init(struct fake_cloud *f)
{
    *f = (struct fake_cloud){
        .base = { .ops = &fake_ops },
        .resources = json_object(),
        .under_way = json_object(),
        .faults = json_object(),
        .answers = json_object(),
        .created = json_object(),
        .log = BUF_INIT(1u << 20),
    };
}

static void fake_release(struct fake_cloud *f)
{
    fake_die(f);
    json_decref(f->resources);
    json_decref(f->under_way);
    json_decref(f->faults);
    json_decref(f->answers);
    json_decref(f->created);
    buf_release(&f->log);
}

#endif
