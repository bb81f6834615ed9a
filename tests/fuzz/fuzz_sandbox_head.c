/* The head of a request at the ingress: host and target always lie inside the input. */
#include <stdint.h>
#include <stdlib.h>

#include "sandbox/relay_carry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require_inside(struct str part, struct str whole)
{
    if (part.len > 0 && (part.p < whole.p || part.p + part.len > whole.p + whole.len))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct str head = { .p = (const char *)data, .len = size };
    struct str host, target;

    carry_parse_head(head, &host, &target);
    require_inside(host, head);
    require_inside(target, head);
    for (size_t i = 0; i < host.len; i++)
        if (host.p[i] == '\n' || host.p[i] == ':')
            abort();
    return 0;
}
