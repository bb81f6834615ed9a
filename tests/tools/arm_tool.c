/*
 * arm_tool SCRIPT - drives cloud/arm for the integration tests: reads a JSON script of operations,
 * runs them side by side ("serial": one after the other; "workers": N at a time), prints what each
 * came to as JSON.
 *   {"options": {...}, "http": {"ca", "resolver", "map"}, "serial": false, "sandbox": DIR,
 *    "ops": [{"op": "read|list|write|remove|act|token|send|register", "kind": {...}, "id", ...}]}
 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/cancel.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "cloud/arm/arm.h"

struct op {
    struct run *run;
    const json_t *script;
    struct kind *kind;
    struct secret_table secrets;
    json_t *result;
    json_t *progress;
    bool is_done;
};

struct run {
    struct cloud *cloud;
    struct op *ops;
    size_t count;
    size_t done;
    size_t next; /* to be started when one is done; 0: all are started at once */
    int64_t deadline_ms;
    json_t *requests;
};

static const char *or_null(const json_t *j, const char *key)
{
    return jsonx_text(j, key);
}

static double number(const json_t *j, const char *key)
{
    return json_number_value(json_object_get(j, key));
}

static struct kind *read_kind(struct arena *arena, const json_t *j)
{
    static const char *const scopes[] = { "subscription", "group", "parent", "extension" };
    struct kind *k = arena_alloc(arena, sizeof(*k));

    *k = (struct kind){ .name = "test",
        .title = "test",
        .type = or_null(j, "type"),
        .api_version = or_null(j, "api_version"),
        .list_path = or_null(j, "list"),
        .is_group = jsonx_bool(j, "group", false),
        .create_min = number(j, "create_min"),
        .update_min = number(j, "update_min"),
        .delete_min = number(j, "delete_min"),
        .conflicts = json_object_get(j, "conflicts"),
        .serial = json_object_get(j, "serial"),
        .scope = KIND_SCOPE_GROUP };
    if (k->api_version == NULL)
        k->api_version = "2025-01-01";
    if (k->type == NULL)
        k->type = "Microsoft.Test/things";
    for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
        if (text_eq(scopes[i], or_null(j, "scope")))
            k->scope = (enum kind_scope)i;
    }
    return k;
}

static void set_error(json_t *result, struct err *e)
{
    if (e == NULL)
        return;
    json_object_set_new(result, "error",
            json_pack("{s:s, s:I, s:s, s:s, s:s, s:s}", "kind", err_kind_name(err_kind(e)), "code",
                    (json_int_t)err_code(e), "text", err_text(e), "hint", err_hint(e), "api_code",
                    err_api_code(e), "request_id", err_request_id(e)));
    err_free(e);
}

static void start(struct op *op);

static void end(struct op *op)
{
    struct run *run = op->run;

    op->is_done = true;
    run->done++;
    if (run->next > 0 && run->next < run->count)
        start(&run->ops[run->next++]);
}

static void on_done(void *arg, const struct cloud_result *r)
{
    struct op *op = arg;

    set_error(op->result, r->e);
    json_object_set_new(op->result, "status", json_integer(r->status));
    json_object_set_new(op->result, "is_absent", json_boolean(r->is_absent));
    json_object_set_new(op->result, "requests", json_integer(r->requests));
    json_object_set_new(op->result, "elapsed_ms", json_integer(r->elapsed_ms));
    if (r->document != NULL)
        json_object_set_new(op->result, "document", jsonx_copy(r->document));
    end(op);
}

static void on_progress(void *arg, const char *what)
{
    json_array_append_new(((struct op *)arg)->progress, json_string(what));
}

static void on_accepted(void *arg, const json_t *token)
{
    json_object_set_new(((struct op *)arg)->result, "token", jsonx_copy(token));
}

