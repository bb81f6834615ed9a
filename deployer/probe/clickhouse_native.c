/*
 * clickhouse_native.c - the native port: hello with login, then queries.
 */
#include <errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "probe/ch_native.h"
#include "probe/clickhouse_parts.h"
#include "probe/conn.h"
#include "probe/hello.h"
#include "probe/http_probe.h"

#define ASK_HTTP_MS 2000
/* Servers answer a hello at once; what is silent for so long speaks something else. */
#define HELLO_MS 3000

struct dialog {
    const struct probe_job *job;
    json_t *evidence;
    struct conn conn;
    struct buf in;
    uint64_t revision;
    bool is_stale; /* an exception ended the query: old servers then lose step, so connect anew */
};

json_t *clickhouse_target(const json_t *target, int64_t port)
{
    json_t *copy = jsonx_copy(target);

    json_object_set_new(copy, "port", json_integer(port));
    return copy;
}

bool clickhouse_is_login_code(int64_t code)
{
    return code == 192 || code == 193 || code == 194 || code == 195 || code == 516;
}

/* The next packet; NULL text on success, else what went wrong (static). */
static const char *next_packet(struct dialog *d, int64_t deadline_ms, struct ch_packet *ret)
{
    char block[8192];

    for (;;) {
        struct err *e = ch_read_packet(buf_str(&d->in), d->revision, ret);

        if (e != NULL) {
            probe_fact_text(d->job, d->evidence, "clickhouse.native_message", str_of(err_text(e)));
            err_free(e);
            return "not_clickhouse";
        }
        if (ret->kind != CH_NEED_MORE) {
            buf_consume(&d->in, ret->used);
            return NULL;
        }
        const ssize_t n = conn_recv(&d->conn, block, sizeof(block), deadline_ms);

        if (n == 0)
            return "closed";
        if (n < 0)
            return errno == ETIMEDOUT ? "timeout" : "reset";
        buf_add(&d->in, block, (size_t)n);
    }
}

static void record_exception(struct dialog *d, const json_t *exception)
{
    const int64_t code = jsonx_int(exception, "code", 0);
    const char *message = jsonx_text(exception, "message");
    char text[32];

    snprintf(text, sizeof(text), "%lld", (long long)code);
    probe_fact(d->evidence, "clickhouse.native",
            jsonx_must(
                    json_string(clickhouse_is_login_code(code) ? "refused_login" : "exception")));
    probe_fact(d->evidence, "clickhouse.native_code", json_integer(code));
    probe_fact_text(d->job, d->evidence, "clickhouse.native_message", str_of(message));
    if (code == 81)
        probe_fact(d->evidence, "clickhouse.database_exists", json_false());
    probe_failed(d->job, d->evidence, text, str_of(message));
}

/* Sends the hello and reads its answer; NULL text on an answer, else what went wrong (static). */
static const char *greet(struct dialog *d, struct ch_packet *ret)
{
    AUTO(buf) struct buf out = { .max_bytes = CH_PACKET_MAX, .is_secret = true };
    const struct secret *password = probe_secret(d->job, "password");
    const char *user = jsonx_text(d->job->target, "user");
    const char *database = jsonx_text(d->job->target, "database");
    const int64_t until_ms = clock_now_ms() + HELLO_MS;
    const int64_t deadline_ms = until_ms < d->job->deadline_ms ? until_ms : d->job->deadline_ms;

    ch_add_hello(&out, str_of(database == NULL ? "default" : database),
            str_of(user == NULL ? "default" : user),
            password == NULL ? STR("") : secret_reveal(password));
    if (!conn_send(&d->conn, buf_str(&out), deadline_ms))
        return "reset";
    return next_packet(d, deadline_ms, ret);
}

/* A new stream for the next query. False: the server doesn't take us again. */
static bool reconnect(struct dialog *d)
{
    const struct tls_options o = tls_options_of(d->job->target, TLS_MODE_OFF);
    struct conn fresh = CONN_INIT;
    struct ch_packet p = { 0 };

    if (!conn_open_again(d->job, &d->conn, o.mode == TLS_MODE_OFF ? NULL : &o, &fresh)) {
        conn_close(&fresh);
        return false;
    }
    conn_close(&d->conn);
    d->conn = fresh;
    buf_clear(&d->in);
    d->is_stale = false;
    const bool is_greeted = greet(d, &p) == NULL && p.kind == CH_HELLO;

    json_decref(p.value);
    return is_greeted;
}

