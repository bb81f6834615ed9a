/*
 * dotenv.h - reads .env files. The rules are those that shells, compose files and the dotenv
 * libraries agree on (docs/stack.md, ".env"); where they disagree there is a warning. Nothing is
 * expanded: ${X} in a value stays as it is. Pure.
 */
#ifndef STACK_DOTENV_H
#define STACK_DOTENV_H

#include <stddef.h>

#include "base/diag.h"
#include "base/str.h"

#define DOTENV_BYTES_MAX (1u << 20)
#define DOTENV_ENTRIES_MAX 2000u

struct dotenv_entry {
    char *name;
    char *value; /* NUL-terminated, without a NUL inside; wiped on release */
    struct place place;
};

/* Names are unique; in the order of the file. */
struct dotenv {
    struct dotenv_entry *entries;
    size_t count;
    size_t capacity;
};

/*
 * Adds the entries of `text` to `ret` (zeroed by the caller). What is wrong goes to `diags`, line
 * by line; the other lines still count. Values are never in a message.
 */
void dotenv_parse(struct str text, const char *file, struct diag_list *diags, struct dotenv *ret);
/* The last value given to a name, or NULL. */
const struct dotenv_entry *dotenv_find(const struct dotenv *d, struct str name);
void dotenv_release(struct dotenv *d);

static inline void auto_dotenv(struct dotenv *d)
{
    dotenv_release(d);
}

#endif
