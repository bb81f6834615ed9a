#include "sandbox/task.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "base/text.h"
#include "sandbox/blob_call.h"
#include "sandbox/process.h"
#include "sandbox/recipe.h"

#define OUTPUT_MAX (256u << 10)
#define TAIL_BYTES 700u
#define LOG_TAIL_BYTES 400u
#define RETRY_PERIOD_MS 100

struct task {
    struct backend *b;
    json_t *steps, *commands, *scope;
    char *dir, *user, *log;
    int64_t deadline_ms;
    size_t at;
    struct process *process;
    const json_t *step; /* of `process` */
    struct buf output;
    char *problem;
    int64_t retry_at_ms; /* of the step at `at`, 0: not now */
};

struct task *task_new(struct backend *b, const struct task_spec *spec)
{
    static unsigned counter;
    struct task *t = xcalloc(1, sizeof(*t));

    t->b = b;
    t->steps = spec->steps == NULL ? jsonx_must(json_array()) : jsonx_copy(spec->steps);
    t->commands = spec->commands == NULL ? NULL : jsonx_copy(spec->commands);
    t->scope = jsonx_copy(spec->scope);
    t->dir = xstrdup(spec->dir);
    t->user = xstrdup(spec->user);
    t->log = xasprintf("%s/step-%u.log", spec->dir, ++counter);
    t->deadline_ms = clock_now_ms() + spec->time_ms;
    t->output = (struct buf)BUF_INIT(OUTPUT_MAX);
    return t;
}

void task_free(struct task *t)
{
    if (t == NULL)
        return;
    process_kill(t->process);
    process_free(t->process);
    json_decref(t->steps);
    json_decref(t->commands);
    json_decref(t->scope);
    free(t->dir);
    free(t->user);
    free(t->log);
    free(t->problem);
    buf_release(&t->output);
    free(t);
}

const char *task_problem(const struct task *t)
{
    return t->problem == NULL ? "" : t->problem;
}

const char *task_output(const struct task *t)
{
    return buf_text(&t->output);
}

char *task_log_tail(const char *path)
{
    char text[LOG_TAIL_BYTES];
    AUTO(buf) struct buf out = BUF_INIT(OUTPUT_MAX);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    const off_t from = size > (off_t)sizeof(text) ? size - (off_t)sizeof(text) : 0;
    /* A log that cannot be read says nothing. */
    const ssize_t n = fd < 0 ? 0 : pread(fd, text, sizeof(text), from);

    if (fd >= 0)
        close(fd);
    struct str rest = str_trim((struct str){ .p = text, .len = n < 0 ? 0 : (size_t)n });

    while (rest.p != NULL && rest.len > 0) {
        const struct str line = str_trim(str_cut(&rest, '\n'));

        if (line.len == 0)
            continue;
        if (out.len > 0)
            buf_add_text(&out, " | ");
        text_add_escaped(&out, line);
    }
    return out.p == NULL ? xstrdup("") : buf_take(&out);
}

json_t *task_own_environment(void)
{
    json_t *env = jsonx_must(json_object());

    for (char **at = environ; *at != NULL; at++) {
        struct str value = str_of(*at);
        AUTO(free) char *name = str_dup(str_cut(&value, '='));

        if (value.p != NULL && text_is_utf8(value))
            json_object_set_new(env, name, jsonx_must(json_stringn(value.p, value.len)));
    }
    return env;
}

void task_free_texts(char **texts)
{
    for (size_t i = 0; texts != NULL && texts[i] != NULL; i++)
        free(texts[i]);
    free(texts);
}

char **task_environment(const json_t *scope, const json_t *env, const char *dir)
{
    char **texts = xcalloc(json_object_size(env) + 5, sizeof(*texts));
    const char *path = secure_getenv("PATH");
    const char *key = NULL;
    json_t *value = NULL;
    size_t n = 0;

    texts[n++] = xasprintf("PATH=%s", path == NULL ? "/usr/bin:/bin" : path);
    texts[n++] = xasprintf("HOME=%s", dir);
    texts[n++] = xstrdup("LANG=C.UTF-8");
    texts[n++] = xstrdup("TZ=UTC");
    json_object_foreach ((json_t *)(uintptr_t)env, key, value) {
        AUTO(free) char *text = scope_expand(scope, json_string_value(value));

        texts[n++] = xasprintf("%s=%s", key, text);
    }
    return texts;
}

char **task_arguments(const json_t *scope, const json_t *run, const json_t *more)
{
    json_auto_t *first = scope_expand_list(scope, run);
    json_auto_t *second = scope_expand_list(scope, more);
    char **texts = xcalloc(json_array_size(first) + json_array_size(second) + 1, sizeof(*texts));
    size_t n = 0;

    for (size_t i = 0; i < json_array_size(first); i++)
        texts[n++] = xstrdup(json_string_value(json_array_get(first, i)));
    for (size_t i = 0; i < json_array_size(second); i++)
        texts[n++] = xstrdup(json_string_value(json_array_get(second, i)));
    return texts;
}

struct err *task_give(const char *path, const char *user)
{
    if (user == NULL || geteuid() != 0)
        return NULL;
    const struct passwd *pw = getpwnam(user);

    if (pw == NULL)
        return err_new(ERR_NOINPUT, 0, "there is no user '%s'", user);
    return lchown(path, pw->pw_uid, pw->pw_gid) == 0 ? NULL : err_errno(errno, "%s", path);
}

struct err *task_write_file(
        const char *dir, const char *user, const char *path, const char *content)
{
    AUTO(free) char *full = file_join(dir, path);
    AUTO(free) char *parent = file_dirname(full);

    if (!file_is_dir(parent)) {
        TRY(file_make_dir(parent, 0700));
        TRY(task_give(parent, user));
    }
    TRY(file_write(full, str_of(content), 0600));
    return task_give(full, user);
}

