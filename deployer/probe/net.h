/*
 * net.h - names to addresses (c-ares, so that the resolver can be chosen) and addresses to
 * connected sockets, with what was seen on the way as facts dns.* and tcp.*. For probes; blocking
 * until a deadline.
 */
#ifndef PROBE_NET_H
#define PROBE_NET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "probe/probe.h"

#define NET_ADDRESSES_MAX 16u

struct net_address {
    struct sockaddr_storage told;    /* as DNS told it */
    struct sockaddr_storage dialled; /* after the address map */
    socklen_t len;
    bool is_mapped;
};

struct net_addresses {
    struct net_address items[NET_ADDRESSES_MAX];
    size_t count;
};

/*
 * Resolves the target's host and records dns.*. False after probe_failed: no address.
 * A literal address is taken as it is.
 */
bool net_resolve(const struct probe_job *job, json_t *evidence, const char *host, uint16_t port,
        struct net_addresses *ret);
/*
 * Connects to the first address that answers and records tcp.*. Returns a non-blocking socket or -1
 * after probe_failed.
 */
int net_connect(
        const struct probe_job *job, json_t *evidence, const struct net_addresses *addresses);
/* Both, from the target's host and port (default_port where it has none; 0: required). */
int net_dial(const struct probe_job *job, json_t *evidence, uint16_t default_port);
/* Without facts: one address, a deadline; -1 and errno. */
int net_connect_quietly(const struct net_address *address, int64_t deadline_ms);
/* Waits for POLLIN/POLLOUT; false at the deadline, and at once when a signal asked for the end. */
bool net_wait(int fd, short events, int64_t deadline_ms);
/* Sends all; false with errno (ETIMEDOUT at the deadline). */
bool net_send(int fd, struct str bytes, int64_t deadline_ms);
/* One read: >0 bytes, 0 end of stream, -1 with errno (ETIMEDOUT at the deadline). */
ssize_t net_recv(int fd, void *p, size_t len, int64_t deadline_ms);
/* "10.20.0.5", "::1". */
#define NET_TEXT_SIZE 64
void net_address_text(const struct sockaddr_storage *address, char ret[NET_TEXT_SIZE]);
bool net_is_private(const struct sockaddr_storage *address);

static inline void auto_fd(int *fd)
{
    extern int close(int);

    if (*fd >= 0)
        close(*fd);
}

#endif
