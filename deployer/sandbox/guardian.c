#include "sandbox/guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"

#define GROUPS_MAX 1024u

struct guardian {
    pid_t pid;
    int pipe; /* one pid_t a message: positive to watch, negative to forget */
};

static void note(pid_t *groups, size_t *count, pid_t message)
{
    if (message > 0 && *count < GROUPS_MAX) {
        groups[(*count)++] = message;
        return;
    }
    for (size_t i = 0; i < *count; i++)
        if (groups[i] == -message)
            groups[i--] = groups[--*count];
}

NORETURN static void watch(int fd)
{
    static pid_t groups[GROUPS_MAX];
    size_t count = 0;
    pid_t message = 0;
    ssize_t n = 0;

    setsid(); /* a Ctrl-C in the terminal is the sandbox's to act on */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    prctl(PR_SET_NAME, "sandbox-guard");
    while ((n = read(fd, &message, sizeof(message))) != 0) {
        if (n == (ssize_t)sizeof(message))
            note(groups, &count, message);
        else if (errno != EINTR)
            break;
    }
    for (size_t i = 0; i < count; i++)
        kill(-groups[i], SIGKILL);
    _exit(0);
}

static void keep_only(int fd)
{
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    /* Held open, a terminal or a pipe of the sandbox's caller would seem to live on. */
    for (int i = 0; i <= STDERR_FILENO; i++)
        dup2(null, i);
    if (fd > 3)
        close_range(3, (unsigned)fd - 1, 0);
    close_range((unsigned)fd + 1, ~0U, 0);
}

struct err *guardian_start(struct guardian **ret)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(errno, "pipe");
    const pid_t pid = fork();

    if (pid < 0) {
        close(ends[0]);
        close(ends[1]);
        return err_errno(errno, "fork");
    }
    if (pid == 0) {
        close(ends[1]);
        keep_only(ends[0]);
        watch(ends[0]);
    }
    close(ends[0]);
    *ret = xcalloc(1, sizeof(**ret));
    **ret = (struct guardian){ .pid = pid, .pipe = ends[1] };
    return NULL;
}

static void tell(const struct guardian *g, pid_t message)
{
    ssize_t n = 0;

    do
        n = write(g->pipe, &message, sizeof(message));
    while (n < 0 && errno == EINTR);
}

void guardian_watch(struct guardian *g, pid_t group)
{
    tell(g, group);
}

void guardian_forget(struct guardian *g, pid_t group)
{
    tell(g, -group);
}

void guardian_stop(struct guardian *g)
{
    if (g == NULL)
        return;
    close(g->pipe);
    while (waitpid(g->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    free(g);
}
