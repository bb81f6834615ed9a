/*
 * clickhouse_parts.h - what the files of the clickhouse probe share.
 */
#ifndef PROBE_CLICKHOUSE_PARTS_H
#define PROBE_CLICKHOUSE_PARTS_H

#include <stdint.h>

#include "probe/probe.h"

/* The native port: clickhouse.native*, and version, revision, timezone, migrations, cluster. */
void clickhouse_native(const struct probe_job *job, json_t *evidence, int64_t port);
/* The HTTP port: clickhouse.http*, ping_ok, empty_password_accepted. */
void clickhouse_http(const struct probe_job *job, json_t *evidence, int64_t port);
/* A copy of the target that names one port. Owned. */
json_t *clickhouse_target(const json_t *target, int64_t port);
/* clickhouse.version as numbers. */
void clickhouse_record_version(json_t *evidence);
/* What a query's exception means for a fact: 193, 194, 192, 516 are a refused login. */
bool clickhouse_is_login_code(int64_t code);

#endif
