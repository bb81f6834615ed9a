/*
 * control.h - the control plane's half of a check: what the documents of the resources that it is
 * about say. It works where the private network can't be reached, too. What is told of a kind
 * stands in its file (docs/catalog.md, "facts").
 */
#ifndef VERIFY_CONTROL_H
#define VERIFY_CONTROL_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "catalog/kind.h"
#include "verify/verify.h"

/* A resource as it was last read. Borrowed. */
struct control_view {
    const struct kind *kind;
    const char *id;
    const json_t *document; /* NULL: it is not there, or reading it is not allowed */
    bool is_denied;
};

struct control_source {
    void *arg;
    /* false: not known, or not looked up. */
    bool (*look)(void *arg, const char *address, struct control_view *ret);
    /*
     * Answers {KEY: {"address", "method", "path"}} by setting "answer", or "error" (a text), in
     * each. NULL: nothing more can be asked.
     */
    struct err *(*ask)(void *arg, json_t *questions);
    struct err *(*resolve)(void *arg, const json_t *doc, json_t **ret);
    /* Why the service's containers have no process behind them, or NULL. */
    const char *(*not_running)(void *arg, const char *service);
};

/*
 * Adds arm.* and net.* to the evidence of each job that ran or was skipped. Requests are made only
 * for those that did not pass.
 */
MUST_CHECK struct err *verify_control(
        struct verify_jobs *jobs, const struct control_source *source);

#endif