/* The text of an answer's first cell, owned; NULL where there is none. */
static char *first_cell(const json_t *rows)
{
    const json_t *cell = json_array_get(json_array_get(rows, 0), 0);

    if (json_is_integer(cell))
        return xasprintf("%lld", (long long)json_integer_value(cell));
    return xstrdup(json_string_value(cell));
}

/*
 * Runs a query. *ret: rows (owned), NULL for an exception (recorded only if `is_required`).
 * False where the stream is over.
 */
static bool query(struct dialog *d, const char *text, bool is_required, json_t **ret)
{
    AUTO(buf) struct buf out = BUF_INIT(CH_PACKET_MAX);
    json_auto_t *rows = jsonx_must(json_array());
    struct ch_packet p = { 0 };

    *ret = NULL;
    if (d->is_stale && !reconnect(d))
        return false;
    ch_add_query(&out, d->revision, str_of(text));
    if (!conn_send(&d->conn, buf_str(&out), d->job->deadline_ms))
        return false;
    for (;;) {
        if (next_packet(d, d->job->deadline_ms, &p) != NULL)
            return false;
        json_auto_t *value = p.value;

        if (p.kind == CH_DATA) {
            json_array_extend(rows, json_object_get(value, "rows"));
        } else if (p.kind == CH_EXCEPTION) {
            if (is_required)
                record_exception(d, value);
            d->is_stale = true;
            return true;
        } else if (p.kind == CH_END_OF_STREAM) {
            *ret = json_incref(rows);
            return true;
        }
    }
}

/* Optional facts: a query that an older server refuses leaves its fact unknown. */
static bool record_cell(struct dialog *d, const char *text, const char *path)
{
    json_auto_t *rows = NULL;

    if (!query(d, text, false, &rows))
        return false;
    AUTO(free) char *cell = first_cell(rows);

    if (cell != NULL)
        probe_fact_text(d->job, d->evidence, path, str_of(cell));
    return true;
}

static bool record_identity(struct dialog *d)
{
    json_auto_t *rows = NULL;

    if (!query(d, "SELECT hostName(), toInt64(uptime())", false, &rows))
        return false;
    const json_t *row = json_array_get(rows, 0);

    if (json_array_size(row) == 2)
        probe_fact(d->evidence, "clickhouse.native_identity",
                json_pack("{s:O, s:O}", "host", json_array_get(row, 0), "uptime",
                        json_array_get(row, 1)));
    return true;
}

static bool record_migrations(struct dialog *d)
{
    json_auto_t *rows = NULL;

    if (!query(d,
                "SELECT toInt64(version), toInt64(dirty) FROM schema_migrations ORDER BY sequence "
                "DESC LIMIT 1",
                false, &rows))
        return false;
    const json_t *row = json_array_get(rows, 0);

    if (json_array_size(row) == 2) {
        probe_fact(
                d->evidence, "clickhouse.migrations_version", json_incref(json_array_get(row, 0)));
        probe_fact(d->evidence, "clickhouse.migrations_dirty",
                json_boolean(json_integer_value(json_array_get(row, 1)) != 0));
    }
    return true;
}

static bool record_lists(struct dialog *d)
{
    json_auto_t *grants = NULL;
    json_auto_t *clusters = NULL;

    if (!query(d, "SHOW GRANTS", false, &grants))
        return false;
    if (grants != NULL) {
        json_t *list = jsonx_must(json_array());

        for (size_t i = 0; i < json_array_size(grants); i++)
            json_array_append(list, json_array_get(json_array_get(grants, i), 0));
        probe_fact(d->evidence, "clickhouse.grants", list);
    }
    if (!query(d, "SELECT toInt64(count()) FROM system.clusters WHERE cluster = 'default'", false,
                &clusters))
        return false;
    if (clusters != NULL)
        probe_fact(d->evidence, "clickhouse.cluster_configured",
                json_boolean(
                        json_integer_value(json_array_get(json_array_get(clusters, 0), 0)) > 0));
    return true;
}

/* A table made, written, renamed, dropped: what migrations will do. Only where the target asks. */
static void exercise(struct dialog *d)
{
    static const char *const statements[] = {
        "CREATE TABLE deployer_verify (x UInt8) ENGINE = Memory",
        "RENAME TABLE deployer_verify TO deployer_verify_2",
        "DROP TABLE deployer_verify_2",
    };
    json_auto_t *dropped = NULL;

    if (!jsonx_bool(d->job->target, "write", false)
            || !query(d, "DROP TABLE IF EXISTS deployer_verify", false, &dropped))
        return;
    for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
        json_auto_t *rows = NULL;

        if (!query(d, statements[i], true, &rows) || rows == NULL) {
            probe_fact(d->evidence, "clickhouse.write_ok", json_false());
            return;
        }
    }
    probe_fact(d->evidence, "clickhouse.write_ok", json_true());
}

