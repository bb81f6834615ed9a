/*
 * sandbox: starts the local Azure Resource Manager (deployer-sandbox, the program beside this one),
 * stops it, tells what is in it, and how other clients are pointed at it.
 */
#include "commands/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "commands/context.h"

#define PROGRAM "deployer-sandbox"
#define START_MS 60000
#define STOP_MS 30000
#define LOOK_EVERY_MS 100
#define ARGS_MAX 24u
#define LOG_TAIL_MAX 65536u

struct options {
    const char *dir, *port, *latency, *services, *faults, *images;
};

static const char usage[] =
        "Usage: deployer sandbox start|stop|status|env [OPTIONS]\n\n"
        "A local Azure Resource Manager with real services behind it. start prints its endpoint;\n"
        "every other command uses it with --target sandbox.\n\n"
        "  start      starts it in the background and waits until it answers\n"
        "  stop       ends it and every service that it started; what it knows is kept\n"
        "  status     resources and processes, with their addresses\n"
        "  env        the environment of other clients: Terraform's azapi, the SDKs, the "
        "azure-cli\n\n"
        "      --dir DIR            its folder; default $XDG_STATE_HOME/deployer/sandbox\n"
        "      --port P             default: a free port\n"
        "      --latency F          factor on the usual times of resources; default 0.01, 0: at "
        "once\n"
        "      --services none|real default real\n"
        "      --faults FILE        a script of failures (docs/sandbox.md)\n"
        "      --images FILE        commands that stand for container images\n" CONTEXT_USAGE;

/* The running sandbox's sandbox.json, or NULL: no file, or its process is gone. */
static struct err *find_running(const struct context *c, json_t **ret)
{
    json_auto_t *j = NULL;
    AUTO(free) char *path = file_join(c->sandbox_dir, "sandbox.json");

    *ret = NULL;
    if (!file_exists(path))
        return NULL;
    TRY(jsonx_load_file(path, 1u << 20, &j));
    const int64_t pid = jsonx_int(j, "pid", 0);

    if (pid > 1 && (kill((pid_t)pid, 0) == 0 || errno == EPERM))
        *ret = TAKE(j);
    return NULL;
}

/* The program beside this one, else the one in PATH. */
static char *find_program(void)
{
    char self[4096];
    const ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (len > 0) {
        self[len] = '\0';
        AUTO(free) char *dir = file_dirname(self);
        AUTO(free) char *path = file_join(dir, PROGRAM);

        if (access(path, X_OK) == 0)
            return TAKE(path);
    }
    return xstrdup(PROGRAM);
}

static void add_option(const char **argv, size_t *count, const char *name, const char *value)
{
    if (value == NULL || *count + 2 >= ARGS_MAX)
        return;
    argv[(*count)++] = name;
    argv[(*count)++] = value;
}

