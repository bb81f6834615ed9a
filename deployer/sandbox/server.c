#include "sandbox/server.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>

#include <microhttpd.h>

#include "base/alloc.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "base/text.h"

#define CONNECTIONS_MAX 400u
#define IDLE_TIMEOUT_S 120u
#define DAEMONS 2u

struct exchange {
    struct server *server;
    struct MHD_Connection *connection;
    struct arena *arena;
    char *uri;
    struct buf body;
    struct reply reply;
    bool is_begun;
    bool is_answered;      /* the reply is ready, perhaps waiting for its time */
    int64_t due_ms;        /* monotonic; 0: not suspended */
    struct exchange *next; /* of the suspended ones */
};

struct server {
    struct sandbox *sandbox;
    struct MHD_Daemon *daemons[DAEMONS];
    int port;
    FILE *log;
    char *cert, *key;
    struct exchange *waiting;
};

static size_t keep_escapes(void *arg, struct MHD_Connection *connection, char *text)
{
    (void)arg;
    (void)connection;
    return strlen(text);
}

static void *begin_exchange(void *arg, const char *uri, struct MHD_Connection *connection)
{
    struct exchange *x = xcalloc(1, sizeof(*x));

    x->server = arg;
    x->connection = connection;
    x->arena = arena_new();
    x->uri = xstrdup(uri);
    x->body = (struct buf)BUF_INIT(REQUEST_BODY_MAX);
    return x;
}

static void end_exchange(void *arg, struct MHD_Connection *connection, void **con_cls,
        enum MHD_RequestTerminationCode code)
{
    struct exchange *x = *con_cls;

    (void)arg;
    (void)connection;
    (void)code;
    if (x == NULL)
        return;
    for (struct exchange **at = &x->server->waiting; *at != NULL; at = &(*at)->next) {
        if (*at == x) {
            *at = x->next;
            break;
        }
    }
    buf_release(&x->body);
    reply_release(&x->reply);
    arena_free(x->arena);
    free(x->uri);
    free(x);
    *con_cls = NULL;
}

static const char *header(struct exchange *x, const char *name)
{
    const char *value = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);

    /* What is no text is as good as absent: it may end up in JSON. */
    return value == NULL || !text_is_utf8(str_of(value)) ? NULL : arena_text(x->arena, value);
}

static void note_request(struct server *v, const struct request *q, const struct reply *r)
{
    const char *version = request_query(q, "api-version");
    json_auto_t *line = json_pack("{s:I, s:s, s:s, s:s*, s:i, s:s*, s:s*}", "t_ms",
            (json_int_t)clock_wall_ms(), "method", q->method, "path", q->path, "api_version",
            version, "status", r->ending == REPLY_RESET ? 0 : r->status, "client_request_id",
            q->client_request_id, "correlation_id", q->correlation_id);

    if (v->log == NULL || line == NULL)
        return;
    AUTO(free) char *text = jsonx_dump(line);

    fputs(text, v->log);
    fputc('\n', v->log);
    fflush(v->log);
}

static void answer(struct exchange *x, const char *method)
{
    struct request q = { 0 };
    AUTO(err)
    struct err *e = x->body.is_overflown ? refuse(413, "RequestEntityTooLarge",
                            "The body is longer than %u bytes.", REQUEST_BODY_MAX)
                                         : request_parse(x->arena, method, x->uri, &q);
    const char *host = header(x, "Host");

    x->is_answered = true;
    if (e != NULL) {
        reply_error(&x->reply, e);
        return;
    }
    if (host != NULL)
        q.host = host;
    q.authorization = header(x, "Authorization");
    q.if_match = header(x, "If-Match");
    q.if_none_match = header(x, "If-None-Match");
    q.content_type = header(x, "Content-Type");
    q.client_request_id = header(x, "x-ms-client-request-id");
    q.correlation_id = header(x, "x-ms-correlation-request-id");
    q.body = buf_str(&x->body);
    sandbox_handle(x->server->sandbox, &q, &x->reply);
    note_request(x->server, &q, &x->reply);
}

