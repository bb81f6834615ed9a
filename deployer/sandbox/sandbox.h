/*
 * sandbox.h - the sandbox as a whole, away from sockets: a request goes in, a reply comes out.
 * One thread. Time passes by sandbox_tick, which every request begins with as well.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "sandbox/kinds.h"
#include "sandbox/operations.h"
#include "sandbox/reply.h"
#include "sandbox/request.h"
#include "sandbox/rid.h"
#include "sandbox/store.h"

struct auth;
struct backend;
struct fault;
struct faults;

struct sandbox_options {
    const char *dir;
    int port;       /* 0: a free one */
    double latency; /* factor on the kinds' usual times; 0: immediate */
    bool has_services;
    const char *faults_file; /* or NULL */
    const char *images_file; /* or NULL */
};

struct sandbox {
    struct sandbox_options o;
    struct kinds *kinds;
    struct store store;
    struct operations ops;
    struct auth *auth;
    struct backend *backend;
    struct faults *faults;
    json_t *registrations; /* lower-case namespace -> "Registered", "Registering", "NotRegistered"
                            */
    char *state_file;
    char *report;                  /* as last written */
    int64_t saved_ms, reported_ms; /* monotonic */
};

/* Loads kinds and state from o->dir (made if it is missing); strings of `o` are borrowed. */
MUST_CHECK struct err *sandbox_open(const struct sandbox_options *o, struct sandbox **ret);
/* Saves, stops what it started. NULL is accepted. */
void sandbox_close(struct sandbox *s);
/* Answers one request; never fails. */
void sandbox_handle(struct sandbox *s, struct request *q, struct reply *r);
void sandbox_tick(struct sandbox *s);
/* How long until something is due, for the loop's wait. */
int sandbox_wait_ms(const struct sandbox *s);

/* Everything that the handling of one ARM call shares; lives as long as the request. */
struct call {
    struct sandbox *s;
    struct request *q;
    struct reply *r;
    struct rid *rid;
    const struct kind *kind;
    const char *api_version;
    const struct fault *fault;         /* what the script wants of this call, or NULL */
    const char *client_id, *object_id; /* the caller's, once its token was found good */
};

#endif
