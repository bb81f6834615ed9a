#include "probe/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "probe/resolve.h"

void net_address_text(const struct sockaddr_storage *address, char ret[NET_TEXT_SIZE])
{
    const void *raw = address->ss_family == AF_INET6
                              ? (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr
                              : (const void *)&((const struct sockaddr_in *)address)->sin_addr;

    if (inet_ntop(address->ss_family, raw, ret, NET_TEXT_SIZE) == NULL)
        ret[0] = '\0';
}

static bool is_private_v4(uint32_t a)
{
    return a >> 24 == 10 || a >> 20 == (172u << 4 | 1) || a >> 16 == (192u << 8 | 168)
           || a >> 22 == (100u << 2 | 1) || a >> 24 == 127 || a >> 16 == (169u << 8 | 254);
}

bool net_is_private(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return is_private_v4(ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr));
    const unsigned char *b = ((const struct sockaddr_in6 *)address)->sin6_addr.s6_addr;

    if (IN6_IS_ADDR_V4MAPPED(&((const struct sockaddr_in6 *)address)->sin6_addr))
        return is_private_v4(
                (uint32_t)b[12] << 24 | (uint32_t)b[13] << 16 | (uint32_t)b[14] << 8 | b[15]);
    return (b[0] & 0xfe) == 0xfc || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80)
           || IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

static void add_address(struct net_addresses *list, const struct probe_net *net, int family,
        const void *raw, uint16_t port)
{
    if (list->count == NET_ADDRESSES_MAX)
        return;
    struct net_address *a = &list->items[list->count++];

    *a = (struct net_address){ 0 };
    if (family == AF_INET6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a->told;

        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        memcpy(&in6->sin6_addr, raw, sizeof(in6->sin6_addr));
        a->len = sizeof(*in6);
        a->dialled = a->told;
    } else {
        struct sockaddr_in *in = (struct sockaddr_in *)&a->told;

        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        memcpy(&in->sin_addr, raw, sizeof(in->sin_addr));
        a->len = sizeof(*in);
        a->dialled = a->told;
        a->is_mapped = address_map_apply(
                &net->map, in->sin_addr, &((struct sockaddr_in *)&a->dialled)->sin_addr);
        if (a->is_mapped)
            ((struct sockaddr_in *)&a->dialled)->sin_port =
                    htons(address_map_port(&net->map, port));
    }
}

static bool add_literal(const struct probe_job *job, json_t *evidence, const char *host,
        uint16_t port, struct net_addresses *ret)
{
    unsigned char raw[16];
    const int family = inet_pton(AF_INET, host, raw) == 1    ? AF_INET
                       : inet_pton(AF_INET6, host, raw) == 1 ? AF_INET6
                                                             : 0;

    if (family == 0)
        return false;
    add_address(ret, job->net, family, raw, port);
    probe_fact(evidence, "dns.is_literal", json_true());
    return true;
}

static json_t *address_list(const struct resolve_answer *a)
{
    json_t *list = jsonx_must(json_array());

    for (size_t i = 0; i < a->count; i++) {
        char text[NET_TEXT_SIZE] = "";

        inet_ntop(a->family, a->addresses[i], text, sizeof(text));
        json_array_append_new(list, jsonx_must(json_string(text)));
    }
    return list;
}

