#include "sandbox/process.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "sandbox/guardian.h"

#define KILL_AFTER_MS 5000
/* The whole sandbox ends within five seconds. */
#define CLOSE_TIME_MS 4000
#define GROUPS_MAX 64

struct process {
    struct supervisor *supervisor;
    struct process *next;
    pid_t pid;
    bool is_running;
    bool is_detached;
    bool is_stopping;
    int status;
    int stop_signal;
    int64_t kill_after_ms;
    int64_t kill_at_ms;
};

struct supervisor {
    struct process *processes;
    struct guardian *guardian;
};

struct err *supervisor_new(struct supervisor **ret)
{
    struct supervisor *s = xcalloc(1, sizeof(*s));
    struct err *e = guardian_start(&s->guardian);

    if (e != NULL) {
        free(s);
        return e;
    }
    *ret = s;
    return NULL;
}

static void mark_ended(struct process *p, int status)
{
    p->is_running = false;
    p->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    /* What it may have left behind in its group goes too. */
    kill(-p->pid, SIGKILL);
    guardian_forget(p->supervisor->guardian, p->pid);
}

static void reap(struct process *p, int64_t now_ms)
{
    int status = 0;

    if (!p->is_running)
        return;
    const pid_t got = waitpid(p->pid, &status, WNOHANG);

    if (got == p->pid || (got < 0 && errno == ECHILD))
        mark_ended(p, got == p->pid ? status : 0);
    else if (p->is_stopping && now_ms >= p->kill_at_ms)
        kill(-p->pid, SIGKILL);
}

void supervisor_tick(struct supervisor *s, int64_t now_ms)
{
    for (struct process **at = &s->processes; *at != NULL;) {
        struct process *p = *at;

        reap(p, now_ms);
        if (p->is_detached && !p->is_running) {
            *at = p->next;
            free(p);
        } else {
            at = &p->next;
        }
    }
}

size_t supervisor_running(const struct supervisor *s)
{
    size_t count = 0;

    for (const struct process *p = s->processes; p != NULL; p = p->next)
        count += p->is_running ? 1 : 0;
    return count;
}

void supervisor_drain(struct supervisor *s)
{
    const int64_t deadline_ms = clock_now_ms() + CLOSE_TIME_MS;

    for (struct process *p = s->processes; p != NULL; p = p->next) {
        process_stop(p);
        if (p->kill_at_ms > deadline_ms)
            p->kill_at_ms = deadline_ms;
    }
    for (supervisor_tick(s, clock_now_ms()); supervisor_running(s) > 0;
            supervisor_tick(s, clock_now_ms()))
        clock_sleep_ms(10);
}

void supervisor_free(struct supervisor *s)
{
    if (s == NULL)
        return;
    supervisor_drain(s);
    for (struct process *p = s->processes; p != NULL; p = p->next)
        p->is_detached = true;
    supervisor_tick(s, clock_now_ms());
    guardian_stop(s->guardian);
    free(s);
}

/* Everything the child needs between fork and exec, found out before: the sandbox has threads. */
struct child {
    const struct process_spec *spec;
    pid_t parent;
    int input_fd;
    int log_fd;
    bool has_user;
    uid_t uid;
    gid_t gid;
    gid_t groups[GROUPS_MAX];
    int group_count;
};

NORETURN static void child_fail(const char *what)
{
    /* The log file is standard error by now; nothing can be done if this fails too. */
    if (write(STDERR_FILENO, what, strlen(what)) < 0)
        _exit(126);
    _exit(127);
}

