/*
 * router.h - which part of the sandbox a request is for: login and metadata without a token, then
 * everything of ARM with one.
 */
#ifndef SANDBOX_ROUTER_H
#define SANDBOX_ROUTER_H

#include "sandbox/sandbox.h"

/* Answers into c->r or returns a refusal. */
MUST_CHECK struct err *router_dispatch(struct call *c);

#endif
