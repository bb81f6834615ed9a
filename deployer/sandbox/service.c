#include "sandbox/service.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "sandbox/endpoints.h"
#include "sandbox/leaf.h"
#include "sandbox/netmap.h"
#include "sandbox/process.h"
#include "sandbox/recipe.h"
#include "sandbox/task.h"

#define STEPS_TIME_MS 60000
/* A first start on a busy machine. */
#define READY_TIME_MS 90000
#define READY_PERIOD_MS 150
#define SECRETS_BYTES_MAX (64u << 10)

enum phase {
    PHASE_NONE,    /* nothing stands behind it (`unless`) */
    PHASE_PREPARE, /* once: initdb and the like */
    PHASE_VERSION,
    PHASE_START,
    PHASE_WAIT, /* until it answers */
    PHASE_APPLY,
    PHASE_RUN,
    PHASE_STOP, /* to start again with other settings */
    PHASE_DEAD,
};

struct service {
    const json_t *recipe; /* borrowed from recipes */
    char *dir;
    char *address;
    int port;
    enum phase phase;
    bool is_dirty; /* the document changed since it was applied */
    json_t *scope;
    json_t *own_secrets;
    char *host;
    char *started_with; /* digest of files and arguments */
    char *version;
    char *problem; /* of the last `ready` */
    struct task *task;
    struct process *process;
    int64_t deadline_ms;
    int64_t next_ms;
    uint64_t seen_generation;
};

static const char *recipe_user(const struct service *s)
{
    return jsonx_text(s->recipe, "user");
}

