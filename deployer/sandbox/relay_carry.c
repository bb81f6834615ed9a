#include "sandbox/relay_carry.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"

/* A request's head: what Envoy takes by default. */
#define HEAD_MAX (60u << 10)
#define BLOCK_BYTES 16384
#define HEAD_TIME_MS 15000
#define CONNECT_TIME_MS 5000

struct copied_route {
    char *host;
    bool redirects;
    struct sockaddr_in *targets;
    size_t target_count;
    atomic_size_t turn; /* round robin */
};

struct carry_rule {
    atomic_int references;
    enum relay_kind kind;
    SSL_CTX *tls;
    struct copied_route *routes;
    size_t route_count;
};

/* One end of a connection. */
struct end {
    int fd;
    SSL *ssl;     /* NULL: plain */
    bool is_done; /* nothing more comes from it */
};

struct carrying {
    struct end client, server;
    int stop_fd;
};

static void copy_route(const struct relay_route *from, struct copied_route *to)
{
    to->host = xstrdup(from->host);
    to->redirects = from->redirects;
    to->targets = xcalloc(from->target_count + 1, sizeof(to->targets[0]));
    for (size_t i = 0; i < from->target_count; i++) {
        struct sockaddr_in *name = &to->targets[to->target_count];

        name->sin_family = AF_INET;
        name->sin_port = htons((uint16_t)from->targets[i].port);
        if (inet_pton(AF_INET, from->targets[i].address, &name->sin_addr) == 1)
            to->target_count++;
    }
}

static SSL_CTX *make_tls(const struct relay_rule *rule)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

    if (tls == NULL)
        die_oom();
    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
    if (SSL_CTX_use_certificate_chain_file(tls, rule->cert_path) != 1
            || SSL_CTX_use_PrivateKey_file(tls, rule->key_path, SSL_FILETYPE_PEM) != 1)
        ERR_clear_error();
    return tls;
}

struct carry_rule *carry_rule_new(const struct relay_rule *rule)
{
    struct carry_rule *copy = xcalloc(1, sizeof(*copy));

    atomic_init(&copy->references, 1);
    copy->kind = rule->kind;
    copy->tls = rule->kind == RELAY_HTTPS ? make_tls(rule) : NULL;
    copy->routes = xcalloc(rule->route_count + 1, sizeof(copy->routes[0]));
    copy->route_count = rule->route_count;
    for (size_t i = 0; i < rule->route_count; i++)
        copy_route(&rule->routes[i], &copy->routes[i]);
    return copy;
}

struct carry_rule *carry_rule_ref(struct carry_rule *rule)
{
    atomic_fetch_add(&rule->references, 1);
    return rule;
}

void carry_rule_unref(struct carry_rule *rule)
{
    if (rule == NULL || atomic_fetch_sub(&rule->references, 1) > 1)
        return;
    for (size_t i = 0; i < rule->route_count; i++) {
        free(rule->routes[i].host);
        free(rule->routes[i].targets);
    }
    free(rule->routes);
    SSL_CTX_free(rule->tls);
    free(rule);
}

/* Whether `fd` became ready before the deadline (-1: none) and before the relay closes. */
static bool wait_ready(const struct carrying *c, int fd, short events, int64_t deadline_ms)
{
    struct pollfd fds[2] = { { .fd = fd, .events = events },
        { .fd = c->stop_fd, .events = POLLIN } };
    int n = 0;

    do
        n = poll(fds, 2, deadline_ms < 0 ? -1 : clock_left_ms(deadline_ms));
    while (n < 0 && errno == EINTR);
    return n > 0 && fds[1].revents == 0;
}

static short wanted_events(const struct end *e, int rc)
{
    const int why = SSL_get_error(e->ssl, rc);

    return why == SSL_ERROR_WANT_READ ? POLLIN : why == SSL_ERROR_WANT_WRITE ? POLLOUT : 0;
}

static bool accept_tls(struct carrying *c, const struct carry_rule *rule, int64_t deadline_ms)
{
    c->client.ssl = SSL_new(rule->tls);
    if (c->client.ssl == NULL || SSL_set_fd(c->client.ssl, c->client.fd) != 1)
        return false;
    for (;;) {
        const int rc = SSL_accept(c->client.ssl);

        if (rc == 1)
            return true;
        const short events = wanted_events(&c->client, rc);

        if (events == 0 || !wait_ready(c, c->client.fd, events, deadline_ms))
            return false;
    }
}