/* Closes with a reset instead of an answer. */
static enum MHD_Result reset_connection(struct exchange *x)
{
    const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const struct linger now = { .l_onoff = 1, .l_linger = 0 };

    if (info != NULL)
        setsockopt(info->connect_fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    return MHD_NO;
}

struct cut_body {
    char *text;
    size_t len;
};

static ssize_t read_cut_body(void *arg, uint64_t at, char *out, size_t max)
{
    const struct cut_body *cut = arg;
    const size_t half = cut->len / 2;

    if (at >= half)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    const size_t n = half - (size_t)at < max ? half - (size_t)at : max;

    memcpy(out, cut->text + at, n);
    return (ssize_t)n;
}

static void free_cut_body(void *arg)
{
    struct cut_body *cut = arg;

    free(cut->text);
    free(cut);
}

static struct MHD_Response *make_response(const struct reply *r)
{
    char *text = r->text != NULL   ? xstrdup(r->text)
                 : r->body != NULL ? reply_dump(r->body)
                                   : xstrdup("");
    const size_t len = strlen(text);

    if (r->ending == REPLY_CUT && len > 1) {
        struct cut_body *cut = xcalloc(1, sizeof(*cut));

        *cut = (struct cut_body){ .text = text, .len = len };
        return MHD_create_response_from_callback(len, 4096, read_cut_body, cut, free_cut_body);
    }
    return MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
}

static enum MHD_Result send_reply(struct exchange *x)
{
    const struct reply *r = &x->reply;

    if (r->ending == REPLY_RESET)
        return reset_connection(x);
    struct MHD_Response *response = make_response(r);

    if (response == NULL)
        die_oom();
    if (r->body != NULL || r->text != NULL)
        MHD_add_response_header(response, "Content-Type",
                r->content_type == NULL ? "application/json; charset=utf-8" : r->content_type);
    for (size_t i = 0; i < r->header_count; i++)
        MHD_add_response_header(response, r->headers[i].name, r->headers[i].value);
    const enum MHD_Result result =
            MHD_queue_response(x->connection, (unsigned int)r->status, response);

    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result on_access(void *arg, struct MHD_Connection *connection, const char *url,
        const char *method, const char *version, const char *upload, size_t *upload_size,
        void **con_cls)
{
    struct exchange *x = *con_cls;

    (void)arg;
    (void)connection;
    (void)url;
    (void)version;
    if (!x->is_begun) {
        x->is_begun = true;
        return MHD_YES;
    }
    if (*upload_size > 0) {
        buf_add(&x->body, upload, *upload_size);
        *upload_size = 0;
        return MHD_YES;
    }
    if (!x->is_answered)
        answer(x, method);
    if (x->reply.delay_ms > 0 && x->due_ms == 0) {
        x->due_ms = clock_now_ms() + x->reply.delay_ms;
        x->next = x->server->waiting;
        x->server->waiting = x;
        MHD_suspend_connection(x->connection);
        return MHD_YES;
    }
    return send_reply(x);
}

static void resume_due(struct server *v, bool is_all)
{
    struct exchange **at = &v->waiting;

    while (*at != NULL) {
        struct exchange *x = *at;

        if (!is_all && x->due_ms > clock_now_ms()) {
            at = &x->next;
            continue;
        }
        *at = x->next;
        MHD_resume_connection(x->connection);
    }
}

static struct MHD_Daemon *listen_on(struct server *v, const struct sockaddr *address, bool is_ipv6)
{
    const unsigned int flags =
            MHD_USE_EPOLL | MHD_USE_TLS | MHD_ALLOW_SUSPEND_RESUME | (is_ipv6 ? MHD_USE_IPv6 : 0u);