PRINTF_LIKE(3, 4)
static void fail(struct entry *e, struct service *s, const char *fmt, ...)
{
    char what[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    AUTO(free) char *log = file_join(s->dir, "server.log");
    AUTO(free) char *tail = task_log_tail(log);

    process_free(s->process);
    s->process = NULL;
    task_free(s->task);
    s->task = NULL;
    s->phase = PHASE_DEAD;
    backend_set_failed(e, "SandboxServiceFailed", "%s: %s%s%s (%s)",
            jsonx_text(s->recipe, "service"), what, tail[0] == '\0' ? "" : ": ", tail, log);
}

static void fail_err(struct entry *e, struct service *s, struct err *err)
{
    fail(e, s, "%s", err_text(err));
    err_free(err);
}

/* ---- the scope that the recipe's texts refer to ---- */

static struct err *load_secrets(struct service *s)
{
    AUTO(free) char *path = file_join(s->dir, "secrets.json");
    const json_t *name = NULL;
    size_t i = 0;

    if (s->own_secrets != NULL)
        return NULL;
    if (file_exists(path))
        return jsonx_load_file(path, SECRETS_BYTES_MAX, &s->own_secrets);
    s->own_secrets = jsonx_must(json_object());
    json_array_foreach (json_object_get(s->recipe, "secrets"), i, name) {
        AUTO(free)
        char *value =
                digest_random_text("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789", 32);

        json_object_set_new(s->own_secrets, json_string_value(name), json_string(value));
    }
    AUTO(free) char *text = jsonx_dump(s->own_secrets);

    return file_write(path, str_of(text), 0600);
}

static json_t *find_programs(const json_t *scope, const json_t *recipe)
{
    json_t *found = jsonx_must(json_object());
    const char *key = NULL;
    json_t *names = NULL;

    json_object_foreach (json_object_get(recipe, "programs"), key, names) {
        char **list = task_arguments(scope, names, NULL);
        AUTO(free) char *path = process_find_program((const char *const *)list);

        task_free_texts(list);
        json_object_set_new(found, key, jsonx_must(json_string(path == NULL ? "" : path)));
    }
    return found;
}

static json_t *map_values(const json_t *scope, const json_t *recipe)
{
    json_t *values = jsonx_must(json_object());
    const char *key = NULL;
    json_t *rule = NULL;

    json_object_foreach (json_object_get(recipe, "values"), key, rule) {
        AUTO(free) char *text = scope_map(scope, rule);

        json_object_set_new(values, key, jsonx_must(json_string(text)));
    }
    return values;
}

static void set_text(json_t *scope, const char *key, const char *value)
{
    json_object_set_new(scope, key, jsonx_must(json_string(value == NULL ? "" : value)));
}

static void set_path(json_t *scope, const char *key, const char *dir, const char *name)
{
    AUTO(free) char *path = file_join(dir, name);

    set_text(scope, key, path);
}

static void set_environment(struct backend *b, json_t *scope)
{
    json_object_set_new(scope, "env", task_own_environment());
    set_text(scope, "home", secure_getenv("HOME"));
    set_text(scope, "exe_dir", b->exe_dir);
}

static void build_scope(struct backend *b, const struct entry *e, struct service *s)
{
    json_t *scope = jsonx_must(json_object());
    const struct entry *parent = backend_parent(b, e->id, 1);
    AUTO(free) char *announce = endpoints_address_of(b, e->id);

    json_object_set(scope, "doc", e->doc);
    if (parent != NULL)
        json_object_set(scope, "parent", parent->doc);
    set_text(scope, "name", backend_name(e->id));
    set_text(scope, "dir", s->dir);
    set_text(scope, "address", s->address);
    set_text(scope, "announce", announce == NULL ? s->address : announce);
    json_object_set_new(scope, "port", json_integer(s->port));
    set_text(scope, "ca", b->ca_public);
    set_path(scope, "cert", s->dir, "server.crt");
    set_path(scope, "key", s->dir, "server.key");
    json_object_set_new(scope, "keys", backend_keys(e->doc));
    json_object_set(scope, "secret", s->own_secrets);
    set_environment(b, scope);
    json_object_set_new(scope, "program", find_programs(scope, s->recipe));
    json_object_set_new(scope, "value", map_values(scope, s->recipe));
    free(s->host);
    s->host = scope_expand(scope, jsonx_text(s->recipe, "host"));
    set_text(scope, "host", s->host);
    json_decref(s->scope);
    s->scope = scope;
}

/* ---- start ---- */

static struct err *make_folders(struct service *s)
{
    const json_t *name = NULL;
    size_t i = 0;

    TRY(file_make_dir(s->dir, 0700));
    TRY(task_give(s->dir, recipe_user(s)));
    json_array_foreach (json_object_get(s->recipe, "folders"), i, name) {
        AUTO(free) char *path = file_join(s->dir, json_string_value(name));

        TRY(file_make_dir(path, 0700));
        TRY(task_give(path, recipe_user(s)));
    }
    return NULL;
}

static struct err *issue_certificate(struct backend *b, const struct service *s)
{
    char **names = task_arguments(s->scope, json_object_get(s->recipe, "certificate"), NULL);
    const struct leaf_request request = {
        .ca_cert = b->ca_cert,
        .ca_key = b->ca_key,
        .names = (const char *const *)names,
        .cert_path = jsonx_text(s->scope, "cert"),
        .key_path = jsonx_text(s->scope, "key"),
    };
    struct err *e = names[0] == NULL ? NULL : leaf_issue(&request);

    if (e == NULL && names[0] != NULL)
        e = task_give(request.key_path, recipe_user(s));
    task_free_texts(names);
    return e;
}

static json_t *rendered_files(const struct service *s)
{
    json_t *files = jsonx_must(json_object());
    const json_t *file = NULL;
    size_t i = 0;

    json_array_foreach (json_object_get(s->recipe, "files"), i, file) {
        AUTO(free) char *content = scope_expand(s->scope, jsonx_text(file, "content"));

        json_object_set_new(files, jsonx_text(file, "path"), jsonx_must(json_string(content)));
    }
    return files;
}

/* A digest of all that a running server was started with. */
static char *rendering(const struct service *s)
{
    const json_t *start = json_object_get(s->recipe, "start");
    json_auto_t *all = jsonx_must(json_object());
    const json_t *env = json_object_get(start, "env");
    const char *key = NULL;
    json_t *value = NULL;
    char hex[DIGEST_HEX_SIZE];

    json_object_set_new(all, "files", rendered_files(s));
    json_object_set_new(all, "run", scope_expand_list(s->scope, json_object_get(start, "run")));
    json_object_foreach ((json_t *)(uintptr_t)env, key, value) {
        AUTO(free) char *text = scope_expand(s->scope, json_string_value(value));

        json_object_set_new(all, key, jsonx_must(json_string(text)));
    }
    AUTO(free) char *text = jsonx_dump(all);

    digest_sha256_hex(str_of(text), hex);
    return xstrdup(hex);
}

static struct err *write_files(struct service *s)
{
    json_auto_t *files = rendered_files(s);
    const char *path = NULL;
    json_t *content = NULL;

    json_object_foreach (files, path, content) {
        TRY(task_write_file(s->dir, recipe_user(s), path, json_string_value(content)));
    }
    return NULL;
}

static int stop_signal(const json_t *start)
{
    return text_eq(jsonx_text(start, "stop_signal"), "INT") ? SIGINT : SIGTERM;
}

static struct err *start_server(struct backend *b, struct service *s)
{
    const json_t *start = json_object_get(s->recipe, "start");
    AUTO(free) char *log = file_join(s->dir, "server.log");

    AUTO(free) char *old = file_join(s->dir, "server.log.old");

    rename(log, old); /* nothing there is fine: errors are told from this start's log */
    TRY(make_folders(s));
    TRY(issue_certificate(b, s));
    TRY(write_files(s));
    char **argv = task_arguments(s->scope, json_object_get(start, "run"), NULL);
    char **env = task_environment(s->scope, json_object_get(start, "env"), s->dir);
    struct err *e = task_resolve(argv);
    const struct process_spec spec = {
        .argv = (const char *const *)argv,
        .env = (const char *const *)env,
        .cwd = s->dir,
        .log_path = log,
        .user = recipe_user(s),
        .stop_signal = stop_signal(start),
    };

    if (e == NULL)
        e = process_start(b->supervisor, &spec, &s->process);
    task_free_texts(argv);
    task_free_texts(env);
    free(s->started_with);
    s->started_with = rendering(s);
    return e;
}

/* ---- phases ---- */

static struct task *new_task(struct backend *b, const struct service *s, const json_t *steps)
{
    const struct task_spec spec = {
        .steps = steps,
        .commands = json_object_get(s->recipe, "commands"),
        .scope = s->scope,
        .dir = s->dir,
        .user = recipe_user(s),
        .time_ms = STEPS_TIME_MS,
    };

    return task_new(b, &spec);
}

/* Runs the task of a phase, made from `steps` at first; true when it is done. */
static bool run_steps(struct backend *b, struct entry *e, struct service *s, const json_t *steps)
{
    if (s->task == NULL)
        s->task = new_task(b, s, steps);
    const enum task_state state = task_tick(s->task);

    if (state == TASK_RUNNING)
        return false;
    if (state == TASK_FAILED) {
        AUTO(free) char *problem = xstrdup(task_problem(s->task));

        fail(e, s, "%s", problem);
        return false;
    }
    return true;
}

static void end_task(struct service *s, enum phase next)
{
    task_free(s->task);
    s->task = NULL;
    s->phase = next;
}

static void prepare(struct backend *b, struct entry *e, struct service *s)
{
    AUTO(free) char *mark = file_join(s->dir, "prepared");

    if (s->task == NULL) {
        struct err *err = make_folders(s);

        if (err != NULL) {
            fail_err(e, s, err);
            return;
        }
    }
    if (!file_exists(mark)) {
        if (!run_steps(b, e, s, json_object_get(s->recipe, "prepare")))
            return;
        err_ignore(file_write(mark, STR("1\n"), 0600), "then it is prepared again");
    }
    end_task(s, PHASE_VERSION);
}

static void find_version(struct backend *b, struct entry *e, struct service *s)
{
    const json_t *step = json_object_get(s->recipe, "version");
    json_auto_t *steps = jsonx_must(json_array());

    if (s->version == NULL && step != NULL) {
        json_array_append(steps, (json_t *)(uintptr_t)step);
        if (!run_steps(b, e, s, steps))
            return;
        s->version = task_first_version(task_output(s->task));
    }
    end_task(s, PHASE_START);
}

static void start(struct backend *b, struct entry *e, struct service *s)
{
    struct err *err = start_server(b, s);

    if (err != NULL) {
        fail_err(e, s, err);
        return;
    }
    s->phase = PHASE_WAIT;
    s->deadline_ms = clock_now_ms() + READY_TIME_MS;
    s->next_ms = 0;
}

static bool has_died(struct entry *e, struct service *s)
{
    if (process_is_running(s->process))
        return false;
    AUTO(free) char *status = xasprintf("%d", process_exit_status(s->process));

    fail(e, s, "the server ended with status %s", status);
    return true;
}

/* Until it answers a failed attempt is no failure. */
static void wait_ready(struct backend *b, struct entry *e, struct service *s)
{
    if (has_died(e, s))
        return;
    if (s->task == NULL) {
        if (clock_now_ms() < s->next_ms)
            return;
        s->task = new_task(b, s, json_object_get(s->recipe, "ready"));
    }
    const enum task_state state = task_tick(s->task);

    if (state == TASK_RUNNING)
        return;
    if (state == TASK_DONE) {
        end_task(s, PHASE_APPLY);
        return;
    }
    free(s->problem);
    s->problem = xstrdup(task_problem(s->task));
    end_task(s, PHASE_WAIT);
    s->next_ms = clock_now_ms() + READY_PERIOD_MS;
    if (clock_now_ms() >= s->deadline_ms)
        fail(e, s, "does not answer: %s", s->problem);
}

static void apply(struct backend *b, struct entry *e, struct service *s)
{
    if (s->task == NULL)
        s->is_dirty = false;
    if (has_died(e, s) || !run_steps(b, e, s, json_object_get(s->recipe, "apply")))
        return;
    end_task(s, PHASE_RUN);
    if (!s->is_dirty)
        backend_set_ready(e);
}

static void run(struct backend *b, struct entry *e, struct service *s)
{
    if (has_died(e, s))
        return;
    build_scope(b, e, s);
    AUTO(free) char *wanted = rendering(s);

    if (!text_eq(wanted, s->started_with)) {
        process_stop(s->process);
        s->phase = PHASE_STOP;
        backend_set_pending(e);
    } else if (s->is_dirty) {
        s->phase = PHASE_APPLY;
    }
}

static void tick(struct backend *b, struct entry *e)
{
    struct service *s = e->data;

    if (s == NULL)
        return;
    switch (s->phase) {
    case PHASE_PREPARE:
        prepare(b, e, s);
        break;
    case PHASE_VERSION:
        find_version(b, e, s);
        break;
    case PHASE_START:
        build_scope(b, e, s);
        start(b, e, s);
        break;
    case PHASE_WAIT:
        wait_ready(b, e, s);
        break;
    case PHASE_APPLY:
        apply(b, e, s);
        break;
    case PHASE_RUN:
        if (s->is_dirty || b->generation != s->seen_generation)
            run(b, e, s);
        else
            has_died(e, s);
        s->seen_generation = b->generation;
        break;
    case PHASE_STOP:
        if (process_is_running(s->process))
            break;
        process_free(s->process);
        s->process = NULL;
        s->phase = PHASE_START;
        break;
    case PHASE_NONE:
    case PHASE_DEAD:
        break;
    }
}

/* ---- driver ---- */

static struct err *service_new(struct backend *b, const struct entry *e, struct service *s)
{
    s->recipe = recipes_for(b->recipes, e->type);
    s->dir = backend_folder(b, e->id, NULL);
    s->port = (int)jsonx_int(s->recipe, "port", 0);
    TRY(netmap_take(b->netmap, s->port, &s->address));
    TRY(file_make_dir(s->dir, 0700));
    return load_secrets(s);
}

static void put(struct backend *b, struct entry *e)
{
    struct service *s = e->data;
    struct err *err = NULL;

    backend_set_ready(e);
    if (!b->has_services)
        return;
    if (s == NULL) {
        json_auto_t *scope = jsonx_must(json_pack("{s:O}", "doc", e->doc));
        const json_t *unless = json_object_get(recipes_for(b->recipes, e->type), "unless");

        if (unless != NULL && scope_holds(scope, unless))
            return;
        e->data = s = xcalloc(1, sizeof(*s));
        err = service_new(b, e, s);
    }
    backend_set_pending(e);
    s->is_dirty = true;
    if (err != NULL) {
        fail_err(e, s, err);
        return;
    }
    if (s->phase == PHASE_NONE || s->phase == PHASE_DEAD) {
        s->phase = PHASE_PREPARE;
        build_scope(b, e, s);
    }
}

static void removed(struct backend *b, struct entry *e)
{
    struct service *s = e->data;

    if (s == NULL)
        return;
    backend_bury(b, s->dir, TAKE(s->process));
    netmap_give_back(b->netmap, s->address);
}

static void release(struct entry *e)
{
    struct service *s = e->data;

    if (s == NULL)
        return;
    task_free(s->task);
    process_free(s->process);
    json_decref(s->scope);
    json_decref(s->own_secrets);
    free(s->dir);
    free(s->address);
    free(s->host);
    free(s->started_with);
    free(s->version);
    free(s->problem);
    free(s);
}

static void report(struct backend *b, struct entry *e, json_t *list)
{
    const struct service *s = e->data;
    static const char *const words[] = { "", "preparing", "preparing", "starting", "starting",
        "starting", "running", "stopping", "failed" };

    if (s == NULL)
        return;
    json_t *row = jsonx_must(json_pack("{s:s, s:s, s:s, s:o, s:s}", "resource", e->id, "service",
            jsonx_text(s->recipe, "service"), "state", words[s->phase], "listens",
            jsonx_textf("%s:%d", s->address, s->port), "folder", s->dir));

    if (process_is_running(s->process))
        json_object_set_new(row, "pid", json_integer(process_pid(s->process)));
    if (s->version != NULL)
        json_object_set_new(row, "served_version", jsonx_textf("%s", s->version));
    endpoints_describe(b, e->id, row);
    json_array_append_new(list, row);
}

const struct driver driver_service = {
    .put = put,
    .remove = removed,
    .release = release,
    .tick = tick,
    .report = report,
};

bool service_own_endpoint(const struct entry *e, struct service_endpoint *ret)
{
    if (e->driver != &driver_service || e->data == NULL)
        return false;
    const struct service *s = e->data;
    const json_t *ports = json_object_get(s->recipe, "endpoints");
    const char *group = json_object_iter_key(json_object_iter((json_t *)(uintptr_t)ports));

    if (s->address == NULL || s->phase == PHASE_DEAD || group == NULL)
        return false;
    *ret = (struct service_endpoint){ .address = s->address,
        .port = s->port,
        .public_port = (int)jsonx_int(ports, group, s->port),
        .host = s->host };
    return true;
}

bool service_find_endpoint(
        struct backend *b, const char *id, const char *group, struct service_endpoint *ret)
{
    for (const struct entry *e = b->entries; e != NULL; e = e->next) {
        if (!backend_is_below(e->id, id) || !service_own_endpoint(e, ret))
            continue;
        const struct service *s = e->data;

        if (jsonx_get_ci(json_object_get(s->recipe, "endpoints"), group) != NULL)
            return true;
    }
    return false;
}

/* ---- children: databases, containers ---- */

struct child {
    struct task *task;
    bool is_due;
};

static struct entry *service_above(struct backend *b, const char *id)
{
    for (int levels = 1; levels <= 3; levels++) {
        struct entry *e = backend_parent(b, id, levels);

        if (e != NULL && e->driver == &driver_service)
            return e;
    }
    return NULL;
}

static struct task *child_task(struct backend *b, const struct entry *e, const char *what)
{
    const struct entry *above = service_above(b, e->id);

    if (above == NULL || above->data == NULL)
        return NULL;
    const struct service *s = above->data;
    json_auto_t *scope = jsonx_copy(s->scope);

    json_object_set(scope, "child", e->doc);
    set_text(scope, "child_name", backend_name(e->id));
    AUTO(free) char *dir = file_join(s->dir, backend_name(e->id));
    const struct task_spec spec = {
        .steps = json_object_get(recipes_child(b->recipes, e->type), what),
        .commands = json_object_get(s->recipe, "commands"),
        .scope = scope,
        .dir = s->dir,
        .user = recipe_user(s),
        .time_ms = STEPS_TIME_MS,
    };

    return task_new(b, &spec);
}

static bool is_up(const struct entry *above)
{
    const struct service *s = above->data;

    return s != NULL && s->phase == PHASE_RUN;
}

static void child_put(struct backend *b, struct entry *e)
{
    struct child *c = e->data;

    backend_set_ready(e);
    if (!b->has_services)
        return;
    if (c == NULL)
        e->data = c = xcalloc(1, sizeof(*c));
    c->is_due = true;
    backend_set_pending(e);
}

static void child_tick(struct backend *b, struct entry *e)
{
    struct child *c = e->data;
    const struct entry *above = service_above(b, e->id);

    if (c == NULL || !c->is_due)
        return;
    if (above != NULL && above->data == NULL) { /* nothing stands behind the service itself */
        c->is_due = false;
        backend_set_ready(e);
        return;
    }
    if (above != NULL && above->state == BACKEND_FAILED) {
        c->is_due = false;
        backend_set_failed(e, "SandboxServiceFailed", "%s", jsonx_text(above->error, "message"));
        return;
    }
    if (c->task == NULL && (above == NULL || !is_up(above)))
        return;
    if (c->task == NULL)
        c->task = child_task(b, e, "create");
    const enum task_state state = task_tick(c->task);

    if (state == TASK_RUNNING)
        return;
    if (state == TASK_DONE)
        backend_set_ready(e);
    else
        backend_set_failed(e, "SandboxServiceFailed", "%s", task_problem(c->task));
    task_free(c->task);
    c->task = NULL;
    c->is_due = false;
}

static void child_removed(struct backend *b, struct entry *e)
{
    const struct entry *above = service_above(b, e->id);

    if (e->data != NULL && above != NULL && is_up(above))
        backend_finish_later(b, child_task(b, e, "remove"));
}

static void child_release(struct entry *e)
{
    struct child *c = e->data;

    if (c != NULL)
        task_free(c->task);
    free(c);
}

const struct driver driver_service_child = {
    .put = child_put,
    .remove = child_removed,
    .release = child_release,
    .tick = child_tick,
};