static void on_token(void *arg, struct secret *token, struct err *e)
{
    struct op *op = arg;
    const struct auth_identity *who = arm_identity(op->run->cloud);

    set_error(op->result, e);
    if (token != NULL) {
        json_object_set_new(op->result, "token_bytes", json_integer((json_int_t)secret_len(token)));
        json_object_set_new(op->result, "who",
                json_pack("{s:s?, s:s?, s:s?, s:s?}", "method", who->method, "tenant", who->tenant,
                        "object_id", who->object_id, "client_id", who->client_id));
    }
    end(op);
}

/* "secrets": {"N": "value"} stands for entry N of the table. */
static void fill_secrets(struct op *op)
{
    size_t i = 0;
    const json_t *value = NULL;

    json_array_foreach (json_object_get(op->script, "secrets"), i, value) {
        GROW(op->secrets.entries, op->secrets.count, op->secrets.capacity);
        op->secrets.entries[op->secrets.count++] =
                (struct secret_entry){ .value = secret_new(str_of(json_string_value(value))),
                    .refs = json_array() };
    }
}

static void start_write(struct op *op, int64_t deadline_ms)
{
    const json_t *s = op->script;

    fill_secrets(op);
    op->run->cloud->ops->write(
            op->run->cloud, &(struct cloud_write){ .kind = op->kind,
                                    .id = or_null(s, "id"),
                                    .body = json_object_get(s, "body"),
                                    .secrets = &op->secrets,
                                    .is_create = jsonx_bool(s, "is_create", true),
                                    .is_patch = jsonx_bool(s, "is_patch", false),
                                    .if_match = or_null(s, "if_match"),
                                    .resume = json_object_get(s, "resume"),
                                    .deadline_ms = deadline_ms,
                                    .progress = on_progress,
                                    .accepted = on_accepted,
                                    .done = on_done,
                                    .arg = op });
}

static void start(struct op *op)
{
    const json_t *s = op->script;
    struct cloud *c = op->run->cloud;
    const char *name = or_null(s, "op");
    const char *id = or_null(s, "id");
    const int64_t deadline = clock_now_ms() + jsonx_int(s, "time_ms", 30000);

    if (text_eq(name, "read"))
        c->ops->read(c, op->kind, id, deadline, on_done, op);
    else if (text_eq(name, "list"))
        c->ops->list(c, op->kind, id, deadline, on_done, op);
    else if (text_eq(name, "write"))
        start_write(op, deadline);
    else if (text_eq(name, "remove"))
        c->ops->remove(
                c, op->kind, id, json_object_get(s, "resume"), deadline, on_accepted, on_done, op);
    else if (text_eq(name, "act"))
        c->ops->act(c, op->kind, id, or_null(s, "method"), or_null(s, "path"),
                json_object_get(s, "body"), deadline, on_done, op);
    else if (text_eq(name, "token"))
        arm_token(c, or_null(s, "scope"), deadline, on_token, op);
    else if (text_eq(name, "register"))
        arm_register(c, or_null(s, "namespace"), deadline, on_done, op);
    else
        arm_send(c, &(struct arm_request){ .method = or_null(s, "method"),
                            .path = or_null(s, "path"),
                            .body = json_object_get(s, "body"),
                            .deadline_ms = deadline,
                            .done = on_done,
                            .arg = op });
}

static bool all_done(void *arg)
{
    const struct run *run = arg;

    return run->done == run->count;
}

static bool one_done(void *arg)
{
    return ((const struct op *)arg)->is_done;
}

static void on_request(void *arg, const struct http_record *r)
{
    json_array_append_new(((struct run *)arg)->requests,
            json_pack("{s:s, s:s, s:I, s:b}", "method", r->method, "url", r->url, "status",
                    (json_int_t)r->status, "new", r->is_new_connection));
}

static struct err *run_ops(
        struct run *run, struct arena *arena, struct http_loop *loop, const json_t *script)
{
    const json_t *ops = json_object_get(script, "ops");

