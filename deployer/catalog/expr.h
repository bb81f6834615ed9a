/*
 * expr.h - the ${...} language: references, literals, a few operators and functions, no recursion,
 * no side effects. docs/expressions.md is its reference. Pure.
 *
 * Two steps: catalog expansion substitutes what is known from the files (inputs, variables, each,
 * needs) and leaves {"$expr"}; expr_resolve does the rest, at plan time as far as resources are
 * known and again at apply time.
 */
#ifndef CATALOG_EXPR_H
#define CATALOG_EXPR_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"

/* Values of secrets by number, for {"$secret": N}. Owns references. */
struct secret_table {
    struct secret_entry {
        struct secret *value;
        json_t *refs; /* where it comes from: ["secret.POSTGRES_PASSWORD"], for the state */
    } * entries;
    size_t count;
    size_t capacity;
};

void secret_table_release(struct secret_table *t);
/* Adds a value to the table (or finds it) and returns {"$secret": N}, owned. Takes refs. */
MUST_CHECK json_t *secret_table_add(struct secret_table *t, struct str value, json_t *refs);

/* How expr_resolve asks for what it does not know itself. All borrowed. */
struct expr_env {
    void *arg;
    /*
     * The document of a resource by address: what GET returned, with "id" and "name" in it; NULL
     * while it is not known. Borrowed until the next change of that resource. An object in it that
     * has "$partial": true lacks members that will come: they are unknown, not absent.
     */
    const json_t *(*resource)(void *arg, const char *address);
    /*
     * The answer of a kind's action on a resource ("redis.database", "listKeys"); NULL while it is
     * not known. Its strings are treated as secrets unless the expansion wrote `answer` for
     * `action`, which it does where the kind says that the action is not secret.
     */
    const json_t *(*action)(void *arg, const char *address, const char *action);
    /* A secret by name (env, .env, vault); NULL if there is none. Borrowed. */
    struct secret *(*secret)(void *arg, const char *name);
    /* The salt for digest(); empty while there is no state: digest() is then unknown. */
    struct str salt;
    /* Facts of the login: {"tenant", "principal"}; NULL or without a member: not known yet. */
    const json_t *azure;
};

/*
 * A deep copy of `doc` with every {"$expr"} replaced: by its value, by {"$secret": N} (added to
 * `secrets`) or by {"$unknown"}. Owned.
 * Errors: ERR_CONFIG for a failing function or a reference to a member that is not there.
 */
MUST_CHECK struct err *expr_resolve(
        const json_t *doc, const struct expr_env *env, struct secret_table *secrets, json_t **ret);
/* Whether an unresolved value gives a secret (or a text made of one) when it is resolved. */
bool expr_is_secret(const json_t *doc);
/* Whether a resolved document still holds an {"$unknown"}; *ret_what (may be NULL) names the first.
 */
bool expr_has_unknown(const json_t *doc, const char **ret_what);
/*
 * Calls fn for each reference to a resource in an unresolved document: address, and the action's
 * name or NULL.
 */
void expr_each_reference(const json_t *doc,
        void (*fn)(void *arg, const char *address, const char *action), void *arg);
/* Serialises for the wire: secrets in clear. Only for the writers of requests. `out` must be
 * is_secret. */
MUST_CHECK struct err *expr_write_wire(
        const json_t *resolved, const struct secret_table *secrets, struct buf *out);
/*
 * A copy for state and plan files: {"$secret": N} becomes {"$secret": {"refs", "digest"}}. Digests
 * are computed once a value and process. Owned.
 */
MUST_CHECK json_t *expr_stored(
        const json_t *resolved, const struct secret_table *secrets, struct str salt);

#endif
