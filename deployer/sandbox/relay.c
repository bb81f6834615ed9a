#include "sandbox/relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "sandbox/relay_carry.h"

/* Ours: more listeners than a sandbox has endpoints. */
#define LISTENERS_MAX 128u
/* Until a place is free, further connections wait in the listener's queue. */
#define CONNECTIONS_MAX 256u

struct listener {
    char *address;
    int port;
    int fd; /* -1: could not listen */
    int error;
    struct carry_rule *rule; /* counted */
};

/* Locking: `mutex` guards listeners, connections and is_closing. */
struct relay {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    pthread_t thread;
    int wake_fd; /* written when the listeners changed */
    int stop_fd; /* readable for good once the relay closes: every connection polls it */
    struct listener listeners[LISTENERS_MAX];
    size_t count;
    size_t connections;
    bool is_closing;
};

struct job {
    struct relay *relay;
    struct carry_rule *rule;
    int fd;
};

static void *run_connection(void *arg)
{
    struct job *job = arg;
    struct relay *r = job->relay;

    carry_run(job->rule, job->fd, r->stop_fd);
    close(job->fd);
    carry_rule_unref(job->rule);
    free(job);
    pthread_mutex_lock(&r->mutex);
    r->connections--;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->mutex);
    return NULL;
}

/* Called with the mutex held. */
static void start_connection(struct relay *r, const struct listener *l, int fd)
{
    struct job *job = xcalloc(1, sizeof(*job));
    pthread_attr_t attr;
    pthread_t thread;

    *job = (struct job){ .relay = r, .rule = carry_rule_ref(l->rule), .fd = fd };
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attr, run_connection, job) == 0) {
        r->connections++;
    } else {
        close(fd);
        carry_rule_unref(job->rule);
        free(job);
    }
    pthread_attr_destroy(&attr);
}

static size_t fill_poll(struct relay *r, struct pollfd *fds)
{
    size_t n = 0;

    pthread_mutex_lock(&r->mutex);
    fds[n++] = (struct pollfd){ .fd = r->wake_fd, .events = POLLIN };
    fds[n++] = (struct pollfd){ .fd = r->stop_fd, .events = POLLIN };
    for (size_t i = 0; i < r->count && r->connections < CONNECTIONS_MAX; i++)
        if (r->listeners[i].fd >= 0)
            fds[n++] = (struct pollfd){ .fd = r->listeners[i].fd, .events = POLLIN };
    pthread_mutex_unlock(&r->mutex);
    return n;
}

/* A listener may have gone between poll and here: only a descriptor still in the table counts. */
static void accept_on(struct relay *r, int listener_fd)
{
    pthread_mutex_lock(&r->mutex);
    for (size_t i = 0; i < r->count; i++) {
        if (r->listeners[i].fd != listener_fd)
            continue;
        const int fd = accept4(listener_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0)
            start_connection(r, &r->listeners[i], fd);
    }
    pthread_mutex_unlock(&r->mutex);
}

static void *run_relay(void *arg)
{
    struct relay *r = arg;

    for (;;) {
        struct pollfd fds[LISTENERS_MAX + 2];
        const size_t n = fill_poll(r, fds);
        uint64_t woken = 0;

        /* The time-out matters only while no connection may be taken. */
        if (poll(fds, n, 200) < 0 && errno != EINTR)
            return NULL;
        if (fds[1].revents != 0)
            return NULL;
        if (fds[0].revents != 0 && read(r->wake_fd, &woken, sizeof(woken)) < 0)
            continue;
        for (size_t i = 2; i < n; i++)
            if (fds[i].revents != 0)
                accept_on(r, fds[i].fd);
    }
}

struct err *relay_open(struct relay **ret)
{
    struct relay *r = xcalloc(1, sizeof(*r));

    r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&r->mutex, NULL);
    pthread_cond_init(&r->changed, NULL);
    const int rc = pthread_create(&r->thread, NULL, run_relay, r);

    if (rc != 0) {
        close(r->wake_fd);
        close(r->stop_fd);
        free(r);
        return err_errno(rc, "relay: thread");
    }
    *ret = r;
    return NULL;
}

static void listener_release(struct listener *l)
{
    if (l->fd >= 0)
        close(l->fd);
    free(l->address);
    carry_rule_unref(l->rule);
}

static void signal_fd(int fd)
{
    const uint64_t one = 1;

    if (write(fd, &one, sizeof(one)) < 0)
        return; /* it is readable already */
}

void relay_close(struct relay *r)
{
    if (r == NULL)
        return;
    signal_fd(r->stop_fd);
    pthread_join(r->thread, NULL);
    pthread_mutex_lock(&r->mutex);
    while (r->connections > 0)
        pthread_cond_wait(&r->changed, &r->mutex);
    pthread_mutex_unlock(&r->mutex);
    for (size_t i = 0; i < r->count; i++)
        listener_release(&r->listeners[i]);
    close(r->wake_fd);
    close(r->stop_fd);
    pthread_mutex_destroy(&r->mutex);
    pthread_cond_destroy(&r->changed);
    free(r);
}

static int listen_on(const char *address, int port, int *ret_error)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    const int one = 1;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    *ret_error = 0;
    if (fd >= 0 && inet_pton(AF_INET, address, &name.sin_addr) == 1) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        if (bind(fd, (const struct sockaddr *)&name, sizeof(name)) == 0 && listen(fd, 64) == 0)
            return fd;
    }
    *ret_error = errno == 0 ? EINVAL : errno;
    if (fd >= 0)
        close(fd);
    return -1;
}

static struct listener *find(const struct relay *r, const char *address, int port)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->listeners[i].port == port && text_eq(r->listeners[i].address, address))
            return (struct listener *)(uintptr_t)&r->listeners[i];
    return NULL;
}

/* A listener that stays keeps its socket: its queue is not lost when a target changes. */
static struct listener take_over(struct relay *r, const struct relay_rule *rule)
{
    struct listener *old = find(r, rule->address, rule->port);
    struct listener l = { .address = xstrdup(rule->address), .port = rule->port, .fd = -1 };

    if (old != NULL && old->fd >= 0) {
        l.fd = old->fd;
        old->fd = -1;
    } else {
        l.fd = listen_on(rule->address, rule->port, &l.error);
    }
    l.rule = carry_rule_new(rule);
    return l;
}

void relay_set(struct relay *r, const struct relay_rule *rules, size_t count)
{
    struct listener fresh[LISTENERS_MAX];
    size_t kept = 0;

    pthread_mutex_lock(&r->mutex);
    for (size_t i = 0; i < count && kept < LISTENERS_MAX; i++)
        fresh[kept++] = take_over(r, &rules[i]);
    for (size_t i = 0; i < r->count; i++)
        listener_release(&r->listeners[i]);
    for (size_t i = 0; i < kept; i++)
        r->listeners[i] = fresh[i];
    r->count = kept;
    pthread_mutex_unlock(&r->mutex);
    signal_fd(r->wake_fd);
}

int relay_state(const struct relay *r, const char *address, int port)
{
    struct relay *locked = (struct relay *)(uintptr_t)r;

    pthread_mutex_lock(&locked->mutex);
    const struct listener *l = find(r, address, port);
    const int state = l == NULL ? ENOENT : l->fd < 0 ? l->error : 0;

    pthread_mutex_unlock(&locked->mutex);
    return state;
}
