#include "probe/resolve.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <strings.h>

#include <ares.h>

#include "base/alloc.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/str.h"

static const char *const status_names[] = { "ok", "nodata", "nxdomain", "servfail", "refused",
    "timeout", "error" };
_Static_assert(ARRAY_LEN(status_names) == RESOLVE_ERROR + 1, "one name a status");

const char *resolve_status_name(enum resolve_status status)
{
    return status_names[status];
}

static enum resolve_status status_of(int ares_status)
{
    switch (ares_status) {
    case ARES_SUCCESS:
        return RESOLVE_OK;
    case ARES_ENODATA:
        return RESOLVE_NODATA;
    case ARES_ENOTFOUND:
        return RESOLVE_NXDOMAIN;
    case ARES_ESERVFAIL:
        return RESOLVE_SERVFAIL;
    case ARES_EREFUSED:
        return RESOLVE_REFUSED;
    case ARES_ETIMEOUT:
    case ARES_ECONNREFUSED: /* nobody answers at the resolver's address */
    case ARES_ECANCELLED:
    case ARES_EDESTRUCTION:
        return RESOLVE_TIMEOUT;
    default:
        return RESOLVE_ERROR;
    }
}

struct record {
    char owner[RESOLVE_NAME_SIZE];
    unsigned type;
    const unsigned char *data;
    size_t data_len;
};

/* Expands the name at `p`; returns the bytes it takes there, or 0. */
static size_t expand(const unsigned char *message, size_t len, const unsigned char *p,
        char ret[RESOLVE_NAME_SIZE])
{
    char *name = NULL;
    long taken = 0;

    if (ares_expand_name(p, message, (int)len, &name, &taken) != ARES_SUCCESS)
        return 0;
    snprintf(ret, RESOLVE_NAME_SIZE, "%s", name);
    ares_free_string(name);
    return (size_t)taken;
}

/* Reads the record at *at and moves behind it; false at the end or where it is cut off. */
static bool next_record(const unsigned char *message, size_t len, size_t *at, struct record *ret)
{
    const size_t name_len = *at < len ? expand(message, len, message + *at, ret->owner) : 0;

    if (name_len == 0 || len - *at < name_len + 10)
        return false;
    const unsigned char *p = message + *at + name_len;

    ret->type = (unsigned)p[0] << 8 | p[1];
    ret->data_len = (size_t)p[8] << 8 | p[9];
    ret->data = p + 10;
    if (len - *at - name_len - 10 < ret->data_len)
        return false;
    *at += name_len + 10 + ret->data_len;
    return true;
}

static size_t skip_questions(const unsigned char *message, size_t len, unsigned count)
{
    size_t at = 12;
    char name[RESOLVE_NAME_SIZE];

    for (unsigned i = 0; i < count; i++) {
        const size_t n = at < len ? expand(message, len, message + at, name) : 0;

        if (n == 0 || len - at < n + 4)
            return 0;
        at += n + 4;
    }
    return at;
}

static void take_record(const unsigned char *message, size_t len, const struct record *r,
        char current[RESOLVE_NAME_SIZE], struct resolve_answer *ret)
{
    const bool is_v6 = ret->family == AF_INET6;

    if (strcasecmp(r->owner, current) != 0)
        return;
    if (r->type == ns_t_cname && ret->cname_count < RESOLVE_CNAMES_MAX) {
        if (expand(message, len, r->data, current) == 0)
            return;
        memcpy(ret->cnames[ret->cname_count++], current, RESOLVE_NAME_SIZE);
    } else if (r->type == (unsigned)(is_v6 ? ns_t_aaaa : ns_t_a)
               && r->data_len == (is_v6 ? 16u : 4u) && ret->count < RESOLVE_ADDRESSES_MAX) {
        memcpy(ret->addresses[ret->count++], r->data, r->data_len);
    }
}

void resolve_parse(const unsigned char *message, size_t len, const char *name, int family,
        struct resolve_answer *ret)
{
    char current[RESOLVE_NAME_SIZE];

    ret->family = family;
    if (len < 12)
        return;
    const unsigned questions = (unsigned)message[4] << 8 | message[5];
    const unsigned answers = (unsigned)message[6] << 8 | message[7];
    const size_t start = skip_questions(message, len, questions);

