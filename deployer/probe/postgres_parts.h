/*
 * postgres_parts.h - what the files of the postgres probe share.
 */
#ifndef PROBE_POSTGRES_PARTS_H
#define PROBE_POSTGRES_PARTS_H

#include "base/late_pq.h"
#include "probe/probe.h"

/* An error text of libpq (verbose) into postgres.sqlstate, .message, .server; and probe_failed. */
void postgres_record_error(const struct probe_job *job, json_t *evidence, const char *message);
/* What an open connection tells: version, pooler, limits, locks, databases, relations. */
void postgres_record_facts(const struct probe_job *job, json_t *evidence, PGconn *c);

#endif