/* In the child: its own session, its output in a log, nothing of ours left open. */
static void become_sandbox(const char *program, const char *const *argv, int log)
{
    const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

    setsid();
    dup2(nothing, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    execvp(program, (char *const *)(uintptr_t)argv);
    _exit(127);
}

static struct err *launch(const struct context *c, const struct options *o, pid_t *ret)
{
    AUTO(free) char *program = find_program();
    AUTO(free) char *log_path = file_join(c->sandbox_dir, "sandbox.log");
    const char *argv[ARGS_MAX] = { program, "--dir", c->sandbox_dir };
    size_t count = 3;

    add_option(argv, &count, "--port", o->port);
    add_option(argv, &count, "--latency", o->latency);
    add_option(argv, &count, "--services", o->services);
    add_option(argv, &count, "--faults", o->faults);
    add_option(argv, &count, "--images", o->images);
    TRY(file_make_dir(c->sandbox_dir, 0755));
    AUTO(free) char *earlier = xasprintf("%s.1", log_path);

    if (rename(log_path, earlier) != 0 && errno != ENOENT)
        return err_errno(errno, "%s", earlier);
    const int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    if (log < 0)
        return err_errno(errno, "%s", log_path);
    const pid_t pid = fork();

    if (pid == 0)
        become_sandbox(program, argv, log);
    close(log);
    if (pid < 0)
        return err_errno(errno, "fork");
    *ret = pid;
    return NULL;
}

static struct err *not_installed(void)
{
    struct err *e = err_new(
            ERR_NOINPUT, 0, "%s is not installed beside deployer, nor anywhere in PATH", PROGRAM);

    err_set_hint(
            e, "make install installs both; where only deployer was copied, copy %s, too", PROGRAM);
    return e;
}

/* The last line that a sandbox which ended wrote, as the reason. */
static struct err *ended_early(const struct context *c, int status)
{
    AUTO(free) char *path = file_join(c->sandbox_dir, "sandbox.log");
    AUTO(buf) struct buf text = BUF_INIT(LOG_TAIL_MAX);
    struct str rest = { 0 };
    struct str last = STR("it wrote nothing");

    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return not_installed();
    err_ignore(file_read(path, LOG_TAIL_MAX, &text), "then it is told where its words are");
    rest = buf_str(&text);
    while (rest.p != NULL && rest.len > 0) {
        const struct str line = str_trim(str_cut(&rest, '\n'));

        if (line.len > 0)
            last = line;
    }
    struct err *e =
            err_new(ERR_FAILED, 0, "the sandbox ended before it was ready: %.*s", STR_ARG(last));

    err_set_hint(e, "what it wrote is in %s", path);
    return e;
}

/* A second one in the same folder must find no first one that is still starting. */
static struct err *never_ready(const struct context *c, pid_t pid, int64_t waited_ms)
{
    char spent[CLOCK_DURATION_SIZE];

    clock_duration(waited_ms, spent);
    struct err *e =
            err_new(ERR_TIMEOUT, 0, "the sandbox was not ready after %s and is ended again", spent);

    kill(pid, SIGTERM);
    err_set_hint(
            e, "what it wrote is in %s/sandbox.log; --timeout lets it take longer", c->sandbox_dir);
    return e;
}

static struct err *wait_ready(const struct context *c, pid_t pid, json_t **ret)
{
    const int64_t time_ms = c->timeout_ms > 0 ? c->timeout_ms : START_MS;
    const int64_t deadline_ms = clock_now_ms() + time_ms;

    while (clock_left_ms(deadline_ms) > 0) {
        int status = 0;

        if (waitpid(pid, &status, WNOHANG) == pid)
            return ended_early(c, status);
        TRY(cancel_check());
        TRY(find_running(c, ret));
        if (*ret != NULL && jsonx_int(*ret, "pid", 0) == (int64_t)pid)
            return NULL;
        json_decref(*ret);
        *ret = NULL;
        clock_sleep_ms(LOOK_EVERY_MS);
    }
    return never_ready(c, pid, time_ms);
}

static struct err *show(struct context *c, const json_t *sandbox, const char *headline)
{
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);

    buf_addf(&text,
            "%s: %s (process %lld)\n"
            "  deployer apply STACK --target sandbox --sandbox-dir %s\n"
            "  deployer sandbox env --sandbox-dir %s    for Terraform, the SDKs, the azure-cli\n",
            headline, jsonx_text(sandbox, "endpoint"), (long long)jsonx_int(sandbox, "pid", 0),
            c->sandbox_dir, c->sandbox_dir);
    TRY(context_write(c, "text", buf_str(&text)));
    return context_wants(c, "json") ? context_write_json(c, sandbox) : NULL;
}

static struct err *start(struct context *c, const struct options *o)
{
    json_auto_t *sandbox = NULL;
    pid_t pid = 0;

    TRY(find_running(c, &sandbox));
    if (sandbox != NULL)
        return show(c, sandbox, "already running");
    AUTO(free) char *stale = file_join(c->sandbox_dir, "sandbox.json");

    unlink(stale);
    TRY(launch(c, o, &pid));
    TRY(wait_ready(c, pid, &sandbox));
    return show(c, sandbox, "sandbox ready");
}

static struct err *still_there(const struct context *c, pid_t pid, int64_t waited_ms)
{
    char spent[CLOCK_DURATION_SIZE];