static void record_dns(const struct probe_job *job, json_t *evidence, const char *host,
        const struct resolve_answer *a, const struct resolve_answer *aaaa,
        const struct net_addresses *found)
{
    const struct resolve_answer *chain = a->cname_count >= aaaa->cname_count ? a : aaaa;
    json_t *cnames = jsonx_must(json_array());
    json_t *all = address_list(a);
    json_auto_t *v6 = address_list(aaaa);
    bool has_privatelink = false;
    bool all_private = true;

    json_array_extend(all, v6);
    for (size_t i = 0; i < chain->cname_count; i++) {
        has_privatelink = has_privatelink || strstr(chain->cnames[i], "privatelink.") != NULL;
        json_array_append_new(cnames, jsonx_must(json_string(chain->cnames[i])));
    }
    for (size_t i = 0; i < found->count; i++)
        all_private = all_private && net_is_private(&found->items[i].told);
    probe_fact(evidence, "dns.name", jsonx_must(json_string(host)));
    probe_fact(evidence, "dns.resolver",
            jsonx_must(json_string(job->net->resolver == NULL ? "system" : job->net->resolver)));
    probe_fact(evidence, "dns.a_status", jsonx_must(json_string(resolve_status_name(a->status))));
    probe_fact(evidence, "dns.aaaa_status",
            jsonx_must(json_string(resolve_status_name(aaaa->status))));
    probe_fact(evidence, "dns.a", address_list(a));
    probe_fact(evidence, "dns.aaaa", address_list(aaaa));
    probe_fact(evidence, "dns.addresses", all);
    probe_fact(evidence, "dns.cnames", cnames);
    probe_fact(evidence, "dns.has_privatelink", json_boolean(has_privatelink));
    if (found->count > 0) {
        probe_fact(evidence, "dns.all_private", json_boolean(all_private));
        probe_fact(evidence, "dns.any_public", json_boolean(!all_private));
    }
    const json_t *expected = json_object_get(job->target, "expect_private");

    if (json_is_boolean(expected))
        probe_fact(evidence, "dns.expected_private", json_boolean(json_is_true(expected)));
}

bool net_resolve(const struct probe_job *job, json_t *evidence, const char *host, uint16_t port,
        struct net_addresses *ret)
{
    *ret = (struct net_addresses){ 0 };
    probe_step(evidence, "dns");
    if (add_literal(job, evidence, host, port, ret))
        return true;
    struct resolve_answer a;
    struct resolve_answer aaaa;
    const int64_t started_ms = clock_now_ms();

    resolve_both(job->net->resolver, host, job->deadline_ms, &a, &aaaa);
    for (size_t i = 0; i < a.count; i++)
        add_address(ret, job->net, AF_INET, a.addresses[i], port);
    for (size_t i = 0; i < aaaa.count; i++)
        add_address(ret, job->net, AF_INET6, aaaa.addresses[i], port);
    record_dns(job, evidence, host, &a, &aaaa, ret);
    probe_fact(evidence, "dns.duration_ms", json_integer(clock_now_ms() - started_ms));
    if (ret->count > 0)
        return true;
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);

    buf_addf(&text, "%s does not resolve: A %s, AAAA %s", host, resolve_status_name(a.status),
            resolve_status_name(aaaa.status));
    probe_failed(job, evidence, resolve_status_name(a.status), buf_str(&text));
    return false;
}

bool net_wait(int fd, short events, int64_t deadline_ms)
{
    /* After a signal nobody waits for anything: the rest of the probe fails at once. */
    struct pollfd p[] = { { .fd = fd, .events = events }, { .fd = cancel_fd(), .events = POLLIN } };

    for (;;) {
        const int rc = poll(p, ARRAY_LEN(p), clock_left_ms(deadline_ms));

        if (rc > 0)
            return p[1].revents == 0;
        if (rc == 0 || errno != EINTR)
            return false;
    }
}

int net_connect_quietly(const struct net_address *address, int64_t deadline_ms)
{
    AUTO(fd)
    int fd = socket(address->dialled.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int errnum = 0;
    socklen_t len = sizeof(errnum);

    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)&address->dialled, address->len) != 0) {
        if (errno != EINPROGRESS)
            return -1;
        if (!net_wait(fd, POLLOUT, deadline_ms)) {
            errno = ETIMEDOUT;
            return -1;
        }
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &errnum, &len) != 0 || errnum != 0) {
            errno = errnum;
            return -1;
        }
    }
    const int connected = fd;

    fd = -1;
    return connected;
}

static const char *connect_status(int errnum)
{
    switch (errnum) {
    case 0:
        return "ok";
    case ECONNREFUSED:
        return "refused";
    case ETIMEDOUT:
        return "timeout";
    case ECONNRESET:
        return "reset";
    default:
        return "unreachable";
    }
}

