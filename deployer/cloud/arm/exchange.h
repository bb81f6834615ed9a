/*
 * exchange.h - one HTTP request with retries of what is transient, for what isn't ARM itself: token
 * endpoints, metadata services. Owns copies of all it needs.
 */
#ifndef ARM_EXCHANGE_H
#define ARM_EXCHANGE_H

#include "http/loop.h"

struct exchange;

/* The response as of http_done; the exchange frees itself afterwards. */
typedef void exchange_done(void *arg, struct http_response *r);

struct exchange_spec {
    const char *method;
    const char *url;
    const char *headers[6];  /* NULL at the end */
    const char *secret_name; /* a header with a secret value, or NULL */
    const char *secret_prefix;
    struct secret *secret;
    struct buf *body; /* taken (emptied), NULL: none */
    int64_t deadline_ms;
    int64_t timeout_ms;         /* of one try */
    unsigned tries;             /* 0: 4 */
    bool (*again)(long status); /* NULL: retry_status_is_transient */
    bool is_direct;             /* link-local: see http_request */
    exchange_done *done;
    void *arg;
};

struct exchange *exchange_start(struct http_loop *loop, const struct exchange_spec *spec);
/* Gives it up without calling back. NULL is accepted. */
void exchange_cancel(struct exchange *x);

#endif
