/*
 * environment.h - an application's variables (a .env that the deployer did not make) as checks:
 * what is wrong with the values themselves, and the services that they lead to, ready to be probed.
 * Which variable means what is data (services/.../env-targets.yaml); nothing here knows a name.
 */
#ifndef VERIFY_ENVIRONMENT_H
#define VERIFY_ENVIRONMENT_H

#include <stddef.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/err.h"
#include "verify/verify.h"

/* One variable, borrowed while environment_read runs. */
struct environment_value {
    const char *name;
    const char *value;
};

struct environment {
    json_t *problems; /* checks that failed by reading alone, as of verify_checks_json */
    struct verify_jobs jobs;
};

/*
 * Judges the values by the rules and makes a job of each service that they name. Texts of problems
 * hold no value.
 * Errors: ERR_INTERNAL rules of another form.
 */
MUST_CHECK struct err *environment_read(struct arena *arena, const json_t *rules,
        const struct environment_value *values, size_t count, struct environment *ret);
void environment_release(struct environment *e);

static inline void auto_environment(struct environment *e)
{
    environment_release(e);
}

#endif