static void record_attempt(json_t *evidence, json_t *attempts, const struct net_address *a,
        int errnum, int64_t took_ms)
{
    char told[NET_TEXT_SIZE];
    char dialled[NET_TEXT_SIZE];
    json_t *o = jsonx_must(json_object());

    net_address_text(&a->told, told);
    net_address_text(&a->dialled, dialled);
    probe_fact(o, "address", jsonx_must(json_string(told)));
    probe_fact(o, "family", jsonx_must(json_string(a->told.ss_family == AF_INET6 ? "6" : "4")));
    probe_fact(o, "status", jsonx_must(json_string(connect_status(errnum))));
    probe_fact(o, "ms", json_integer(took_ms));
    if (errnum != 0)
        probe_fact(o, "errno", jsonx_must(json_string(strerrorname_np(errnum))));
    json_array_append_new(attempts, o);
    probe_fact(evidence, "tcp.status", jsonx_must(json_string(connect_status(errnum))));
    probe_fact(evidence, "tcp.address", jsonx_must(json_string(told)));
    if (a->is_mapped)
        probe_fact(evidence, "tcp.mapped_address", jsonx_must(json_string(dialled)));
    probe_fact(evidence, "tcp.port",
            json_integer(ntohs(((const struct sockaddr_in *)&a->told)->sin_port)));
    probe_fact(evidence, "tcp.connect_ms", json_integer(took_ms));
}

int net_connect(
        const struct probe_job *job, json_t *evidence, const struct net_addresses *addresses)
{
    json_t *attempts = jsonx_must(json_array());
    int errnum = EHOSTUNREACH;

    probe_step(evidence, "tcp");
    probe_fact(evidence, "tcp.attempts", attempts);
    for (size_t i = 0; i < addresses->count; i++) {
        const int64_t started_ms = clock_now_ms();
        /* No address may use up the time of those after it. */
        const int64_t share_ms = (job->deadline_ms - started_ms) / (int64_t)(addresses->count - i);
        const int fd = net_connect_quietly(&addresses->items[i], started_ms + share_ms);

        errnum = fd >= 0 ? 0 : errno;
        record_attempt(
                evidence, attempts, &addresses->items[i], errnum, clock_now_ms() - started_ms);
        if (fd >= 0)
            return fd;
    }
    char reason[128];
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);

    buf_addf(&text, "connect: %s", strerror_r(errnum, reason, sizeof(reason)));
    probe_failed(job, evidence, strerrorname_np(errnum), buf_str(&text));
    return -1;
}

int net_dial(const struct probe_job *job, json_t *evidence, uint16_t default_port)
{
    const char *host = jsonx_text(job->target, "host");
    const int64_t port = jsonx_int(job->target, "port", default_port);
    struct net_addresses addresses;

    if (host == NULL || host[0] == '\0' || port < 1 || port > 65535) {
        probe_failed(job, evidence, "target", STR("the target has no host and port"));
        return -1;
    }
    if (!net_resolve(job, evidence, host, (uint16_t)port, &addresses))
        return -1;
    return net_connect(job, evidence, &addresses);
}

bool net_send(int fd, struct str bytes, int64_t deadline_ms)
{
    while (bytes.len > 0) {
        const ssize_t n = send(fd, bytes.p, bytes.len, MSG_NOSIGNAL);

        if (n > 0) {
            bytes = str_slice(bytes, (size_t)n, bytes.len);
        } else if (n < 0 && errno == EAGAIN) {
            if (!net_wait(fd, POLLOUT, deadline_ms)) {
                errno = ETIMEDOUT;
                return false;
            }
        } else if (n < 0 && errno != EINTR) {
            return false;
        }
    }
    return true;
}

ssize_t net_recv(int fd, void *p, size_t len, int64_t deadline_ms)
{
    for (;;) {
        const ssize_t n = recv(fd, p, len, 0);

        if (n >= 0 || (errno != EAGAIN && errno != EINTR))
            return n;
        if (errno == EAGAIN && !net_wait(fd, POLLIN, deadline_ms)) {
            errno = ETIMEDOUT;
            return -1;
        }
    }
}