    clock_duration(waited_ms, spent);
    struct err *e = err_new(
            ERR_TIMEOUT, 0, "the sandbox (process %d) is still there after %s", (int)pid, spent);

    err_set_hint(e, "%s/sandbox.log says what it does; kill -9 %d ends it, but not its services",
            c->sandbox_dir, (int)pid);
    return e;
}

static struct err *stop(struct context *c)
{
    json_auto_t *sandbox = NULL;
    const int64_t time_ms = c->timeout_ms > 0 ? c->timeout_ms : STOP_MS;
    const int64_t deadline_ms = clock_now_ms() + time_ms;

    TRY(find_running(c, &sandbox));
    if (sandbox == NULL)
        return context_write(c, "text", STR("no sandbox is running\n"));
    const pid_t pid = (pid_t)jsonx_int(sandbox, "pid", 0);

    if (kill(pid, SIGTERM) != 0 && errno != ESRCH)
        return err_errno(errno, "process %d", (int)pid);
    while (kill(pid, 0) == 0 && clock_left_ms(deadline_ms) > 0) {
        TRY(cancel_check());
        clock_sleep_ms(LOOK_EVERY_MS);
    }
    if (kill(pid, 0) == 0)
        return still_there(c, pid, time_ms);
    return context_write(c, "text", STR("sandbox stopped\n"));
}

static const char *text_or(const json_t *j, const char *key, const char *otherwise)
{
    const char *text = jsonx_text(j, key);

    return text == NULL ? otherwise : text;
}

/* The id without what all have in common. */
static const char *short_id(const char *id)
{
    const char *providers = strstr(id, "/providers/");

    return providers == NULL ? id : providers + strlen("/providers/");
}

static void add_resources(struct buf *text, const json_t *list)
{
    size_t i = 0;
    json_t *one = NULL;

    buf_addf(text, "\n%zu resources\n", json_array_size(list));
    json_array_foreach ((json_t *)(uintptr_t)list, i, one)
        buf_addf(text, "  %-12s %s\n", text_or(one, "state", ""), short_id(text_or(one, "id", "")));
}

static void add_processes(struct buf *text, const json_t *list)
{
    size_t i = 0;
    json_t *one = NULL;

    buf_addf(text, "\n%zu services\n", json_array_size(list));
    json_array_foreach ((json_t *)(uintptr_t)list, i, one) {
        buf_addf(text, "  %-12s %-12s %-22s %-22s", text_or(one, "service", ""),
                text_or(one, "state", ""), text_or(one, "address", ""), text_or(one, "mapped", ""));
        if (jsonx_int(one, "pid", 0) > 0)
            buf_addf(text, " pid %lld", (long long)jsonx_int(one, "pid", 0));
        if (jsonx_text(one, "served_version") != NULL)
            buf_addf(text, " version %s", jsonx_text(one, "served_version"));
        buf_addf(text, " %s\n", short_id(text_or(one, "resource", "")));
    }
}

static struct err *status(struct context *c)
{
    json_auto_t *sandbox = NULL;
    json_auto_t *report = NULL;
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);
    AUTO(free) char *path = file_join(c->sandbox_dir, "report.json");

    TRY(find_running(c, &sandbox));
    if (sandbox == NULL) {
        struct err *e = err_new(ERR_NOINPUT, 0, "no sandbox is running in %s", c->sandbox_dir);

        err_set_hint(e, "start one with deployer sandbox start");
        return e;
    }
    TRY(jsonx_load_file(path, 64u << 20, &report));
    buf_addf(&text, "%s (process %lld)\n", jsonx_text(sandbox, "endpoint"),
            (long long)jsonx_int(sandbox, "pid", 0));
    add_resources(&text, json_object_get(report, "resources"));
    add_processes(&text, json_object_get(report, "processes"));
    TRY(context_write(c, "text", buf_str(&text)));
    json_object_set(report, "sandbox", sandbox);
    json_object_set_new(report, "format_version", json_integer(1));
    return context_wants(c, "json") ? context_write_json(c, report) : NULL;
}

/*
 * What each client needs to be told. The secret is named by its file, so that it stands in no
 * terminal and no history.
 */
