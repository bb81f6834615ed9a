/*
 * state_access.h - where a stack's state is kept and what it takes to get there: the loop that a
 * remote one runs on, the storage account's key or a login for it.
 */
#ifndef COMMANDS_STATE_ACCESS_H
#define COMMANDS_STATE_ACCESS_H

#include "commands/context.h"
#include "state/state.h"

struct http_loop;
struct http_options;
struct auth;

struct state_access {
    struct http_loop *own_loop; /* NULL: the caller's is used, or none is needed */
    struct auth *auth;
    struct secret *key;
};

/* --state, else the stack's `state:`, else NULL (the file beside the stack). Borrowed. */
const char *state_access_url(const struct context *c);
/* --resolver and --address-map, for the loop that requests go over. */
MUST_CHECK struct err *state_access_dial(struct context *c, struct http_options *h);
/*
 * Fills what `o` needs for its url: `loop` (NULL: one of its own, released with `a`), and for a
 * blob AZURE_STORAGE_KEY or else the login that `auth_method` (or NULL) names; with --target
 * sandbox the sandbox's own, and the names that it serves. `a` must outlive the state.
 */
MUST_CHECK struct err *state_access_fill(struct state_access *a, struct context *c,
        struct http_loop *loop, const char *auth_method, struct state_open *o);
void state_access_release(struct state_access *a);

static inline void auto_state_access(struct state_access *a)
{
    state_access_release(a);
}

#endif
