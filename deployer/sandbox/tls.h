/*
 * tls.h - the sandbox's certificates: an authority of its own, a server certificate for localhost,
 * 127.0.0.1 and ::1, and a client certificate that its service principal may log in with; made at
 * the first start and kept.
 */
#ifndef SANDBOX_TLS_H
#define SANDBOX_TLS_H

#include "base/err.h"

/* Makes what is missing below `dir`: ca.pem, ca-key.pem, server.pem, server-key.pem, client.pem. */
MUST_CHECK struct err *tls_prepare(const char *dir);

#endif
