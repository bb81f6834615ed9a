/*
 * view.h - the model as rules and lints look at it: one JSON document without secrets, in which
 * what is known before anything is deployed is filled in (names, ids, references to other bodies)
 * and the rest is {"$unknown"}. docs/lints.md describes it. No I/O.
 */
#ifndef LINT_VIEW_H
#define LINT_VIEW_H

#include <jansson.h>

#include "catalog/model.h"
#include "stack/stack.h"

struct lint_view {
    const struct model *model;
    const struct stack *stack;
    /*
     * {"stack": {"name", "environment", "location", "target"},
     *  "services": {USE: [{"name", "service", "use", "inputs", "needs"}]},
     *  "resources": {KIND: [{"address", "service", "part", "key", "kind", "title", "existing",
     * "id", "name", "parent", "on", "location", "body"}]}, "containers": [{"service", "use",
     * "name", "env": {NAME: value}}]}; owned
     */
    json_t *root;
    json_t **by_index; /* the views of model->resources, in their order; borrowed from root */
};

/* Borrows both. What can't be computed is unknown. */
void lint_view_init(struct lint_view *v, const struct model *m, const struct stack *s);
void lint_view_release(struct lint_view *v);
/* The view of one of the model's resources. Borrowed. */
const json_t *lint_view_resource(const struct lint_view *v, const struct resource *r);
/*
 * Where the stack file gives the input `input` ("clustering", "init.org_id") of a service, or the
 * variable `variable` of its containers; else where it names the service. `*ret_path` is what the
 * place is called ("services.redis.with.clustering"); owned.
 */
struct place lint_view_place(const struct lint_view *v, const char *service, const char *input,
        const char *variable, char **ret_path);
/* The input in which the stack file writes this value, if exactly one does. NULL; borrowed. */
const char *lint_view_input_of(const struct lint_view *v, const char *service, const json_t *value);

static inline void auto_lint_view(struct lint_view *v)
{
    lint_view_release(v);
}

#endif
