#include "sandbox/hooks.h"

struct err *hooks_check(
        const struct call *c, const json_t *body, const json_t *doc, const struct resource *old)
{
    (void)c;
    (void)body;
    (void)doc;
    (void)old;
    return NULL;
}

void hooks_made(struct sandbox *s, struct resource *r, bool is_new)
{
    (void)s;
    (void)r;
    (void)is_new;
}

void hooks_removed(struct sandbox *s, struct resource *r)
{
    (void)s;
    (void)r;
}
