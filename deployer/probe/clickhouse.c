/*
 * clickhouse.c - the clickhouse probe: the native port and the HTTP port of one server, each with
 * login and a query, and what answers there when it isn't ClickHouse. Target: host, native_port and
 * http_port (either may be missing; `port` with `scheme` names one).
 */
#include "base/jsonx.h"
#include "base/num.h"
#include "probe/clickhouse_parts.h"

static const char *scheme_of(const json_t *target)
{
    const char *scheme = jsonx_text(target, "scheme");

    return scheme == NULL ? "" : scheme;
}

static int64_t port_of(const json_t *target, const char *member, const char *scheme)
{
    const int64_t own = jsonx_int(target, member, 0);

    return own != 0                                                ? own
           : str_starts(str_of(scheme_of(target)), str_of(scheme)) ? jsonx_int(target, "port", 0)
                                                                   : 0;
}

/* The same server behind both ports: its name, and when it started, agree. */
static void compare_servers(json_t *evidence)
{
    const json_t *native = jsonx_at(evidence, "clickhouse.native_identity");
    const json_t *http = jsonx_at(evidence, "clickhouse.http_identity");
    const int64_t gap = jsonx_int(native, "uptime", 0) - jsonx_int(http, "uptime", 0);

    if (native == NULL || http == NULL)
        return;
    probe_fact(evidence, "clickhouse.same_server",
            json_boolean(text_eq(jsonx_text(native, "host"), jsonx_text(http, "host")) && gap >= -3
                         && gap <= 3));
}

void clickhouse_record_version(json_t *evidence)
{
    const char *version = json_string_value(jsonx_at(evidence, "clickhouse.version"));
    struct str rest = str_of(version);
    const struct str major = str_cut(&rest, '.');
    const struct str minor = rest.p == NULL ? STR("") : str_cut(&rest, '.');
    int64_t numbers[2] = { 0, 0 };
    struct err *e = num_parse_i64(major, 0, 9999, &numbers[0]);

    if (e == NULL)
        e = num_parse_i64(minor, 0, 9999, &numbers[1]);
    if (e == NULL) {
        probe_fact(evidence, "clickhouse.version_major", json_integer(numbers[0]));
        probe_fact(evidence, "clickhouse.version_minor", json_integer(numbers[1]));
    }
    err_ignore(e, "a version of another form is a text only");
}

static void run(const struct probe_job *job, json_t *evidence)
{
    int64_t native_port = port_of(job->target, "native_port", "clickhouse");
    const int64_t http_port = port_of(job->target, "http_port", "http");

    if (native_port == 0 && http_port == 0)
        native_port = jsonx_int(job->target, "port", 9000);
    if (native_port != 0)
        clickhouse_native(job, evidence, native_port);
    if (http_port != 0)
        clickhouse_http(job, evidence, http_port);
    compare_servers(evidence);
}

const struct probe probe_clickhouse = {
    .name = "clickhouse",
    .summary = "ClickHouse: native hello and HTTP with login and a query",
    .run = run,
};
