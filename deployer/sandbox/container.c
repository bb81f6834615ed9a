#include "sandbox/container.h"

#include <regex.h>
#include <stdarg.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "sandbox/dns.h"
#include "sandbox/health.h"
#include "sandbox/netmap.h"
#include "sandbox/process.h"
#include "sandbox/recipe.h"
#include "sandbox/task.h"
#include "sandbox/volume.h"

/* Container Apps waits 10 s, 20 s, ... 5 min; here nobody wants to. */
#define PAUSE_MS 500
#define PAUSE_MAX_MS 8000
#define STEADY_MS 60000
#define FAILING_AFTER 3
#define VERSION_TIME_MS 10000

struct container {
    struct backend *b;
    json_t *document;
    const json_t *image; /* the mapping; borrowed from recipes */
    json_t *scope;
    char *name, *root, *log, *address;
    json_t *env;
    bool runs_once, is_stopping;
    int default_port;
    enum container_state state;
    struct process *process;
    struct health *health;
    struct task *version_task;
    char *version;
    int restarts, exit_status;
    bool was_killed; /* by its probes */
    int64_t start_at_ms, started_ms;
    char *reason, *detail;
};

static void explain(struct container *c, const char *reason, const char *fmt, ...)
        PRINTF_LIKE(3, 4);

static void explain(struct container *c, const char *reason, const char *fmt, ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    free(c->reason);
    free(c->detail);
    c->reason = xstrdup(reason);
    c->detail = xstrdup(text);
}

static void clear_explanation(struct container *c)
{
    free(c->reason);
    free(c->detail);
    c->reason = c->detail = NULL;
}

