/*
 * late.h - shared libraries that are loaded by the first call of one of their functions. libcurl
 * and libpq bring thirty others along (Kerberos, LDAP, GnuTLS): a quarter of what validate, explain
 * or a completion take, which speak to nobody. late_curl.c and late_pq.c define the functions that
 * we call, under their own names; callers see no difference.
 */
#ifndef BASE_LATE_H
#define BASE_LATE_H

#include <stddef.h>

#include "base/compiler.h"

struct late_function {
    const char *name;
    void (**to)(void);
};

#define LATE_FIELD(name) __typeof__(&name) name;
#define LATE_ROW(name) { #name, (void (**)(void)) & api.name },

/* Sets all of them. A library or function that is missing ends the process, as it would at start.
 */
void late_load(const char *library, const struct late_function *functions, size_t count);

#endif
