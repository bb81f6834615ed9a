#include "probe/conn.h"

#include <unistd.h>

#include "base/jsonx.h"

bool conn_open(const struct probe_job *job, json_t *evidence, uint16_t default_port,
        enum tls_mode default_tls, struct conn *ret)
{
    const char *host = jsonx_text(job->target, "host");
    const int64_t port = jsonx_int(job->target, "port", default_port);
    const struct tls_options o = tls_options_of(job->target, default_tls);

    if (host == NULL || host[0] == '\0' || port < 1 || port > 65535) {
        probe_failed(job, evidence, "target", STR("the target has no host and port"));
        return false;
    }
    if (!net_resolve(job, evidence, host, (uint16_t)port, &ret->addresses))
        return false;
    ret->fd = net_connect(job, evidence, &ret->addresses);
    if (ret->fd < 0)
        return false;
    return o.mode == TLS_MODE_OFF || tls_session_open(job, evidence, ret->fd, &o, &ret->tls);
}

bool conn_open_again(const struct probe_job *job, const struct conn *first,
        const struct tls_options *tls, struct conn *ret)
{
    json_auto_t *aside = jsonx_must(json_object());

    if (first->addresses.count == 0)
        return false;
    ret->addresses = first->addresses;
    ret->fd = net_connect_quietly(&first->addresses.items[0], job->deadline_ms);
    if (ret->fd < 0)
        return false;
    if (tls == NULL)
        return true;
    tls_session_open(job, aside, ret->fd, tls, &ret->tls);
    return ret->tls != NULL;
}

bool conn_send(struct conn *c, struct str bytes, int64_t deadline_ms)
{
    return c->tls != NULL ? tls_session_send(c->tls, bytes, deadline_ms)
                          : net_send(c->fd, bytes, deadline_ms);
}

ssize_t conn_recv(struct conn *c, void *p, size_t len, int64_t deadline_ms)
{
    return c->tls != NULL ? tls_session_recv(c->tls, p, len, deadline_ms)
                          : net_recv(c->fd, p, len, deadline_ms);
}

void conn_close(struct conn *c)
{
    tls_session_free(c->tls);
    c->tls = NULL;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}