struct err *task_resolve(char **argv)
{
    const char *const names[] = { argv[0] == NULL ? "" : argv[0], NULL };
    char *path = process_find_program(names);

    if (path == NULL)
        return err_new(ERR_NOINPUT, 0, "the program '%s' is not installed", names[0]);
    free(argv[0]);
    argv[0] = path;
    return NULL;
}

static enum task_state fail(struct task *t, char *problem)
{
    free(t->problem);
    t->problem = problem;
    return TASK_FAILED;
}

static enum task_state fail_err(struct task *t, struct err *e)
{
    const enum task_state state = fail(t, xstrdup(err_text(e)));

    err_free(e);
    return state;
}

static struct err *start_program(struct task *t, const json_t *step)
{
    const char *use = jsonx_text(step, "use");
    const json_t *command = use == NULL ? step : json_object_get(t->commands, use);
    json_auto_t *env = json_object_get(command, "env") == NULL
                               ? jsonx_must(json_object())
                               : jsonx_copy(json_object_get(command, "env"));

    if (json_object_get(step, "env") != NULL)
        json_object_update(env, json_object_get(step, "env"));
    char **argv = task_arguments(
            t->scope, json_object_get(command, "run"), json_object_get(step, "args"));
    char **envp = task_environment(t->scope, env, t->dir);
    AUTO(free) char *input = scope_expand(t->scope, jsonx_text(step, "input"));
    const struct process_spec spec = {
        .argv = (const char *const *)argv,
        .env = (const char *const *)envp,
        .cwd = t->dir,
        .log_path = t->log,
        .user = t->user,
        .input = str_of(input),
    };
    struct err *e = argv[0] == NULL || argv[0][0] == '\0'
                            ? err_new(ERR_NOINPUT, 0, "the program of a step is not installed")
                            : NULL;

    unlink(t->log);
    if (e == NULL)
        e = process_start(t->b->supervisor, &spec, &t->process);
    task_free_texts(argv);
    task_free_texts(envp);
    t->step = step;
    return e;
}

static enum task_state judge_program(struct task *t)
{
    const char *expect = jsonx_text(t->step, "expect");
    const int status = process_exit_status(t->process);

    process_free(t->process);
    t->process = NULL;
    buf_clear(&t->output);
    err_ignore(file_read(t->log, OUTPUT_MAX, &t->output), "judged as empty then");
    unlink(t->log);
    if (jsonx_bool(t->step, "tolerate", false))
        return TASK_DONE;
    AUTO(buf) struct buf shown = BUF_INIT(2048);

    text_add_escaped(&shown, str_slice(str_trim(buf_str(&t->output)), 0, TAIL_BYTES));
    if (status != 0)
        return fail(t, xasprintf("exit status %d: %s", status, buf_text(&shown)));
    if (expect != NULL && str_find(buf_str(&t->output), str_of(expect)) < 0)
        return fail(t, xasprintf("answered '%s'", buf_text(&shown)));
    return TASK_DONE;
}

static struct err *write_step(struct task *t, const json_t *file)
{
    AUTO(free) char *content = scope_expand(t->scope, jsonx_text(file, "content"));

    return task_write_file(t->dir, t->user, jsonx_text(file, "path"), content);
}

/* Begins the step at `at`; TASK_DONE when it is through already. */
static enum task_state begin(struct task *t, const json_t *step)
{
    if (clock_now_ms() < t->retry_at_ms)
        return TASK_RUNNING;
    const json_t *file = json_object_get(step, "write");
    const json_t *blob = json_object_get(step, "blob");
    struct err *e = NULL;

    if (!scope_holds(t->scope, json_object_get(step, "when")))
        return TASK_DONE;
    if (file != NULL)
        e = write_step(t, file);
    else if (blob != NULL)
        e = blob_call(t->scope, blob);
    else
        e = start_program(t, step);
    if (e != NULL)
        return fail_err(t, e);
    return t->process != NULL ? TASK_RUNNING : TASK_DONE;
}

static bool may_retry(const struct task *t)
{
    return jsonx_bool(json_array_get(t->steps, t->at), "retry", false)
           && clock_now_ms() < t->deadline_ms;
}

enum task_state task_tick(struct task *t)
{
    while (t->at < json_array_size(t->steps)) {
        enum task_state state = TASK_RUNNING;

        if (t->process == NULL)
            state = begin(t, json_array_get(t->steps, t->at));
        else if (!process_is_running(t->process))
            state = judge_program(t);
        if (state == TASK_FAILED && may_retry(t)) {
            t->retry_at_ms = clock_now_ms() + RETRY_PERIOD_MS;
            return TASK_RUNNING;
        }
        if (state == TASK_FAILED)
            return state;
        if (state == TASK_RUNNING)
            return clock_now_ms() < t->deadline_ms
                           ? state
                           : fail(t, xstrdup("did not end within its time"));
        t->at++;
    }
    return TASK_DONE;
}

/* The first word of the output that begins with a digit: "postgres (PostgreSQL) 15.18 (Debian)". */
char *task_first_version(const char *output)
{
    struct str rest = str_of(output);

    while (rest.p != NULL && rest.len > 0) {
        struct str word = str_cut(&rest, ' ');

        word = str_trim(word);
        if (str_starts(word, STR("v=")))
            word = str_slice(word, 2, word.len);
        if (word.len == 0 || word.p[0] < '0' || word.p[0] > '9')
            continue;
        word = str_cut(&word, '\n');
        if (str_ends(word, STR(".")))
            word.len--;
        return str_dup(word);
    }
    return xstrdup("unknown");
}