    run->count = json_array_size(ops);
    run->ops = arena_alloc(arena, run->count * sizeof(*run->ops) + 1);
    for (size_t i = 0; i < run->count; i++) {
        struct op *op = &run->ops[i];

        op->run = run;
        op->script = json_array_get(ops, i);
        op->kind = read_kind(arena, json_object_get(op->script, "kind"));
        op->result = json_object();
        op->progress = json_array();
        json_object_set_new(op->result, "progress", op->progress);
    }
    const size_t workers = (size_t)jsonx_int(script, "workers", 0);

    run->next = workers;
    for (size_t i = 0; i < (workers > 0 && workers < run->count ? workers : run->count); i++) {
        start(&run->ops[i]);
        if (jsonx_bool(script, "serial", false))
            TRY(http_loop_run(loop, one_done, &run->ops[i], run->deadline_ms));
    }
    return http_loop_run(loop, all_done, run, run->deadline_ms);
}

static void print(const struct run *run, int64_t elapsed_ms)
{
    json_t *results = json_array();

    for (size_t i = 0; i < run->count; i++) {
        json_array_append_new(results, run->ops[i].result);
        secret_table_release(&run->ops[i].secrets);
    }
    json_auto_t *all = json_pack("{s:o, s:o, s:I}", "results", results, "requests", run->requests,
            "elapsed_ms", (json_int_t)elapsed_ms);
    AUTO(free) char *text = jsonx_pretty(all);

    fputs(text, stdout);
}

static struct err *options_of(
        struct arena *arena, const json_t *script, struct arm_options *o, struct http_options *h)
{
    const json_t *j = json_object_get(script, "options");
    const json_t *http = json_object_get(script, "http");
    const char *sandbox = or_null(script, "sandbox");

    *o = (struct arm_options){ .endpoint = or_null(j, "endpoint"),
        .authority = or_null(j, "authority"),
        .audience = or_null(j, "audience"),
        .tenant = or_null(j, "tenant"),
        .subscription = or_null(j, "subscription"),
        .resource_group = or_null(j, "group"),
        .auth = or_null(j, "auth"),
        .time_scale = number(j, "time_scale"),
        .pace_scale = number(j, "pace_scale") };
    *h = (struct http_options){ .ca_file = or_null(http, "ca"),
        .dial = { .resolver = or_null(http, "resolver") } };
    if (or_null(http, "map") != NULL) {
        struct address_map *map = arena_alloc(arena, sizeof(*map));

        TRY(address_map_parse(map, str_of(or_null(http, "map"))));
        h->dial.map = map;
    }
    return sandbox == NULL ? NULL : arm_sandbox_options(arena, sandbox, o, h);
}

static struct err *go(struct arena *arena, const char *path)
{
    json_auto_t *script = NULL;
    struct arm_options o;
    struct http_options h;
    struct http_loop *loop = NULL;
    struct run run = { .requests = json_array() };
    const int64_t started = clock_now_ms();

    TRY(jsonx_load_file(path, 16u << 20, &script));
    if (jsonx_bool(script, "log", false))
        log_setup(LOG_LEVEL_TRACE, LOG_FORMAT_TEXT);
    TRY(options_of(arena, script, &o, &h));
    TRY(http_loop_new(&h, &loop));
    http_loop_set_hook(loop, on_request, &run);
    struct err *e = arm_new(loop, &o, &run.cloud);

    run.deadline_ms = clock_now_ms() + jsonx_int(script, "time_ms", 60000);
    if (e == NULL)
        e = run_ops(&run, arena, loop, script);
    print(&run, clock_now_ms() - started);
    arm_free(run.cloud);
    http_loop_free(loop);
    return e;
}

int main(int argc, char **argv)
{
    struct arena *arena = arena_new();

    cancel_install();
    struct err *e = argc == 2 ? go(arena, argv[1]) : err_new(ERR_USAGE, 0, "arm_tool SCRIPT");
    const int status = e == NULL ? 0 : err_exit_status(e);

    if (e != NULL)
        fprintf(stderr, "arm_tool: %s\n", err_text(e));
    err_free(e);
    arena_free(arena);
    return status;
}