/* Bytes read, 0: nothing now, -1: the end. */
static ssize_t read_end(struct end *e, char *block, size_t size)
{
    if (e->ssl != NULL) {
        const int n = SSL_read(e->ssl, block, (int)size);

        return n > 0 ? n : wanted_events(e, n) != 0 ? 0 : -1;
    }
    const ssize_t n = recv(e->fd, block, size, 0);

    return n > 0 ? n : n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static bool write_end(struct carrying *c, struct end *e, const char *p, size_t len)
{
    while (len > 0) {
        short events = POLLOUT;
        ssize_t n = 0;

        if (e->ssl != NULL) {
            n = SSL_write(e->ssl, p, (int)len);
            if (n <= 0) {
                events = wanted_events(e, (int)n);
                n = events != 0 ? 0 : -1;
            }
        } else {
            n = send(e->fd, p, len, MSG_NOSIGNAL);
            if (n < 0 && (errno == EAGAIN || errno == EINTR))
                n = 0;
        }
        if (n < 0 || (n == 0 && !wait_ready(c, e->fd, events, -1)))
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static void end_writing(struct end *e)
{
    if (e->ssl != NULL)
        SSL_shutdown(e->ssl);
    shutdown(e->fd, SHUT_WR);
}

/* Passes on what `from` has; false when the connection is over. */
static bool pass(struct carrying *c, struct end *from, struct end *to)
{
    char block[BLOCK_BYTES];

    do {
        const ssize_t n = read_end(from, block, sizeof(block));

        if (n < 0) {
            from->is_done = true;
            end_writing(to);
            return !to->is_done;
        }
        if (n == 0)
            return true;
        if (!write_end(c, to, block, (size_t)n))
            return false;
    } while (from->ssl != NULL && SSL_pending(from->ssl) > 0);
    return true;
}

static void carry_both(struct carrying *c)
{
    for (;;) {
        struct pollfd fds[3] = {
            { .fd = c->client.is_done ? -1 : c->client.fd, .events = POLLIN },
            { .fd = c->server.is_done ? -1 : c->server.fd, .events = POLLIN },
            { .fd = c->stop_fd, .events = POLLIN },
        };

        if (poll(fds, 3, -1) < 0 && errno != EINTR)
            return;
        if (fds[2].revents != 0)
            return;
        if (fds[0].revents != 0 && !pass(c, &c->client, &c->server))
            return;
        if (fds[1].revents != 0 && !pass(c, &c->server, &c->client))
            return;
    }
}

static int dial(const struct carrying *c, const struct sockaddr_in *name)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error = 0;
    socklen_t len = sizeof(error);

    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)name, sizeof(*name)) == 0)
        return fd;
    if (errno == EINPROGRESS && wait_ready(c, fd, POLLOUT, clock_now_ms() + CONNECT_TIME_MS)
            && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0)
        return fd;
    close(fd);
    return -1;
}

static bool dial_route(struct carrying *c, const struct copied_route *route)
{
    struct copied_route *counted = (struct copied_route *)(uintptr_t)route;
    const size_t first = atomic_fetch_add(&counted->turn, 1);

    for (size_t i = 0; i < route->target_count && c->server.fd < 0; i++)
        c->server.fd = dial(c, &route->targets[(first + i) % route->target_count]);
    return c->server.fd >= 0;
}

void carry_parse_head(struct str head, struct str *ret_host, struct str *ret_target)
{
    struct str rest = head;
    struct str line = str_cut(&rest, '\n');

    *ret_host = *ret_target = (struct str){ "", 0 };
    str_cut(&line, ' ');
    if (line.p != NULL)
        *ret_target = str_cut(&line, ' ');
    while (rest.p != NULL) {
        struct str value = str_cut(&rest, '\n');
        const struct str name = str_cut(&value, ':');

        if (value.p == NULL || !str_eq_ci(str_trim(name), STR("Host")))
            continue;
        value = str_trim(value);
        *ret_host = str_cut(&value, ':');
        return;
    }
}

static bool read_head(struct carrying *c, struct buf *head, int64_t deadline_ms)
{
    while (str_find(buf_str(head), STR("\r\n\r\n")) < 0) {
        char block[4096];
        const ssize_t n = read_end(&c->client, block, sizeof(block));

        if (n < 0 || head->is_overflown)
            return false;
        if (n > 0)
            buf_add(head, block, (size_t)n);
        else if (!wait_ready(c, c->client.fd, POLLIN, deadline_ms))
            return false;
    }
    return true;
}

static void answer(struct carrying *c, const char *status, const char *header, const char *text)
{
    AUTO(buf) struct buf out = BUF_INIT(HEAD_MAX * 2);

    buf_addf(&out,
            "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nConnection: close\r\n"
            "Content-Length: %zu\r\n%s\r\n%s",
            status, strlen(text), header, text);
    write_end(c, &c->client, out.p, out.len);
    end_writing(&c->client);
}

static const struct copied_route *find_route(const struct carry_rule *rule, struct str host)
{
    for (size_t i = 0; i < rule->route_count; i++)
        if (rule->routes[i].host != NULL && str_eq_ci(str_of(rule->routes[i].host), host))
            return &rule->routes[i];
    return NULL;
}

static void carry_http(struct carrying *c, const struct carry_rule *rule)
{
    AUTO(buf) struct buf head = BUF_INIT(HEAD_MAX);
    AUTO(free) char *location = NULL;
    const int64_t deadline_ms = clock_now_ms() + HEAD_TIME_MS;
    struct str host, target;

    if (rule->tls != NULL && !accept_tls(c, rule, deadline_ms))
        return;
    if (!read_head(c, &head, deadline_ms))
        return;
    carry_parse_head(buf_str(&head), &host, &target);
    const struct copied_route *route = find_route(rule, host);

    if (route == NULL) {
        answer(c, "404 Not Found", "",
                "Error 404 - This Container App is stopped or does not exist.\n");
    } else if (route->redirects && rule->tls == NULL) {
        location = xasprintf("Location: https://%.*s%.*s\r\n", STR_ARG(host), STR_ARG(target));
        answer(c, "301 Moved Permanently", location, "");
    } else if (!dial_route(c, route)) {
        answer(c, "503 Service Unavailable", "",
                "upstream connect error or disconnect/reset before headers\n");
    } else if (write_end(c, &c->server, head.p, head.len)) {
        carry_both(c);
    }
}

void carry_run(const struct carry_rule *rule, int fd, int stop_fd)
{
    struct carrying c = { .client = { .fd = fd }, .server = { .fd = -1 }, .stop_fd = stop_fd };

    if (rule->kind != RELAY_TCP)
        carry_http(&c, rule);
    else if (rule->route_count > 0 && dial_route(&c, &rule->routes[0]))
        carry_both(&c);
    SSL_free(c.client.ssl);
    ERR_clear_error();
    if (c.server.fd >= 0)
        close(c.server.fd);
}
