/*
 * resolve.h - names to addresses by c-ares, asynchronously: through a DNS server of our choice and
 * the address map. libcurl 7.88 can't be told a server. Only for the loop that owns it.
 */
#ifndef HTTP_RESOLVE_H
#define HTTP_RESOLVE_H

#include <curl/multi.h>
#include <stddef.h>

#include "http/loop.h"

struct resolve;

/* NULL in *ret where the dial options ask for nothing: then curl resolves. ERR_USAGE for a resolver
 * that is no address. */
MUST_CHECK struct err *resolve_new(const struct http_dial *dial, struct resolve **ret);
void resolve_free(struct resolve *r);
/* Whether the text is a resolver that resolve_new takes: ERR_USAGE else. */
MUST_CHECK struct err *resolve_check(const char *resolver);

/* `address` is text and already mapped; NULL with an error (taken by fn). */
typedef void resolve_done(void *arg, const char *address, struct err *e);
/* Looks up a name or takes an address; may call back at once. */
void resolve_start(struct resolve *r, const char *host, resolve_done *fn, void *arg);
/* Forgets all lookups of `arg`. */
void resolve_cancel(struct resolve *r, const void *arg);
/* Adds its sockets to `fds` (at most RESOLVE_FDS_MAX); shortens *timeout_ms if it must. */
#define RESOLVE_FDS_MAX 16u
size_t resolve_fds(struct resolve *r, struct curl_waitfd *fds, int *timeout_ms);
/* After the wait: reads what came. */
void resolve_process(struct resolve *r, const struct curl_waitfd *fds, size_t count);

#endif
