/*
 * uri.h - the one place that takes URLs apart and puts them together (RFC 3986, and what libpq
 * adds: several hosts, none at all). Strict, because a URL that two programs read differently is a
 * bug that shows late: what must be escaped and is not is an error that names the character.
 * Default ports are the caller's. No text of an error holds any part of the user information.
 */
#ifndef BASE_URI_H
#define BASE_URI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"

#define URI_BYTES_MAX 16384u
#define URI_HOSTS_MAX 32u
#define URI_PARAMS_MAX 100u

struct uri_host {
    char *name; /* decoded, IPv6 without its brackets; "" where the URL names none */
    int port;   /* 0: not given */
    bool is_ipv6;
};

struct uri_param {
    char *name;  /* decoded */
    char *value; /* decoded; NULL: there is no '=' */
};

/* Owns everything in it. For building, fill in what is wanted and leave the rest zero. */
struct uri {
    char *scheme;            /* lower case: "postgresql" */
    char *user;              /* decoded; NULL: not given or empty */
    struct secret *password; /* decoded; NULL: not given */
    struct uri_host *hosts;
    size_t host_count;
    char *path; /* as written, still encoded: "/langfuse"; "" if there is none */
    struct uri_param *params;
    size_t param_count;
    char *fragment; /* as written; NULL: none */
};

/*
 * Reads "SCHEME://[USER[:PASSWORD]@]HOST[:PORT][,HOST...]/PATH?NAME=VALUE&...#FRAGMENT" or
 * "dns:NAME". Several hosts, a host that is a socket's folder (%2Frun) or none: postgres only.
 * Errors: ERR_CONFIG with what is wrong and how it is written; ERR_LIMIT.
 */
MUST_CHECK struct err *uri_parse(struct str text, struct uri *ret);
/*
 * Adds the URL to `out`, which must be is_secret when there is a password. All but RFC 3986's
 * unreserved characters are escaped in user, password and query; the path is taken as it is.
 */
void uri_build(const struct uri *u, struct buf *out);
/* The same for display: "(secret)" for the password and for query values that name a secret. */
void uri_build_redacted(const struct uri *u, struct buf *out);
/* The redacted form of a text; one that is no URL is not shown at all. */
void uri_redact(struct str text, struct buf *out);
/* The value of a query parameter, or NULL. Borrowed. */
const char *uri_param(const struct uri *u, const char *name);
/* The path without its first slash, decoded: the database of postgres, redis, clickhouse. Owned. */
MUST_CHECK char *uri_database(const struct uri *u);
/* Sets the path to "/" and the encoded name. */
void uri_set_database(struct uri *u, const char *name);
void uri_add_host(struct uri *u, const char *name, int port);
/* `value` may be NULL. */
void uri_add_param(struct uri *u, const char *name, const char *value);
void uri_release(struct uri *u);

static inline void auto_uri(struct uri *u)
{
    uri_release(u);
}

#endif
