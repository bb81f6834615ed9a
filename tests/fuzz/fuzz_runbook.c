/* Arbitrary bytes as a runbook's file: findings with places or a whole runbook, no crash. */
#include <stddef.h>
#include <stdint.h>

#include "runbook/runbook.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena) struct arena *arena = arena_new();
    AUTO(diag) struct diag_list diags;
    struct runbooks set = { .arena = arena };

    diag_init(&diags, arena);
    runbook_add(&set, (struct str){ .p = (const char *)data, .len = size }, "runbooks/RED-001-x.md",
            &diags);
    if (set.count == 0 && diags.count == 0)
        __builtin_trap();
    return 0;
}