static void ask(struct dialog *d)
{
    json_auto_t *one = NULL;

    probe_step(d->evidence, "query");
    if (!query(d, "SELECT 1", true, &one) || one == NULL) {
        probe_failed(d->job, d->evidence, "query", STR("SELECT 1 got no answer"));
        return;
    }
    probe_fact(d->evidence, "clickhouse.database_exists", json_true());
    if (!record_cell(d, "SELECT version()", "clickhouse.version"))
        return;
    clickhouse_record_version(d->evidence);
    if (record_cell(d, "SELECT timezone()", "clickhouse.timezone") && record_identity(d)
            && record_migrations(d) && record_lists(d))
        exercise(d);
}

/* What speaks on the port when it is not the native protocol: the server itself may name the right
 * port. */
static void ask_in_http(const struct dialog *d)
{
    const struct tls_options off = { .mode = TLS_MODE_OFF };
    struct probe_job job = *d->job;
    json_auto_t *aside = jsonx_must(json_object());
    const char *host = jsonx_text(job.target, "host");
    AUTO(free)
    char *url = xasprintf("http://%s:%lld/ping", host, (long long)jsonx_int(job.target, "port", 0));
    const struct http_probe_request r = { .url = url };
    const int64_t until_ms = clock_now_ms() + ASK_HTTP_MS;

    job.deadline_ms = until_ms < job.deadline_ms ? until_ms : job.deadline_ms;
    const bool is_http =
            d->conn.addresses.count > 0
            && http_probe_request(&job, aside, &d->conn.addresses.items[0], &off, &r, NULL, NULL);
    const char *speaks = "none";

    if (is_http && json_is_true(jsonx_at(aside, "http.native_port_hint")))
        speaks = "clickhouse-native";
    else if (is_http)
        speaks = json_is_true(jsonx_at(aside, "http.is_clickhouse")) ? "clickhouse-http" : "http";
    if (text_eq(speaks, "none") && d->conn.addresses.count > 0) {
        hello_try_all(d->job, d->evidence, &d->conn.addresses.items[0]);
        speaks = json_string_value(jsonx_at(d->evidence, "tcp.answers_to"));
    }
    probe_fact(d->evidence, "clickhouse.native_port_speaks",
            jsonx_must(json_string(speaks == NULL ? "none" : speaks)));
}

static void hello(struct dialog *d)
{
    struct ch_packet p = { 0 };

    probe_step(d->evidence, "hello");
    const char *wrong = greet(d, &p);
    json_auto_t *value = p.value;

    if (wrong == NULL && p.kind == CH_EXCEPTION) {
        probe_fact(d->evidence, "clickhouse.native_port_speaks",
                jsonx_must(json_string("clickhouse-native")));
        record_exception(d, value);
        return;
    }
    if (wrong != NULL || p.kind != CH_HELLO) {
        probe_fact(d->evidence, "clickhouse.native", jsonx_must(json_string("not_clickhouse")));
        probe_failed(d->job, d->evidence, wrong == NULL ? "not_clickhouse" : wrong,
                STR("the native port did not answer the hello as ClickHouse does"));
        conn_close(&d->conn);
        ask_in_http(d);
        return;
    }
    d->revision = (uint64_t)jsonx_int(value, "revision", 0);
    /* Both sides use the smaller of their revisions. */
    if (d->revision > CH_CLIENT_REVISION)
        d->revision = CH_CLIENT_REVISION;
    probe_fact(d->evidence, "clickhouse.native", jsonx_must(json_string("ok")));
    probe_fact(d->evidence, "clickhouse.native_port_speaks",
            jsonx_must(json_string("clickhouse-native")));
    probe_fact(d->evidence, "clickhouse.name", json_incref(json_object_get(value, "name")));
    probe_fact(d->evidence, "clickhouse.revision", json_incref(json_object_get(value, "revision")));
    ask(d);
}

void clickhouse_native(const struct probe_job *job, json_t *evidence, int64_t port)
{
    json_auto_t *target = clickhouse_target(job->target, port);
    struct probe_job own = *job;
    struct dialog d = {
        .job = &own, .evidence = evidence, .conn = CONN_INIT, .in = BUF_INIT(CH_PACKET_MAX * 2)
    };

    own.target = target;
    if (!conn_open(&own, evidence, 9000, TLS_MODE_OFF, &d.conn))
        probe_fact(evidence, "clickhouse.native", jsonx_must(json_string("unreachable")));
    else
        hello(&d);
    conn_close(&d.conn);
    buf_release(&d.in);
}
