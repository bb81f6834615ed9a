/*
 * loop.h - one event loop over one libcurl multi handle, owned by the main thread: requests,
 * timers, foreign descriptors. It decides nothing about retries (retry.h) or pace (pace.h) and
 * follows no redirects: a token must not reach another host.
 *
 * Every callback runs from http_loop_run, never from within the call that asked for it, and never
 * inside one of curl's own callbacks. All functions but http_loop_wake: the owner's thread only.
 * Authorization, secret headers and bodies are never logged; URLs without their query.
 */
#ifndef HTTP_LOOP_H
#define HTTP_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address_map.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"

struct http_loop;

/* Caps of one response. */
#define HTTP_HEADERS_MAX (64u << 10)
#define HTTP_BODY_MAX (16u << 20)

/* How names become addresses and addresses are reached. */
struct http_dial {
    const char *resolver;          /* DNS server "ADDRESS[:PORT]", or NULL: the system's */
    const struct address_map *map; /* or NULL */
};

struct http_options {
    const char *ca_file; /* PEM bundle that replaces the system's, or NULL */
    struct http_dial dial;
};

/* ERR_USAGE for a resolver that is no address. The options are copied. */
MUST_CHECK struct err *http_loop_new(const struct http_options *o, struct http_loop **ret);
/* Drops whatever is under way without calling back. NULL is accepted. */
void http_loop_free(struct http_loop *loop);

/* A header whose value is a secret: "Authorization" "Bearer " VALUE. */
struct http_secret_header {
    const char *name;
    const char *prefix;
    struct secret *value;
};

struct http_response {
    struct err *e; /* there was no (whole) answer; the callback may TAKE it. NULL: status is set */
    long status;
    struct buf body; /* the callback may take it */
    char *headers;   /* "name: value" lines, names in lower case; see http_response_header */
    const char *method;
    const char *url;
    unsigned id; /* what http_send returned */
    int64_t elapsed_ms;
    int64_t received_ms; /* monotonic */
};

typedef void http_done(void *arg, struct http_response *response);

struct http_request {
    const char *method;
    const char *url;            /* http or https */
    const char *const *headers; /* "Name: value", NULL at the end; or NULL */
    const struct http_secret_header *secrets;
    size_t secret_count;
    struct str body;            /* borrowed until the callback: the owner wipes it */
    int64_t deadline_ms;        /* monotonic; ERR_TIMEOUT then */
    int64_t timeout_ms;         /* of this attempt, 0: until the deadline */
    int64_t connect_timeout_ms; /* 0: 15 s */
    size_t max_response_bytes;  /* 0: HTTP_BODY_MAX; ERR_LIMIT beyond it */
    bool is_secret_response;    /* the body's memory is wiped */
    bool is_direct;             /* no proxy, no address map, no own resolver: link-local services */
    bool is_once; /* on a new connection: curl itself repeats what a reused one lost */
    http_done *done;
    void *arg;
};

/*
 * Starts a request; all of `r` but the body is copied. Failures of any sort come by the callback.
 * Returns its number, never 0.
 * Errors in the response: ERR_NET, ERR_TLS, ERR_TIMEOUT, ERR_LIMIT, ERR_PROTO, with the CURLcode;
 * err_is_retryable tells whether an idempotent request may be sent again.
 */
unsigned http_send(struct http_loop *loop, const struct http_request *r);
/* Gives a request up without calling back. An unknown number is ignored. */
void http_cancel(struct http_loop *loop, unsigned id);
/* The value of the first header of that name (any case), cut from its line into `ret`; false if
 * there is none. Borrowed from the response. */
bool http_response_header(const struct http_response *r, const char *name, struct str *ret);

typedef void http_timer_fn(void *arg);
/* Calls fn once, in `ms` or as soon as the loop runs after that. Returns its number, never 0. */
unsigned http_loop_after(struct http_loop *loop, int64_t ms, http_timer_fn *fn, void *arg);
void http_loop_drop_timer(struct http_loop *loop, unsigned id);

typedef void http_watch_fn(void *arg, int fd, short events);
/*
 * Calls fn whenever poll(2) reports `events` (or an error) on `fd`, until http_loop_unwatch; for
 * libraries with sockets of their own. A second call for an fd replaces the first.
 */
void http_loop_watch(struct http_loop *loop, int fd, short events, http_watch_fn *fn, void *arg);
void http_loop_unwatch(struct http_loop *loop, int fd);
/* Makes http_loop_run look at its condition again; from any thread. */
void http_loop_wake(struct http_loop *loop);

/*
 * Runs until until(arg) holds. Errors: ERR_CANCELED once after the first signal (a later call runs
 * on, so that what is under way can be recorded); ERR_TIMEOUT at deadline_ms (INT64_MAX: none);
 * ERR_INTERNAL when nothing is left that could make the condition true.
 */
MUST_CHECK struct err *http_loop_run(
        struct http_loop *loop, bool (*until)(void *arg), void *arg, int64_t deadline_ms);

/* What one request came to, for tests, traces and counts. Borrowed during the call. */
struct http_record {
    const char *method;
    const char *url;
    long status; /* 0 without an answer */
    int64_t elapsed_ms;
    size_t sent_bytes;
    size_t received_bytes;
    bool is_new_connection;
};
void http_loop_set_hook(struct http_loop *loop,
        void (*hook)(void *arg, const struct http_record *record), void *arg);
/* Requests sent so far. */
unsigned http_loop_count(const struct http_loop *loop);

#endif
