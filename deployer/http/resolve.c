#include "http/resolve.h"

#include <ares.h>
#include <netdb.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"

#define TRY_TIMEOUT_MS 2000
#define TRIES 3

struct lookup {
    struct lookup *next;
    struct resolve *owner;
    char *host;
    resolve_done *fn; /* NULL once nobody waits */
    void *arg;
};

struct resolve {
    ares_channel channel;
    struct address_map map;
    struct lookup *lookups;
};

static void pass_on(const struct resolve *r, const struct sockaddr *sa, resolve_done *fn, void *arg)
{
    char text[INET6_ADDRSTRLEN] = "";

    if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;

        memcpy(&v6, sa, sizeof(v6));
        inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
    } else {
        struct sockaddr_in v4;

        memcpy(&v4, sa, sizeof(v4));
        if (address_map_apply(&r->map, v4.sin_addr, &v4.sin_addr)) {
            /* mapped in place */
        }
        inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
    }
    fn(arg, text, NULL);
}

static struct lookup *unlink_lookup(struct lookup *l)
{
    struct lookup **at = &l->owner->lookups;

    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    return l;
}

static void on_addresses(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct lookup *l = unlink_lookup(arg);

    (void)timeouts;
    if (l->fn != NULL && status == ARES_SUCCESS && info->nodes != NULL) {
        pass_on(l->owner, info->nodes->ai_addr, l->fn, l->arg);
    } else if (l->fn != NULL) {
        struct err *e = err_new(ERR_NET, status, "name %s: %s", l->host, ares_strerror(status));

        err_set_retryable(e,
                status == ARES_ETIMEOUT || status == ARES_ESERVFAIL || status == ARES_ECONNREFUSED);
        l->fn(l->arg, NULL, e);
    }
    if (info != NULL)
        ares_freeaddrinfo(info);
    free(l->host);
    free(l);
}

struct err *resolve_new(const struct http_dial *dial, struct resolve **ret)
{
    if (dial->resolver == NULL && (dial->map == NULL || dial->map->count == 0))
        return NULL;
    struct resolve *r = xcalloc(1, sizeof(*r));
    struct ares_options options = { .timeout = TRY_TIMEOUT_MS, .tries = TRIES };

    if (dial->map != NULL)
        r->map = *dial->map;
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS
            || ares_init_options(&r->channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES)
                       != ARES_SUCCESS)
        die_oom();
    if (dial->resolver != NULL
            && ares_set_servers_ports_csv(r->channel, dial->resolver) != ARES_SUCCESS) {
        resolve_free(r);
        return err_new(ERR_USAGE, 0,
                "the resolver '%s' is not ADDRESS[:PORT], such as 10.0.0.4 or 10.0.0.4:5353",
                dial->resolver);
    }
    *ret = r;
    return NULL;
}

struct err *resolve_check(const char *resolver)
{
    struct resolve *r = NULL;

    TRY(resolve_new(&(struct http_dial){ .resolver = resolver }, &r));
    resolve_free(r);
    return NULL;
}

void resolve_free(struct resolve *r)
{
    if (r == NULL)
        return;
    for (struct lookup *l = r->lookups; l != NULL; l = l->next)
        l->fn = NULL;
    ares_destroy(r->channel); /* calls back for each lookup, which frees it */
    ares_library_cleanup();
    free(r);
}

static bool is_address(const char *host, struct sockaddr_storage *ret)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1)
        memcpy(ret, &v4, sizeof(v4));
    else if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1)
        memcpy(ret, &v6, sizeof(v6));
    else
        return false;
    return true;
}

/* RFC 6761, 6.3: no server is asked for names under localhost. */
static bool is_loopback_name(const char *host)
{
    return str_eq_ci(str_of(host), STR("localhost"))
           || str_ends_ci(str_of(host), STR(".localhost"));
}

void resolve_start(struct resolve *r, const char *host, resolve_done *fn, void *arg)
{
    struct sockaddr_storage literal = { 0 };
    const struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };

    if (is_loopback_name(host))
        host = "127.0.0.1";
    if (is_address(host, &literal)) {
        pass_on(r, (const struct sockaddr *)&literal, fn, arg);
        return;
    }
    struct lookup *l = xcalloc(1, sizeof(*l));

    *l = (struct lookup){
        .next = r->lookups, .owner = r, .host = xstrdup(host), .fn = fn, .arg = arg
    };
    r->lookups = l;
    ares_getaddrinfo(r->channel, host, NULL, &hints, on_addresses, l);
}

void resolve_cancel(struct resolve *r, const void *arg)
{
    if (r == NULL)
        return;
    for (struct lookup *l = r->lookups; l != NULL; l = l->next) {
        if (l->arg == arg)
            l->fn = NULL;
    }
}

size_t resolve_fds(struct resolve *r, struct curl_waitfd *fds, int *timeout_ms)
{
    ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    struct timeval longest = { .tv_sec = *timeout_ms / 1000,
        .tv_usec = (*timeout_ms % 1000) * 1000 };
    struct timeval left = longest;
    size_t n = 0;

    if (r == NULL || r->lookups == NULL)
        return 0;
    /* c-ares' own macros shift into the sign bit of an int. */
    const unsigned bits = (unsigned)ares_getsock(r->channel, sockets, ARES_GETSOCK_MAXNUM);

    for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
        const bool reads = (bits >> i & 1u) != 0;
        const bool writes = (bits >> (i + ARES_GETSOCK_MAXNUM) & 1u) != 0;

        if (reads || writes)
            fds[n++] = (struct curl_waitfd){ .fd = sockets[i],
                .events = (short)((reads ? CURL_WAIT_POLLIN : 0)
                                  | (writes ? CURL_WAIT_POLLOUT : 0)) };
    }
    const struct timeval *tv = ares_timeout(r->channel, &longest, &left);

    *timeout_ms = (int)(tv->tv_sec * 1000 + (tv->tv_usec + 999) / 1000);
    return n;
}

void resolve_process(struct resolve *r, const struct curl_waitfd *fds, size_t count)
{
    if (r == NULL || r->lookups == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        if (fds[i].revents != 0)
            ares_process_fd(r->channel, fds[i].fd,
                    (fds[i].events & CURL_WAIT_POLLOUT) != 0 ? fds[i].fd : ARES_SOCKET_BAD);
    }
    ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* its time-outs */
}
