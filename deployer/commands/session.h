/*
 * session.h - from the name of a stack file to an engine that can look and act: model, login, state
 * and loop together. plan, apply, destroy, status, outputs, verify begin with it.
 */
#ifndef COMMANDS_SESSION_H
#define COMMANDS_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"
#include "commands/context.h"
#include "commands/state_access.h"
#include "engine/engine.h"
#include "http/loop.h"

struct cloud;
struct state;
struct progress;

struct session {
    struct context *context; /* borrowed */
    struct http_loop *loop;
    struct cloud *cloud;
    struct state *state;
    struct state_access access; /* of the state */
    struct engine *engine;
    struct progress *progress;
    size_t left;           /* of what an earlier run began, while that is waited for; else 0 */
    json_t *facts;         /* of the login: tenant, principal */
    struct http_dial dial; /* how names are resolved and addresses dialled; verify does the same */
    const char *ca_file;   /* further roots, or NULL */
};

struct session_options {
    const char *file;
    bool is_locked; /* for commands that change something */
    int64_t lock_timeout_ms;
    const char *auth;    /* --auth, or NULL */
    bool is_checked;     /* preflight first: nothing is asked of the cloud when it finds an error */
    const char *fail_on; /* of it: NULL is "error" */
    bool is_without_secrets; /* the stack's vault is not asked: what does not need them must work
                                without it */
};

/* The stack's model anew; on a sandbox its subscription is the one that the stack means. */
MUST_CHECK struct err *session_load_model(struct context *c, const char *file);
/*
 * Loads the stack, logs in, opens the state and makes the engine. The state's recorded target and
 * suffix count unless others were given. Nothing was read from the cloud yet.
 */
MUST_CHECK struct err *session_open(
        struct context *c, const struct session_options *o, struct session *ret);
/*
 * The model and the engine anew, with {ADDRESS: ID} of what is elsewhere than the names say. Only
 * while nothing is under way; session_refresh comes next.
 */
MUST_CHECK struct err *session_reload(struct session *s, const char *file, const json_t *ids);
/* engine_resume and engine_refresh, with progress. */
MUST_CHECK struct err *session_resume(struct session *s);
MUST_CHECK struct err *session_refresh(struct session *s);
/* Releases everything, in the order that it needs. Zeroed and half-opened ones are accepted. */
void session_close(struct session *s);
/* A digest of all that the files say, for saved plans. Owned. */
MUST_CHECK char *session_model_digest(const struct session *s);
/*
 * {SERVICE.NAME: {"value", "secret", "doc"}} of what services provide and show; secrets are
 * {"$secret": N} and unknown values {"$unknown"}. Owned.
 */
MUST_CHECK struct err *session_outputs(struct session *s, json_t **ret);
/* [TEXT] of the notes that hold now. Owned. */
MUST_CHECK struct err *session_notes(struct session *s, json_t **ret);

static inline void auto_session(struct session *s)
{
    session_close(s);
}

#endif
