#include "cloud/arm/hold.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/num.h"

struct arm_hold {
    struct arm_hold *next;
    char *ns;
    unsigned class;
    int64_t until_ms;
};

static struct arm_hold *find(struct arm_hold *list, struct str ns, unsigned class)
{
    for (struct arm_hold *h = list; h != NULL; h = h->next) {
        if (h->class == class && str_eq_ci(str_of(h->ns), ns))
            return h;
    }
    return NULL;
}

void arm_hold_set(struct arm_hold **list, struct str ns, unsigned class, int64_t until_ms)
{
    struct arm_hold *h = find(*list, ns, class);

    if (h == NULL) {
        h = xcalloc(1, sizeof(*h));
        *h = (struct arm_hold){ .next = *list, .ns = str_dup(ns), .class = class };
        *list = h;
    }
    if (h->until_ms < until_ms)
        h->until_ms = until_ms;
}

int64_t arm_hold_wait_ms(struct arm_hold *list, struct str ns, unsigned class, int64_t now_ms)
{
    const struct arm_hold *h = find(list, ns, class);

    return h == NULL || h->until_ms <= now_ms ? 0 : h->until_ms - now_ms;
}

void arm_hold_free(struct arm_hold *list)
{
    while (list != NULL) {
        struct arm_hold *next = list->next;

        free(list->ns);
        free(list);
        list = next;
    }
}

int64_t arm_hold_remaining(struct str header)
{
    int64_t least = -1;

    while (header.p != NULL) {
        struct str policy = str_cut(&header, ',');
        int64_t n = 0;

        (void)str_cut(&policy, ';');
        if (policy.p == NULL)
            continue;
        struct err *e = num_parse_i64(str_trim(policy), 0, INT64_MAX, &n);

        if (e == NULL && (least < 0 || n < least))
            least = n;
        err_ignore(e, "what is no number says nothing");
    }
    return least;
}