    return MHD_start_daemon(flags, (uint16_t)v->port, NULL, NULL, on_access, v,
            MHD_OPTION_SOCK_ADDR, address, MHD_OPTION_HTTPS_MEM_KEY, v->key,
            MHD_OPTION_HTTPS_MEM_CERT, v->cert, MHD_OPTION_URI_LOG_CALLBACK, begin_exchange, v,
            MHD_OPTION_NOTIFY_COMPLETED, end_exchange, v, MHD_OPTION_UNESCAPE_CALLBACK,
            keep_escapes, NULL, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
            MHD_OPTION_CONNECTION_TIMEOUT, IDLE_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
            (size_t)65536, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_END);
}

static struct err *listen_all(struct server *v)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)v->port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };

    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    v->daemons[0] = listen_on(v, (const struct sockaddr *)&v4, false);
    if (v->daemons[0] == NULL)
        return err_new(ERR_NET, errno, "port %d of 127.0.0.1 can't be listened on", v->port);
    const union MHD_DaemonInfo *info =
            MHD_get_daemon_info(v->daemons[0], MHD_DAEMON_INFO_BIND_PORT);

    v->port = info == NULL ? v->port : info->port;
    v6.sin6_port = htons((uint16_t)v->port);
    v->daemons[1] = listen_on(v, (const struct sockaddr *)&v6, true);
    if (v->daemons[1] == NULL)
        log_info("sandbox.listen", "no IPv6: ::1 is not served");
    return NULL;
}

static struct err *read_text(const char *dir, const char *name, char **ret)
{
    AUTO(free) char *path = file_join(dir, name);
    AUTO(buf) struct buf text = BUF_INIT(65536);

    TRY(file_read(path, 65536, &text));
    *ret = buf_take(&text);
    return NULL;
}

static struct err *open_server(struct server *v)
{
    const char *dir = v->sandbox->o.dir;
    AUTO(free) char *log = file_join(dir, "requests.jsonl");

    TRY(read_text(dir, "server.pem", &v->cert));
    TRY(read_text(dir, "server-key.pem", &v->key));
    v->log = fopen(log, "ae");
    return listen_all(v);
}

struct err *server_open(struct sandbox *s, struct server **ret)
{
    struct server *v = xcalloc(1, sizeof(*v));

    v->sandbox = s;
    v->port = s->o.port;
    struct err *e = open_server(v);

    if (e != NULL) {
        server_close(v);
        return e;
    }
    *ret = v;
    return NULL;
}

void server_close(struct server *v)
{
    if (v == NULL)
        return;
    resume_due(v, true);
    for (size_t i = 0; i < DAEMONS; i++) {
        if (v->daemons[i] != NULL) {
            MHD_run(v->daemons[i]);
            MHD_stop_daemon(v->daemons[i]);
        }
    }
    if (v->log != NULL)
        fclose(v->log);
    free(v->cert);
    free(v->key);
    free(v);
}

int server_port(const struct server *v)
{
    return v->port;
}

/* The soonest of the sandbox's, the delayed answers' and the library's own times. */
static int wait_ms(const struct server *v)
{
    int64_t wait = sandbox_wait_ms(v->sandbox);

    for (const struct exchange *x = v->waiting; x != NULL; x = x->next) {
        const int left = clock_left_ms(x->due_ms);

        wait = left < wait ? left : wait;
    }
    for (size_t i = 0; i < DAEMONS; i++) {
        MHD_UNSIGNED_LONG_LONG timeout = 0;

        if (v->daemons[i] != NULL && MHD_get_timeout(v->daemons[i], &timeout) == MHD_YES
                && (int64_t)timeout < wait)
            wait = (int64_t)timeout;
    }
    return (int)wait;
}

void server_run(struct server *v)
{
    struct pollfd fds[DAEMONS + 1] = { { .fd = cancel_fd(), .events = POLLIN } };

    for (size_t i = 0; i < DAEMONS; i++) {
        const union MHD_DaemonInfo *info =
                v->daemons[i] == NULL
                        ? NULL
                        : MHD_get_daemon_info(v->daemons[i], MHD_DAEMON_INFO_EPOLL_FD);

        fds[i + 1] = (struct pollfd){ .fd = info == NULL ? -1 : info->epoll_fd, .events = POLLIN };
    }
    while (!cancel_is_asked()) {
        poll(fds, ARRAY_LEN(fds), wait_ms(v));
        resume_due(v, false);
        for (size_t i = 0; i < DAEMONS; i++) {
            if (v->daemons[i] != NULL)
                MHD_run(v->daemons[i]);
        }
        sandbox_tick(v->sandbox);
    }
}
