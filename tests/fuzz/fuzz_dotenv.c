/* .env: names are names and unique; every refused line has a place; no value is in a message. */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "stack/dotenv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena) struct arena *arena = arena_new();
    AUTO(diag) struct diag_list diags;
    AUTO(dotenv) struct dotenv d = { 0 };
    const struct str text = { .p = (const char *)data, .len = size };

    diag_init(&diags, arena);
    dotenv_parse(text, ".env", &diags, &d);
    require(d.count <= DOTENV_ENTRIES_MAX);
    for (size_t i = 0; i < d.count; i++) {
        const struct dotenv_entry *e = &d.entries[i];

        require(e->name[0] == '_' || isalpha((unsigned char)e->name[0]));
        require(dotenv_find(&d, str_of(e->name)) == e);
        require(e->place.line >= 1 && e->place.column >= 1);
    }
    for (size_t i = 0; i < diags.count; i++)
        require(diags.items[i].place.line >= 1 && diags.items[i].place.column >= 1);
    return 0;
}