static bool matches(const char *pattern, const char *text)
{
    regex_t re;

    if (pattern == NULL || regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    const bool does = regexec(&re, text, 0, NULL, 0) == 0;

    regfree(&re);
    return does;
}

static const json_t *find_image(const struct backend *b, const char *image)
{
    const json_t *entry = NULL;
    size_t i = 0;

    json_array_foreach (recipes_images(b->recipes), i, entry) {
        if (image != NULL && matches(jsonx_text(entry, "match"), image))
            return entry;
    }
    return NULL;
}

const char *container_user(struct backend *b, const json_t *document)
{
    return jsonx_text(find_image(b, jsonx_text(document, "image")), "user");
}

/* ---- scope and environment ---- */

static void set_text(json_t *o, const char *key, const char *value)
{
    json_object_set_new(o, key, jsonx_must(json_string(value == NULL ? "" : value)));
}

static json_t *own_environment(const struct container *c, const json_t *secrets)
{
    json_t *env = jsonx_must(json_object());
    const json_t *item = NULL;
    size_t i = 0;

    json_array_foreach (json_object_get(c->document, "env"), i, item) {
        const char *name = jsonx_text(item, "name");
        const char *ref = jsonx_text(item, "secretRef");
        const char *value = ref != NULL && ref[0] != '\0' ? jsonx_text(secrets, ref)
                                                          : jsonx_text(item, "value");

        if (name != NULL)
            set_text(env, name, value);
    }
    return env;
}

static char *joined(const json_t *list)
{
    AUTO(buf) struct buf out = BUF_INIT(BUF_TEXT_MAX);

    for (size_t i = 0; i < json_array_size(list); i++)
        buf_addf(&out, "%s%s", i == 0 ? "" : " ", json_string_value(json_array_get(list, i)));
    return out.p == NULL ? xstrdup("") : buf_take(&out);
}

static void build_scope(struct container *c, const json_t *secrets)
{
    json_t *programs = jsonx_must(json_object());
    const char *key = NULL;
    json_t *names = NULL;
    AUTO(free) char *command = joined(json_object_get(c->document, "command"));
    AUTO(free) char *args = joined(json_object_get(c->document, "args"));

    c->env = own_environment(c, secrets);
    c->scope = jsonx_must(json_object());
    set_text(c->scope, "root", c->root);
    set_text(c->scope, "address", c->address);
    set_text(c->scope, "name", c->name);
    set_text(c->scope, "image", jsonx_text(c->document, "image"));
    set_text(c->scope, "command", command);
    set_text(c->scope, "args", args);
    set_text(c->scope, "ca", c->b->ca_public);
    set_text(c->scope, "exe_dir", c->b->exe_dir);
    set_text(c->scope, "home", secure_getenv("HOME"));
    json_object_set(c->scope, "container_env", c->env);
    json_object_set_new(c->scope, "env", task_own_environment());
    json_object_foreach (json_object_get(c->image, "programs"), key, names) {
        char **list = task_arguments(c->scope, names, NULL);
        AUTO(free) char *path = process_find_program((const char *const *)list);

        task_free_texts(list);
        set_text(programs, key, path);
    }
    json_object_set_new(c->scope, "program", programs);
}

/* The container's variables, the sandbox's own, then what the mapping says. */
static json_t *full_environment(const struct container *c)
{
    json_t *env = jsonx_must(json_object());
    const char *key = NULL;
    json_t *value = NULL;

    set_text(env, "SANDBOX_DNS", dns_address(c->b->dns));
    set_text(env, "SANDBOX_ADDRESS_MAP", netmap_rules(c->b->netmap));
    set_text(env, "SANDBOX_CA", c->b->ca_public);
    set_text(env, "SANDBOX_ADDRESS", c->address);
    set_text(env, "SANDBOX_CONTAINER", c->name);
    json_object_foreach (c->env, key, value) {
        /* The process needs its own machine's programs and a home that is there. */
        if (!text_eq(key, "PATH") && !text_eq(key, "HOME"))
            json_object_set(env, key, value);
    }
    json_object_foreach (json_object_get(c->image, "env"), key, value) {
        AUTO(free) char *text = scope_expand(c->scope, json_string_value(value));

        set_text(env, key, text);
    }
    return env;
}

/* Already expanded: a variable of the container may hold "${" of its own. */
static char **environment_texts(const struct container *c)
{
    json_auto_t *env = full_environment(c);
    char **base = task_environment(NULL, NULL, c->root);
    char **texts = xcalloc(json_object_size(env) + 8, sizeof(*texts));
    const char *key = NULL;
    json_t *value = NULL;
    size_t n = 0;

    for (size_t i = 0; base[i] != NULL; i++) {
        struct str rest = str_of(base[i]);
        AUTO(free) char *name = str_dup(str_cut(&rest, '='));

        if (json_object_get(env, name) == NULL)
            texts[n++] = xstrdup(base[i]);
    }
    task_free_texts(base);
    json_object_foreach (env, key, value) {
        texts[n++] = xasprintf("%s=%s", key, json_string_value(value));
    }
    return texts;
}

/* ---- files ---- */

static struct err *write_files(struct container *c)
{
    const char *user = jsonx_text(c->image, "user");
    const json_t *item = NULL;
    size_t i = 0;

    TRY(file_make_dir(c->root, 0711));
    TRY(task_give(c->root, user));
    json_array_foreach (json_object_get(c->image, "folders"), i, item) {
        AUTO(free) char *path = file_join(c->root, json_string_value(item));

        TRY(file_make_dir(path, 0755));
        TRY(task_give(path, user));
    }
    json_array_foreach (json_object_get(c->image, "files"), i, item) {
        AUTO(free) char *content = scope_expand(c->scope, jsonx_text(item, "content"));

        if (scope_holds(c->scope, json_object_get(item, "when")))
            TRY(task_write_file(c->root, user, jsonx_text(item, "path"), content));
    }
    return NULL;
}

/* The image's command owns what it is to write: a mounted share's top folder too. */
static struct err *give_mounts(struct container *c)
{
    const char *user = jsonx_text(c->image, "user");
    const json_t *item = NULL;
    size_t i = 0;

    json_array_foreach (json_object_get(c->image, "owns"), i, item) {
        AUTO(free) char *path = xasprintf("%s%s/.", c->root, json_string_value(item));

        if (file_is_dir(path))
            TRY(task_give(path, user));
    }
    return NULL;
}

/* ---- life ---- */

static struct err *start_process(struct container *c)
{
    const json_t *more = jsonx_bool(c->image, "append_args", false)
                                 ? json_object_get(c->document, "args")
                                 : NULL;
    char **argv = task_arguments(c->scope, json_object_get(c->image, "run"), more);
    char **env = environment_texts(c);
    struct err *e = task_resolve(argv);
    const struct process_spec spec = {
        .argv = (const char *const *)argv,
        .env = (const char *const *)env,
        .cwd = c->root,
        .log_path = c->log,
        .user = jsonx_text(c->image, "user"),
        .kill_after_ms = 10000,
    };

    if (e == NULL)
        e = process_start(c->b->supervisor, &spec, &c->process);
    task_free_texts(argv);
    task_free_texts(env);
    return e;
}

static void start_version(struct container *c)
{
    const json_t *step = json_object_get(c->image, "version");
    json_auto_t *steps = jsonx_must(json_array());
    const struct task_spec spec = { .steps = steps,
        .scope = c->scope,
        .dir = c->root,
        .user = jsonx_text(c->image, "user"),
        .time_ms = VERSION_TIME_MS };

    if (step == NULL || c->version != NULL || c->version_task != NULL)
        return;
    json_array_append(steps, (json_t *)(uintptr_t)step);
    c->version_task = task_new(c->b, &spec);
}

static void tick_version(struct container *c)
{
    if (c->version_task == NULL || task_tick(c->version_task) == TASK_RUNNING)
        return;
    c->version = task_first_version(task_output(c->version_task));
    task_free(c->version_task);
    c->version_task = NULL;
}

static void start(struct container *c, int64_t now_ms)
{
    struct err *e = start_process(c);

    if (e != NULL) {
        c->state = CONTAINER_INVALID;
        explain(c, "ContainerCreateFailed", "container '%s': %s", c->name, err_text(e));
        err_free(e);
        return;
    }
    c->was_killed = false;
    c->started_ms = now_ms;
    c->state = CONTAINER_RUNNING;
    c->health = health_new(c->b->multi, json_object_get(c->document, "probes"), c->address,
            c->runs_once ? 0 : c->default_port);
    start_version(c);
}

static void plan_restart(struct container *c, int64_t now_ms)
{
    int64_t pause_ms = PAUSE_MS;

    if (now_ms - c->started_ms > STEADY_MS)
        c->restarts = 0;
    for (int i = 0; i < c->restarts && pause_ms < PAUSE_MAX_MS; i++)
        pause_ms *= 2;
    c->restarts++;
    c->start_at_ms = now_ms + pause_ms;
    c->state = CONTAINER_WAITING;
}

/* In Container Apps' own words. */
static void explain_exit(struct container *c, const char *reason)
{
    explain(c, reason, "container '%s' was terminated with exit code '%d'", c->name,
            c->exit_status);
}

static void end(struct container *c, int64_t now_ms)
{
    c->exit_status = process_exit_status(c->process);
    process_free(c->process);
    c->process = NULL;
    health_free(c->health);
    c->health = NULL;
    if (c->runs_once || c->is_stopping) {
        c->state = CONTAINER_ENDED;
        if (c->exit_status != 0)
            explain_exit(c, "ContainerExited");
        return;
    }
    plan_restart(c, now_ms);
    if (!c->was_killed)
        explain_exit(c, "CrashLoopBackOff");
}

static void judge(struct container *c, int64_t now_ms)
{
    switch (health_tick(c->health, now_ms)) {
    case HEALTH_WAITING:
        c->state = CONTAINER_RUNNING;
        break;
    case HEALTH_READY:
        c->state = CONTAINER_READY;
        clear_explanation(c);
        break;
    case HEALTH_UNREADY:
        c->state = CONTAINER_RUNNING;
        explain(c, "ProbeFailed", "container '%s': %s", c->name, health_problem(c->health));
        break;
    case HEALTH_DEAD:
        c->state = CONTAINER_RUNNING;
        if (!c->was_killed)
            explain(c, "ProbeFailed", "container '%s': %s; it is restarted", c->name,
                    health_problem(c->health));
        c->was_killed = true;
        process_stop(c->process);
        break;
    }
}

void container_tick(struct container *c, int64_t now_ms)
{
    tick_version(c);
    if (c->process == NULL) {
        if (c->state == CONTAINER_WAITING && !c->is_stopping && now_ms >= c->start_at_ms)
            start(c, now_ms);
        return;
    }
    if (!process_is_running(c->process))
        end(c, now_ms);
    else if (!c->is_stopping && !c->was_killed && !c->runs_once)
        judge(c, now_ms);
}

void container_stop(struct container *c)
{
    c->is_stopping = true;
    process_stop(c->process);
}

bool container_is_running(const struct container *c)
{
    return c->process != NULL;
}

static struct err *set_up(struct container *c, const struct volume_request *volumes)
{
    TRY(write_files(c));
    TRY(volume_mount(volumes, c->document, c->root, jsonx_bool(c->image, "translate", false)));
    return give_mounts(c);
}

struct container *container_new(
        struct backend *b, const struct container_spec *spec, const struct volume_request *volumes)
{
    struct container *c = xcalloc(1, sizeof(*c));
    const char *image = jsonx_text(spec->document, "image");
    const char *name = jsonx_text(spec->document, "name");

    c->b = b;
    c->document = jsonx_copy(spec->document);
    c->name = xstrdup(name == NULL ? "container" : name);
    c->address = xstrdup(spec->address);
    c->root = xasprintf("%s/%s", spec->dir, c->name);
    c->log = xasprintf("%s/%s.log", spec->dir, c->name);
    c->runs_once = spec->runs_once;
    c->default_port = spec->default_port;
    c->image = find_image(b, image);
    if (c->image == NULL) {
        c->state = CONTAINER_INVALID;
        explain(c, "ImageNotMapped",
                "no local command stands for the image '%s' (deployer-sandbox --images FILE)",
                image == NULL ? "" : image);
        return c;
    }
    build_scope(c, volumes->secrets);
    struct err *e = set_up(c, volumes);

    if (e != NULL) {
        c->state = CONTAINER_INVALID;
        explain(c, "VolumeMountFailed", "container '%s': %s", c->name, err_text(e));
        err_free(e);
    }
    return c;
}

void container_free(struct container *c)
{
    if (c == NULL)
        return;
    process_free(c->process);
    health_free(c->health);
    task_free(c->version_task);
    json_decref(c->document);
    json_decref(c->scope);
    json_decref(c->env);
    free(c->name);
    free(c->root);
    free(c->log);
    free(c->address);
    free(c->version);
    free(c->reason);
    free(c->detail);
    free(c);
}

/* ---- what others see ---- */

enum container_state container_state(const struct container *c)
{
    return c->state;
}

int container_exit_status(const struct container *c)
{
    return c->exit_status;
}

int container_restarts(const struct container *c)
{
    return c->restarts;
}

bool container_is_failing(const struct container *c)
{
    return c->restarts >= FAILING_AFTER
           || (c->state == CONTAINER_RUNNING && text_eq(c->reason, "ProbeFailed"));
}

const char *container_reason(const struct container *c)
{
    return c->reason == NULL ? "" : c->reason;
}

const char *container_detail(const struct container *c)
{
    return c->detail == NULL ? "" : c->detail;
}

const char *container_log(const struct container *c)
{
    return c->image == NULL ? NULL : c->log;
}

json_t *container_json(const struct container *c)
{
    static const char *const words[] = { "Waiting", "Running", "Running", "Terminated", "Waiting" };
    json_t *j = jsonx_must(json_pack("{s:s, s:b, s:b, s:i, s:s}", "name", c->name, "ready",
            c->state == CONTAINER_READY, "started", c->process != NULL, "restartCount", c->restarts,
            "runningState", words[c->state]));

    if (c->reason != NULL)
        json_object_set_new(j, "runningStateDetails", jsonx_textf("%s: %s", c->reason, c->detail));
    return j;
}

json_t *container_report(const struct container *c)
{
    static const char *const words[] = { "waiting", "starting", "running", "ended", "not running" };
    const char *image = jsonx_text(c->document, "image");
    json_t *row = jsonx_must(json_pack("{s:s, s:s, s:s, s:s}", "service", c->name, "image",
            image == NULL ? "" : image, "state", words[c->state], "folder", c->root));

    if (c->process != NULL)
        json_object_set_new(row, "pid", json_integer(process_pid(c->process)));
    if (c->address != NULL)
        json_object_set_new(row, "listens", jsonx_textf("%s", c->address));
    if (c->version != NULL)
        json_object_set_new(row, "served_version", jsonx_textf("%s", c->version));
    if (c->reason != NULL)
        json_object_set_new(row, "reason", jsonx_textf("%s", c->reason));
    return row;
}