    snprintf(current, sizeof(current), "%s", name);
    /* Servers put the chain in order; a second pass covers those that don't. */
    for (int pass = 0; start != 0 && pass < 2 && ret->count == 0; pass++) {
        size_t at = start;
        struct record r;

        for (unsigned i = 0; i < answers && next_record(message, len, &at, &r); i++)
            take_record(message, len, &r, current, ret);
    }
}

struct query {
    struct resolve_answer *answer;
    const char *name;
    bool is_done;
};

static void on_answer(void *arg, int status, int timeouts, unsigned char *message, int len)
{
    struct query *q = arg;

    (void)timeouts;
    q->is_done = true;
    q->answer->status = status_of(status);
    if (message != NULL && len > 0)
        resolve_parse(message, (size_t)len, q->name, q->answer->family, q->answer);
    if (q->answer->status == RESOLVE_OK && q->answer->count == 0)
        q->answer->status = RESOLVE_NODATA;
}

static void wait_for_both(
        ares_channel channel, const struct query *a, const struct query *b, int64_t deadline_ms)
{
    while (!a->is_done || !b->is_done) {
        ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
        struct pollfd fds[ARES_GETSOCK_MAXNUM + 1];
        const unsigned mask = (unsigned)ares_getsock(channel, sockets, ARES_GETSOCK_MAXNUM);
        struct timeval max = { .tv_sec = clock_left_ms(deadline_ms) / 1000,
            .tv_usec = clock_left_ms(deadline_ms) % 1000 * 1000 };
        struct timeval tv;
        nfds_t n = 0;

        if (clock_left_ms(deadline_ms) == 0 || cancel_is_asked())
            return;
        for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
            const bool reads = (mask & 1u << i) != 0;
            const bool writes = (mask & 1u << (i + ARES_GETSOCK_MAXNUM)) != 0;

            if (reads || writes)
                fds[n++] = (struct pollfd){ .fd = sockets[i],
                    .events = (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0)) };
        }
        const struct timeval *t = ares_timeout(channel, &max, &tv);

        fds[n] = (struct pollfd){ .fd = cancel_fd(), .events = POLLIN };
        poll(fds, n + 1, (int)(t->tv_sec * 1000 + t->tv_usec / 1000) + 1);
        for (nfds_t i = 0; i < n; i++)
            ares_process_fd(channel,
                    (fds[i].revents & (POLLIN | POLLERR | POLLHUP)) != 0 ? fds[i].fd
                                                                         : ARES_SOCKET_BAD,
                    (fds[i].revents & POLLOUT) != 0 ? fds[i].fd : ARES_SOCKET_BAD);
        ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    }
}

static void answer_localhost(struct resolve_answer *a, struct resolve_answer *aaaa)
{
    static const unsigned char v4[4] = { 127, 0, 0, 1 };

    a->status = RESOLVE_OK;
    a->count = 1;
    memcpy(a->addresses[0], v4, sizeof(v4));
    aaaa->status = RESOLVE_NODATA;
}

void resolve_both(const char *resolver, const char *name, int64_t deadline_ms,
        struct resolve_answer *ret_a, struct resolve_answer *ret_aaaa)
{
    /* NOCHECKRESP: a REFUSED or SERVFAIL is an answer to tell of, not a server to pass over. */
    struct ares_options options = {
        .timeout = 2000, .tries = 3, .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOCHECKRESP
    };
    struct query a = { .answer = ret_a, .name = name };
    struct query aaaa = { .answer = ret_aaaa, .name = name };
    ares_channel channel = NULL;

    *ret_a = (struct resolve_answer){ .status = RESOLVE_ERROR, .family = AF_INET };
    *ret_aaaa = (struct resolve_answer){ .status = RESOLVE_ERROR, .family = AF_INET6 };
    if (strcasecmp(name, "localhost") == 0) {
        answer_localhost(ret_a, ret_aaaa);
        return;
    }
    if (ares_init_options(&channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_FLAGS)
            != ARES_SUCCESS)
        return;
    if (resolver != NULL && ares_set_servers_ports_csv(channel, resolver) != ARES_SUCCESS) {
        ares_destroy(channel);
        return;
    }
    ares_query(channel, name, ns_c_in, ns_t_a, on_answer, &a);
    ares_query(channel, name, ns_c_in, ns_t_aaaa, on_answer, &aaaa);
    wait_for_both(channel, &a, &aaaa, deadline_ms);
    ares_destroy(channel); /* what is still open ends as a time-out */
}
