#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

extern char **environ;

struct pipes {
    int in[2];
    int out[2];
    int err[2];
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void pipes_close(struct pipes *p)
{
    for (int i = 0; i < 2; i++) {
        close_fd(&p->in[i]);
        close_fd(&p->out[i]);
        close_fd(&p->err[i]);
    }
}

static struct err *spawn(const struct proc_run *run, struct pipes *p, pid_t *ret)
{
    posix_spawn_file_actions_t actions;
    sigset_t none;
    sigset_t pipe_only;
    posix_spawnattr_t attr;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, p->in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, p->out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, p->err[1], STDERR_FILENO);
    posix_spawnattr_init(&attr);
    sigemptyset(&none);
    sigemptyset(&pipe_only);
    posix_spawnattr_setsigmask(&attr, &none);
    sigaddset(&pipe_only, SIGPIPE); /* we ignore it, and that would be inherited */
    posix_spawnattr_setsigdefault(&attr, &pipe_only);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    const int rc = posix_spawnp(
            ret, run->argv[0], &actions, &attr, (char *const *)(uintptr_t)run->argv, environ);

    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    return rc != 0 ? err_errno(rc, "%s", run->argv[0]) : NULL;
}

static void read_some(int *fd, struct buf *into)
{
    char block[4096];
    const ssize_t n = read(*fd, block, sizeof(block));

    if (n > 0 && into != NULL)
        buf_add(into, block, (size_t)n);
    else if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
        close_fd(fd);
}

static void write_some(int *fd, struct str *input)
{
    const ssize_t n = input->len > 0 ? write(*fd, input->p, input->len) : 0;

    if (n > 0)
        *input = str_slice(*input, (size_t)n, input->len);
    if (input->len == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
        close_fd(fd);
}

static struct err *exchange(
        const struct proc_run *run, struct pipes *p, struct buf *out, struct buf *err_out)
{
    struct str input = run->input;

    while (p->out[0] >= 0 || p->err[0] >= 0) {
        struct pollfd fds[3] = { { .fd = p->out[0], .events = POLLIN },
            { .fd = p->err[0], .events = POLLIN }, { .fd = p->in[1], .events = POLLOUT } };
        const int left = clock_left_ms(run->deadline_ms);

        if (left == 0)
            return err_new(ERR_TIMEOUT, 0, "%s: no end within its time", run->argv[0]);
        if (poll(fds, 3, left) < 0 && errno != EINTR)
            return err_errno(errno, "%s: poll", run->argv[0]);
        if (fds[0].revents != 0)
            read_some(&p->out[0], out);
        if (fds[1].revents != 0)
            read_some(&p->err[0], err_out);
        if (fds[2].revents != 0)
            write_some(&p->in[1], &input);
        if (out != NULL)
            TRY(buf_check(out, run->argv[0]));
    }
    return NULL;
}

static struct err *make_pipes(struct pipes *p)
{
    *p = (struct pipes){ { -1, -1 }, { -1, -1 }, { -1, -1 } };
    if (pipe2(p->in, O_CLOEXEC) != 0 || pipe2(p->out, O_CLOEXEC) != 0
            || pipe2(p->err, O_CLOEXEC) != 0)
        return err_errno(errno, "pipe");
    fcntl(p->in[1], F_SETFL, O_NONBLOCK);
    return NULL;
}

/* A program may close its outputs and go on: its end has the same deadline. */
static struct err *await_end(const struct proc_run *run, pid_t pid)
{
    const int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd end = { .fd = fd, .events = POLLIN };

    if (fd < 0) /* a kernel without it (before 5.3): wait as long as it takes */
        return NULL;
    while (end.revents == 0 && clock_left_ms(run->deadline_ms) > 0)
        poll(&end, 1, clock_left_ms(run->deadline_ms));
    close(fd);
    return end.revents != 0 ? NULL
                            : err_new(ERR_TIMEOUT, 0, "%s: no end within its time", run->argv[0]);
}

static int wait_for(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

struct err *proc_run(
        const struct proc_run *run, struct buf *out, struct buf *err_out, int *ret_status)
{
    struct pipes p;
    pid_t pid = -1;
    struct err *e = make_pipes(&p);

    if (e == NULL)
        e = spawn(run, &p, &pid);
    if (e != NULL) {
        pipes_close(&p);
        return e;
    }
    close_fd(&p.in[0]);
    close_fd(&p.out[1]);
    close_fd(&p.err[1]);
    e = exchange(run, &p, out, err_out);
    if (e == NULL)
        e = await_end(run, pid);
    if (e != NULL)
        kill(pid, SIGKILL);
    pipes_close(&p);
    *ret_status = wait_for(pid);
    return e;
}
