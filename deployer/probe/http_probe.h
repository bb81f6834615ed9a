/*
 * http_probe.h - one HTTP request of a probe, for the probes of services that speak HTTP.
 */
#ifndef PROBE_HTTP_PROBE_H
#define PROBE_HTTP_PROBE_H

#include <stdbool.h>

#include "base/buf.h"
#include "probe/net.h"
#include "probe/tls_session.h"

struct http_probe_request {
    const char *url; /* its host goes into Host and the server name; the address is given apart */
    const char *method;         /* NULL: GET, or POST with a body */
    struct curl_slist *headers; /* or NULL; borrowed */
    bool has_body;
    struct str body;
};

/*
 * Sends it to `address` and records http.*. False after probe_failed: no HTTP answer. The body (up
 * to 1 MiB) goes to ret_body, the status to ret_status (both may be NULL).
 */
bool http_probe_request(const struct probe_job *job, json_t *evidence,
        const struct net_address *address, const struct tls_options *tls,
        const struct http_probe_request *r, struct buf *ret_body, long *ret_status);
/* Which well-known server answers, from http.headers and the body: facts http.is_*. */
void http_probe_recognise(json_t *evidence, struct str body);

#endif