static void child_reset_signals(void)
{
    sigset_t none;

    sigemptyset(&none);
    for (int i = 1; i < NSIG; i++)
        signal(i, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

NORETURN static void child_run(const struct child *c)
{
    const struct process_spec *spec = c->spec;

    setpgid(0, 0);
    child_reset_signals();
    dup2(c->input_fd, STDIN_FILENO);
    dup2(c->log_fd, STDOUT_FILENO);
    dup2(c->log_fd, STDERR_FILENO);
    close_range(3, ~0U, 0);
    if (c->has_user
            && (setgroups((size_t)c->group_count, c->groups) != 0 || setgid(c->gid) != 0
                    || setuid(c->uid) != 0))
        child_fail("sandbox: cannot change to the service's user\n");
    /* After the change of user, which clears it. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != c->parent)
        child_fail("sandbox: gone before the start\n");
    if (chdir(spec->cwd == NULL ? "/" : spec->cwd) != 0)
        child_fail("sandbox: cannot change to the working folder\n");
    execve(spec->argv[0], (char *const *)(uintptr_t)spec->argv,
            (char *const *)(uintptr_t)spec->env);
    child_fail("sandbox: cannot start the program\n");
}

static struct err *find_user(struct child *c)
{
    if (c->spec->user == NULL || geteuid() != 0)
        return NULL;
    const struct passwd *pw = getpwnam(c->spec->user);

    if (pw == NULL)
        return err_new(ERR_NOINPUT, 0, "there is no user '%s'", c->spec->user);
    c->has_user = true;
    c->uid = pw->pw_uid;
    c->gid = pw->pw_gid;
    c->group_count = GROUPS_MAX;
    if (getgrouplist(c->spec->user, c->gid, c->groups, &c->group_count) < 0)
        c->group_count = GROUPS_MAX;
    return NULL;
}

static struct err *open_input(struct str input, int *ret)
{
    int ends[2];

    if (input.len > PROCESS_INPUT_MAX)
        return err_new(ERR_LIMIT, 0, "standard input exceeds %u bytes", PROCESS_INPUT_MAX);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(errno, "pipe");
    const ssize_t written = input.len > 0 ? write(ends[1], input.p, input.len) : 0;

    close(ends[1]);
    if (written != (ssize_t)input.len) {
        close(ends[0]);
        return err_new(ERR_INTERNAL, errno, "standard input was not taken");
    }
    *ret = ends[0];
    return NULL;
}

static struct err *open_files(struct child *c)
{
    const char *log = c->spec->log_path == NULL ? "/dev/null" : c->spec->log_path;

    TRY(open_input(c->spec->input, &c->input_fd));
    c->log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return c->log_fd < 0 ? err_errno(errno, "%s", log) : NULL;
}

static void close_files(const struct child *c)
{
    if (c->input_fd >= 0)
        close(c->input_fd);
    if (c->log_fd >= 0)
        close(c->log_fd);
}

static struct process *process_new(struct supervisor *s, const struct process_spec *spec, pid_t pid)
{
    struct process *p = xcalloc(1, sizeof(*p));

    p->supervisor = s;
    p->pid = pid;
    p->is_running = true;
    p->stop_signal = spec->stop_signal == 0 ? SIGTERM : spec->stop_signal;
    p->kill_after_ms = spec->kill_after_ms == 0 ? KILL_AFTER_MS : spec->kill_after_ms;
    p->next = s->processes;
    s->processes = p;
    return p;
}

struct err *process_start(
        struct supervisor *s, const struct process_spec *spec, struct process **ret)
{
    struct child c = { .spec = spec, .parent = getpid(), .input_fd = -1, .log_fd = -1 };

    if (access(spec->argv[0], X_OK) != 0)
        return err_errno(errno, "%s", spec->argv[0]);
    TRY(find_user(&c));
    struct err *e = open_files(&c);

    if (e != NULL) {
        close_files(&c);
        return e;
    }
    const pid_t pid = fork();

    if (pid == 0)
        child_run(&c);
    const int saved = errno;

    close_files(&c);
    if (pid < 0)
        return err_errno(saved, "fork");
    setpgid(pid, pid); /* both sides do it: whoever comes first */
    guardian_watch(s->guardian, pid);
    *ret = process_new(s, spec, pid);
    return NULL;
}

bool process_is_running(const struct process *p)
{
    return p != NULL && p->is_running;
}

int process_exit_status(const struct process *p)
{
    return p->status;
}

pid_t process_pid(const struct process *p)
{
    return p->pid;
}

void process_stop(struct process *p)
{
    if (p == NULL || !p->is_running || p->is_stopping)
        return;
    p->is_stopping = true;
    p->kill_at_ms = clock_now_ms() + p->kill_after_ms;
    /* To the program alone: servers end their own children, and in order. */
    kill(p->pid, p->stop_signal);
}

void process_kill(struct process *p)
{
    if (p == NULL || !p->is_running)
        return;
    p->is_stopping = true;
    p->kill_at_ms = 0;
    kill(-p->pid, SIGKILL);
}

void process_free(struct process *p)
{
    if (p == NULL)
        return;
    process_stop(p);
    p->is_detached = true;
}

static char *in_path(const char *name)
{
    const char *env = secure_getenv("PATH");
    AUTO(free)
    char *all = xasprintf(
            "%s:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin", env == NULL ? "/usr/bin" : env);
    struct str rest = str_of(all);

    while (rest.p != NULL) {
        const struct str dir = str_cut(&rest, ':');
        char *path = xasprintf("%.*s/%s", STR_ARG(dir), name);

        if (dir.len > 0 && access(path, X_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

static char *last_match(const char *pattern)
{
    glob_t found = { 0 };
    char *path = NULL;

    if (glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc > 0
            && access(found.gl_pathv[found.gl_pathc - 1], X_OK) == 0)
        path = xstrdup(found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
    return path;
}

char *process_find_program(const char *const *names)
{
    char *path = NULL;

    for (size_t i = 0; path == NULL && names[i] != NULL; i++)
        path = names[i][0] == '\0'             ? NULL
               : strchr(names[i], '/') != NULL ? last_match(names[i])
                                               : in_path(names[i]);
    return path;
}
