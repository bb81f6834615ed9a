/*
 * endpoint.h - one address of a service, as a URL says it, made into what a probe takes: the
 * target, and the secret apart from it. Which scheme is which protocol is known here; nothing of
 * any product is.
 */
#ifndef PROBE_ENDPOINT_H
#define PROBE_ENDPOINT_H

#include <stdbool.h>

#include <jansson.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/uri.h"

struct endpoint_options {
    const char *ca;          /* PEM file, or NULL */
    const char *server_name; /* or NULL */
    const char *tls;         /* "off", "require", "verify" in place of the scheme's; or NULL */
    bool is_cluster;         /* the application's client is a cluster client */
    bool is_write;
};

struct endpoint {
    const char *probe; /* static */
    json_t *target;    /* without the secret */
    struct secret *password;
    char *shown; /* the URL without secrets */
};

/*
 * Reads a URL: clickhouse, clickhouses (native), clickhouse+http(s), http(s), redis(s),
 * postgres(ql), tls, tcp, dns. Owned: endpoint_release.
 * Errors: ERR_USAGE another scheme, not one host, a port that is missing; what uri_parse says.
 */
MUST_CHECK struct err *endpoint_parse(
        struct str url, const struct endpoint_options *o, struct endpoint *ret);
/*
 * Two ports of one server: where `b` is HTTP or ClickHouse on the host of `a`, which is ClickHouse
 * too (or the reverse), `a` becomes both and true is returned.
 */
bool endpoint_join(struct endpoint *a, const struct endpoint *b);
void endpoint_release(struct endpoint *e);

static inline void auto_endpoint(struct endpoint *e)
{
    endpoint_release(e);
}

#endif
