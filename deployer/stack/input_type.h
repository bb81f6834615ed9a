/*
 * input_type.h - the types that an input may have: a stack's (`inputs`) and a service's.
 */
#ifndef STACK_INPUT_TYPE_H
#define STACK_INPUT_TYPE_H

#include <stdbool.h>

#include <jansson.h>

enum input_type {
    INPUT_STRING,
    INPUT_INTEGER,
    INPUT_NUMBER,
    INPUT_BOOLEAN,
    INPUT_LIST,
    INPUT_MAP,
    INPUT_ANY
};

/* How files spell them, by the enum. */
#define INPUT_TYPES (INPUT_ANY + 1u)
extern const char *const input_type_names[INPUT_TYPES];

/* A whole number is a number, too. */
bool input_type_fits(enum input_type type, const json_t *value);

#endif