static struct err *env(struct context *c)
{
    json_auto_t *j = NULL;
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);

    TRY(context_sandbox(c, &j));
    const char *endpoint = jsonx_text(j, "endpoint");
    const char *ca = jsonx_text(j, "ca");

    buf_addf(&text,
            "# eval \"$(deployer sandbox env)\"\n"
            "export ARM_ENVIRONMENT=custom\n"
            "export ARM_RESOURCE_MANAGER_ENDPOINT=%s\n"
            "export ARM_ACTIVE_DIRECTORY_AUTHORITY_HOST=%s/\n"
            "export ARM_RESOURCE_MANAGER_AUDIENCE=https://management.azure.com\n"
            "export ARM_DISABLE_INSTANCE_DISCOVERY=true ARM_USE_CLI=false\n"
            "export ARM_TENANT_ID=%s ARM_CLIENT_ID=%s ARM_SUBSCRIPTION_ID=%s\n"
            "export ARM_CLIENT_SECRET=\"$(cat %s)\"\n"
            "export AZURE_AUTHORITY_HOST=%s AZURE_TENANT_ID=%s AZURE_CLIENT_ID=%s\n"
            "export AZURE_CLIENT_SECRET=\"$ARM_CLIENT_SECRET\" AZURE_SUBSCRIPTION_ID=%s\n"
            "export SSL_CERT_FILE=%s NODE_EXTRA_CA_CERTS=%s REQUESTS_CA_BUNDLE=%s\n",
            endpoint, endpoint, jsonx_text(j, "tenant"), jsonx_text(j, "client_id"),
            jsonx_text(j, "subscription"), jsonx_text(j, "client_secret"), endpoint,
            jsonx_text(j, "tenant"), jsonx_text(j, "client_id"), jsonx_text(j, "subscription"), ca,
            ca, ca);
    buf_addf(&text,
            "# azure-cli:\n"
            "#   az cloud register -n sandbox --endpoint-resource-manager %s \\\n"
            "#     --endpoint-management %s --endpoint-active-directory %s/adfs \\\n"
            "#     --endpoint-active-directory-resource-id https://management.azure.com/ \\\n"
            "#     --endpoint-active-directory-graph-resource-id %s/ \\\n"
            "#     --suffix-keyvault-dns .vault.localhost:%s --suffix-acr-login-server-endpoint "
            ".azurecr.io\n"
            "#   az cloud set -n sandbox\n"
            "#   az login --service-principal -u $ARM_CLIENT_ID -p \"$ARM_CLIENT_SECRET\" --tenant "
            "$ARM_TENANT_ID\n",
            endpoint, endpoint, endpoint, endpoint, strrchr(endpoint, ':') + 1);
    TRY(context_write(c, "text", buf_str(&text)));
    return context_wants(c, "json") ? context_write_json(c, j) : NULL;
}

static struct err *run(int argc, char **argv)
{
    AUTO(context) struct context c = { 0 };
    struct options o = { 0 };
    static const char *const verbs[] = { "start", "stop", "status", "env", NULL };
    const struct context_option own[] = {
        { .name = "dir", .value = &o.dir },
        { .name = "port", .value = &o.port },
        { .name = "latency", .value = &o.latency },
        { .name = "services", .value = &o.services },
        { .name = "faults", .value = &o.faults },
        { .name = "images", .value = &o.images },
    };

    TRY(context_parse(&c, argc, argv,
            &(struct context_spec){ .options = own,
                    .option_count = ARRAY_LEN(own),
                    .args_min = 1,
                    .args_max = 1,
                    .verbs = verbs,
                    .formats = "text json" }));
    if (o.dir != NULL)
        c.sandbox_dir = o.dir;
    if (text_eq(c.args[0], "start"))
        return start(&c, &o);
    if (text_eq(c.args[0], "stop"))
        return stop(&c);
    if (text_eq(c.args[0], "status"))
        return status(&c);
    return env(&c);
}

const struct command command_sandbox = {
    .name = "sandbox",
    .summary = "start, stop or look at the local Azure Resource Manager",
    .usage = usage,
    .run = run,
};
