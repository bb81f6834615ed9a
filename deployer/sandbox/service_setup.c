#include "sandbox/service_core.h"

#include <errno.h>
#include <signal.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "sandbox/endpoints.h"
#include "sandbox/leaf.h"
#include "sandbox/process.h"
#include "sandbox/recipe.h"
#include "sandbox/task.h"

#define SECRETS_BYTES_MAX (64u << 10)

const char *service_user(const struct service *s)
{
    return jsonx_text(s->recipe, "user");
}

/* ---- the scope that the recipe's texts refer to ---- */

struct err *service_load_secrets(struct service *s)
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

void service_set_text(json_t *scope, const char *key, const char *value)
{
    json_object_set_new(scope, key, jsonx_must(json_string(value == NULL ? "" : value)));
}

static void set_path(json_t *scope, const char *key, const char *dir, const char *name)
{
    AUTO(free) char *path = file_join(dir, name);

    service_set_text(scope, key, path);
}

static void set_environment(struct backend *b, json_t *scope)
{
    json_object_set_new(scope, "env", task_own_environment());
    service_set_text(scope, "home", secure_getenv("HOME"));
    service_set_text(scope, "exe_dir", b->exe_dir);
}

void service_build_scope(struct backend *b, const struct entry *e, struct service *s)
{
    json_t *scope = jsonx_must(json_object());
    const struct entry *parent = backend_parent(b, e->id, 1);
    AUTO(free) char *announce = endpoints_address_of(b, e->id);

    json_object_set(scope, "doc", e->doc);
    if (parent != NULL)
        json_object_set(scope, "parent", parent->doc);
    service_set_text(scope, "name", backend_name(e->id));
    service_set_text(scope, "dir", s->dir);
    service_set_text(scope, "address", s->address);
    service_set_text(scope, "announce", announce == NULL ? s->address : announce);
    json_object_set_new(scope, "port", json_integer(s->port));
    service_set_text(scope, "ca", b->ca_public);
    set_path(scope, "cert", s->dir, "server.crt");
    set_path(scope, "key", s->dir, "server.key");
    json_object_set_new(scope, "keys", backend_keys(e->doc));
    json_object_set(scope, "secret", s->own_secrets);
    set_environment(b, scope);
    json_object_set_new(scope, "program", find_programs(scope, s->recipe));
    json_object_set_new(scope, "value", map_values(scope, s->recipe));
    free(s->host);
    s->host = scope_expand(scope, jsonx_text(s->recipe, "host"));
    service_set_text(scope, "host", s->host);
    json_decref(s->scope);
    s->scope = scope;
}

/* ---- start ---- */

struct err *service_make_folders(struct service *s)
{
    const json_t *name = NULL;
    size_t i = 0;

    TRY(file_make_dir(s->dir, 0700));
    TRY(task_give(s->dir, service_user(s)));
    json_array_foreach (json_object_get(s->recipe, "folders"), i, name) {
        AUTO(free) char *path = file_join(s->dir, json_string_value(name));

        TRY(file_make_dir(path, 0700));
        TRY(task_give(path, service_user(s)));
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
        e = task_give(request.key_path, service_user(s));
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
char *service_rendering(const struct service *s)
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
        TRY(task_write_file(s->dir, service_user(s), path, json_string_value(content)));
    }
    return NULL;
}

static int stop_signal(const json_t *start)
{
    return text_eq(jsonx_text(start, "stop_signal"), "INT") ? SIGINT : SIGTERM;
}

struct err *service_start(struct backend *b, struct service *s)
{
    const json_t *start = json_object_get(s->recipe, "start");
    AUTO(free) char *log = file_join(s->dir, "server.log");

    AUTO(free) char *old = file_join(s->dir, "server.log.old");

    rename(log, old); /* nothing there is fine: errors are told from this start's log */
    TRY(service_make_folders(s));
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
        .user = service_user(s),
        .stop_signal = stop_signal(start),
    };

    if (e == NULL)
        e = process_start(b->supervisor, &spec, &s->process);
    task_free_texts(argv);
    task_free_texts(env);
    free(s->started_with);
    s->started_with = service_rendering(s);
    return e;
}
