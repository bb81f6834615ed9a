/*
 * generate.h - new secrets of the form that a service asks for (`generate:` of an input).
 */
#ifndef STACK_GENERATE_H
#define STACK_GENERATE_H

#include <jansson.h>

/*
 * A random text by a rule: {"length": N, "alphabet": "url"|"alnum"}, {"hex": BYTES},
 * {"base64": BYTES}, {"uuid": true}; "prefix" may come with each. It begins with a letter or digit
 * (so that no program takes it for an option) and, from 12 characters on, has small and capital
 * letters and digits. NULL when the rule is not known or nothing it makes matches `pattern`
 * (POSIX extended; may be NULL). Owned; wipe it.
 */
char *generate_secret(const json_t *rule, const char *pattern);

#endif
