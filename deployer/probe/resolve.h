/*
 * resolve.h - one name, A and AAAA asked separately of a chosen resolver, each with its own
 * outcome: whether the record or the resolver is missing is the first fork of every diagnosis. By
 * c-ares.
 */
#ifndef PROBE_RESOLVE_H
#define PROBE_RESOLVE_H

#include <stddef.h>
#include <stdint.h>

#define RESOLVE_ADDRESSES_MAX 16u
#define RESOLVE_CNAMES_MAX 8u
#define RESOLVE_NAME_SIZE 256u

enum resolve_status {
    RESOLVE_OK,
    RESOLVE_NODATA,
    RESOLVE_NXDOMAIN,
    RESOLVE_SERVFAIL,
    RESOLVE_REFUSED,
    RESOLVE_TIMEOUT,
    RESOLVE_ERROR,
};

struct resolve_answer {
    enum resolve_status status;
    int family;
    unsigned char addresses[RESOLVE_ADDRESSES_MAX][16];
    size_t count;
    char cnames[RESOLVE_CNAMES_MAX][RESOLVE_NAME_SIZE]; /* behind the name, in order */
    size_t cname_count;
};

const char *resolve_status_name(enum resolve_status status);
/*
 * Asks for A and AAAA at once. `resolver` is "ADDRESS[:PORT]" or NULL for the system's. localhost
 * is answered from /etc/hosts, as getaddrinfo(3) does; nothing else is.
 */
void resolve_both(const char *resolver, const char *name, int64_t deadline_ms,
        struct resolve_answer *ret_a, struct resolve_answer *ret_aaaa);
/*
 * Reads the answer section of a DNS message (RFC 1035): the CNAME chain from `name` and the
 * addresses at its end. For messages from outside: every read is bounded.
 */
void resolve_parse(const unsigned char *message, size_t len, const char *name, int family,
        struct resolve_answer *ret);

#endif
