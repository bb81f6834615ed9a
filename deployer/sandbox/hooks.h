/*
 * hooks.h - what a few types do that no data describes: addresses from subnets, private endpoints
 * and the records that zone groups write, domains of container apps, a server's parameters. A
 * kind's file asks for one by its word in `hooks`.
 */
#ifndef SANDBOX_HOOKS_H
#define SANDBOX_HOOKS_H

#include "sandbox/sandbox.h"

/* Before a document is accepted; `body` as sent, `doc` as it would be kept (may be completed). */
MUST_CHECK struct err *hooks_check(
        const struct call *c, const json_t *body, json_t *doc, const struct resource *old);
/* After the document is in place. */
void hooks_made(struct sandbox *s, struct resource *r, bool is_new);
/* Before it goes. */
void hooks_removed(struct sandbox *s, struct resource *r);
/* What is counted when it is shown. */
void hooks_view(struct sandbox *s, const struct resource *r, json_t *out);

/* One hook: any of these may be NULL. */
struct hook {
    const char *word;
    struct err *(*check)(
            const struct call *c, const json_t *body, json_t *doc, const struct resource *old);
    void (*made)(struct sandbox *s, struct resource *r, bool is_new);
    void (*removed)(struct sandbox *s, struct resource *r);
    void (*view)(struct sandbox *s, const struct resource *r, json_t *out);
};

/* Tables that end with a NULL word. */
extern const struct hook hooks_network[];
extern const struct hook hooks_link[];
extern const struct hook hooks_app[];
extern const struct hook hooks_data[];
extern const struct hook hooks_other[];

/* Shared by the tables: texts and values of a resource; the setters take `value`. */
const char *hook_text(const struct resource *r, const char *path);
void hook_make(struct resource *r, const char *path, json_t *value);
/* The store's resource with this id, or NULL. */
struct resource *hook_find(const struct sandbox *s, const char *id);

#endif
