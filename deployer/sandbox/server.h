/*
 * server.h - HTTPS on 127.0.0.1 and ::1 by libmicrohttpd, one thread: sockets and headers in, a
 * reply out; what the reply means is sandbox.h's. Every request is noted in DIR/requests.jsonl
 * (method, path, query, status; no bodies, no headers).
 */
#ifndef SANDBOX_SERVER_H
#define SANDBOX_SERVER_H

#include "base/err.h"
#include "sandbox/sandbox.h"

struct server;

/* Listens; s->o.port 0 takes a free one. ERR_NET when the port is taken. */
MUST_CHECK struct err *server_open(struct sandbox *s, struct server **ret);
void server_close(struct server *v);
int server_port(const struct server *v);
/* Serves until a signal asks for the end (base/cancel.h). */
void server_run(struct server *v);

#endif
