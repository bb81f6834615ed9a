/*
 * postgres_facts.c - what a logged-in session can see: version, a pooler in between, limits, the
 * clock, what waits for locks and who holds them, databases and relations that should be there.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/num.h"
#include "base/text.h"
#include "probe/net.h"
#include "probe/postgres_parts.h"

#define ROWS_MAX 50
#define LOOK_AGAIN_MS 700
/* No question of ours may wait for somebody's lock. */
#define OUR_TIMEOUT "SET statement_timeout = '3s'"

struct session {
    const struct probe_job *job;
    json_t *evidence;
    PGconn *c;
    bool is_over; /* the connection is gone or a deadline passed */
};

/* NULL where the query failed or time is up. Owned: PQclear. */
static PGresult *query(struct session *s, const char *sql, const char *const *params, int count)
{
    PGresult *last = NULL;

    if (s->is_over || PQsendQueryParams(s->c, sql, count, NULL, params, NULL, NULL, 0) != 1) {
        s->is_over = true;
        return NULL;
    }
    for (;;) {
        while (PQisBusy(s->c) == 1 && !s->is_over) {
            if (!net_wait(PQsocket(s->c), POLLIN, s->job->deadline_ms)) {
                s->is_over = true;
                PQclear(last);
                return NULL;
            }
            /* A connection that ends may have left an error behind that says why. */
            s->is_over = PQconsumeInput(s->c) != 1;
        }
        PGresult *r = PQgetResult(s->c);

        if (r == NULL)
            return last;
        s->is_over = s->is_over || PQstatus(s->c) != CONNECTION_OK;
        /* Behind an error that says why comes another one that the connection is gone. */
        if (last != NULL && PQresultStatus(last) == PGRES_FATAL_ERROR) {
            PQclear(r);
            continue;
        }
        PQclear(last);
        last = r;
    }
}

static bool has_rows(const PGresult *r)
{
    return r != NULL && PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) > 0;
}

static void set_number(struct session *s, const char *path, const char *text)
{
    int64_t n = 0;
    struct err *e = num_parse_i64(str_of(text), INT64_MIN, INT64_MAX, &n);

    if (e == NULL)
        probe_fact(s->evidence, path, json_integer(n));
    err_ignore(e, "not a number: the fact stays unknown");
}

static void record_version(struct session *s)
{
    PGresult *r = query(s,
            "SELECT current_setting('server_version'), current_setting('server_version_num'), "
            "current_setting('TimeZone'), current_setting('max_connections'), "
            "(SELECT reset_val FROM pg_settings WHERE name = 'statement_timeout'), "
            "pg_is_in_recovery()::text, current_user, "
            "(SELECT rolsuper::text FROM pg_roles WHERE rolname = current_user), "
            "floor(extract(epoch from clock_timestamp()))::bigint::text, "
            "(SELECT count(*) FROM pg_stat_activity)::text",
            NULL, 0);

    if (has_rows(r)) {
        probe_fact_text(s->job, s->evidence, "postgres.version", str_of(PQgetvalue(r, 0, 0)));
        set_number(s, "postgres.version_num", PQgetvalue(r, 0, 1));
        probe_fact_text(s->job, s->evidence, "postgres.timezone", str_of(PQgetvalue(r, 0, 2)));
        set_number(s, "postgres.max_connections", PQgetvalue(r, 0, 3));
        set_number(s, "postgres.statement_timeout_ms", PQgetvalue(r, 0, 4));
        probe_fact(s->evidence, "postgres.in_recovery",
                json_boolean(text_eq(PQgetvalue(r, 0, 5), "true")));
        probe_fact_text(s->job, s->evidence, "postgres.user", str_of(PQgetvalue(r, 0, 6)));
        probe_fact(s->evidence, "postgres.is_superuser",
                json_boolean(text_eq(PQgetvalue(r, 0, 7), "true")));
        int64_t seconds = 0;
        struct err *e = num_parse_i64(str_of(PQgetvalue(r, 0, 8)), 0, INT64_MAX, &seconds);

        if (e == NULL)
            probe_fact(s->evidence, "postgres.clock_skew_s",
                    json_integer(seconds - clock_wall_ms() / 1000));
        err_ignore(e, "an odd answer leaves it unknown");
        set_number(s, "postgres.connections", PQgetvalue(r, 0, 9));
        probe_fact(s->evidence, "postgres.database_exists", json_true());
    } else if (r != NULL) {
        postgres_record_error(s->job, s->evidence, PQresultErrorMessage(r));
    } else {
        probe_failed(s->job, s->evidence, "timeout", STR("a query got no answer"));
    }
    PQclear(r);
}

static char *backend_pid(struct session *s)
{
    PGresult *r = query(s, "SELECT pg_backend_pid()::text", NULL, 0);
    char *pid = has_rows(r) ? xstrdup(PQgetvalue(r, 0, 0)) : NULL;

    PQclear(r);
    return pid;
}

/*
 * A pooler makes up the process id that it gives at login, so that the server's own differs; in
 * transaction mode two statements may run in two sessions of the server.
 */
static void record_pooler(struct session *s)
{
    AUTO(free) char *first = backend_pid(s);
    AUTO(free) char *second = backend_pid(s);
    AUTO(free) char *ours = xasprintf("%d", PQbackendPID(s->c));

    if (first == NULL || second == NULL || jsonx_at(s->evidence, "postgres.server") != NULL)
        return;
    const bool is_pooled = !text_eq(first, ours);

    probe_fact(s->evidence, "postgres.server",
            jsonx_must(json_string(is_pooled ? "pgbouncer" : "postgres")));
    if (is_pooled && !text_eq(first, second))
        probe_fact(s->evidence, "postgres.pool_mode", jsonx_must(json_string("transaction")));
}

/* A column of whole numbers as such, so that conditions can compare it; others as text. */
static json_t *cell_json(const PGresult *r, int row, int column)
{
    static const Oid int8 = 20, int2 = 21, int4 = 23; /* pg_type.dat */
    const Oid type = PQftype(r, column);
    const struct str text = str_of(PQgetvalue(r, row, column));
    int64_t n = 0;

    if ((type == int2 || type == int4 || type == int8)) {
        struct err *e = num_parse_i64(text, INT64_MIN, INT64_MAX, &n);
        const bool is_number = e == NULL;

        err_ignore(e, "then it stays a text");
        if (is_number)
            return json_integer(n);
    }
    AUTO(buf) struct buf shown = BUF_INIT(BUF_TEXT_MAX);

    text_add_escaped(&shown, text);
    return text_json(buf_str(&shown));
}

/* The rows of an answer as objects under the names of its columns. Owned. */
static json_t *rows_json(const PGresult *r)
{
    json_t *list = jsonx_must(json_array());

    for (int i = 0; has_rows(r) && i < PQntuples(r) && i < ROWS_MAX; i++) {
        json_t *row = jsonx_must(json_object());

        for (int k = 0; k < PQnfields(r); k++) {
            if (PQgetisnull(r, i, k) == 0)
                json_object_set_new(row, PQfname(r, k), cell_json(r, i, k));
        }
        json_array_append_new(list, row);
    }
    return list;
}

static void record_list(struct session *s, const char *sql, const char *path)
{
    PGresult *r = query(s, sql, NULL, 0);

    if (r != NULL && PQresultStatus(r) == PGRES_TUPLES_OK)
        probe_fact(s->evidence, path, rows_json(r));
    PQclear(r);
}

/* One member of each row, each value once, in lists of their own: a sentence can name them. */
static void add_members(json_t *list, const json_t *rows, const char *member)
{
    size_t i = 0;
    json_t *row = NULL;

    json_array_foreach ((json_t *)(uintptr_t)rows, i, row) {
        json_t *value = json_object_get(row, member);
        bool is_listed = value == NULL || json_is_null(value);

        for (size_t k = 0; k < json_array_size(list) && !is_listed; k++)
            is_listed = json_equal(json_array_get(list, k), value) == 1;
        if (!is_listed)
            json_array_append(list, value);
    }
}

static void record_blockers(struct session *s)
{
    const json_t *locks = jsonx_at(s->evidence, "postgres.exclusive_locks");
    const json_t *waiting = jsonx_at(s->evidence, "postgres.waiting");
    json_t *relations = jsonx_must(json_array());
    json_t *pids = jsonx_must(json_array());

    add_members(relations, locks, "relation");
    add_members(relations, waiting, "relation");
    add_members(pids, locks, "pid");
    add_members(pids, waiting, "blocked_by");
    if (json_array_size(relations) > 0)
        probe_fact(s->evidence, "postgres.blocked_relations", json_incref(relations));
    if (json_array_size(pids) > 0)
        probe_fact(s->evidence, "postgres.blocking_pids", json_incref(pids));
    json_decref(relations);
    json_decref(pids);
}

/* Locks that shut out even readers. Of other roles' sessions only the pid is ours to see. */
static json_t *exclusive_locks(struct session *s)
{
    PGresult *r = query(s,
            "SELECT l.pid, n.nspname || '.' || c.relname AS relation, a.state, "
            "floor(extract(epoch from clock_timestamp() - a.xact_start))::int AS seconds "
            "FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = "
            "c.relnamespace LEFT JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.granted AND "
            "l.mode = 'AccessExclusiveLock' AND n.nspname NOT IN ('pg_catalog', 'pg_toast') AND "
            "l.pid <> pg_backend_pid()",
            NULL, 0);
    json_t *rows = rows_json(r);

    PQclear(r);
    return rows;
}

static bool is_held(const json_t *locks, const json_t *lock)
{
    size_t i = 0;
    json_t *other = NULL;

    json_array_foreach ((json_t *)(uintptr_t)locks, i, other) {
        if (json_equal(json_object_get(other, "pid"), json_object_get(lock, "pid")) == 1
                && text_eq(jsonx_text(other, "relation"), jsonx_text(lock, "relation")))
            return true;
    }
    return false;
}

/* A lock of a moment is everyday life: what counts is still there at a second look. */
static void record_held_locks(struct session *s)
{
    json_auto_t *before = exclusive_locks(s);
    size_t i = 0;
    json_t *lock = NULL;

    if (json_array_size(before) == 0 || clock_left_ms(s->job->deadline_ms) < 2 * LOOK_AGAIN_MS)
        return;
    poll(NULL, 0, LOOK_AGAIN_MS);
    json_auto_t *after = exclusive_locks(s);
    json_t *held = jsonx_must(json_array());

    json_array_foreach (after, i, lock) {
        if (is_held(before, lock))
            json_array_append(held, lock);
    }
    probe_fact(s->evidence, "postgres.exclusive_locks", held);
}

static void record_waits(struct session *s)
{
    record_list(s,
            "SELECT a.pid, a.wait_event_type AS waits_for, "
            "array_to_string(pg_blocking_pids(a.pid), ',') AS blocked_by, "
            "(SELECT n.nspname || '.' || c.relname FROM pg_locks l JOIN pg_class c ON c.oid = "
            "l.relation JOIN pg_namespace n ON n.oid = c.relnamespace WHERE l.pid = a.pid AND NOT "
            "l.granted LIMIT 1) AS relation, "
            "floor(extract(epoch from clock_timestamp() - a.query_start))::int AS seconds, a.state "
            "FROM pg_stat_activity a WHERE cardinality(pg_blocking_pids(a.pid)) > 0",
            "postgres.waiting");
    record_held_locks(s);
    record_blockers(s);
    probe_fact(s->evidence, "postgres.lock_waits",
            json_integer((json_int_t)json_array_size(jsonx_at(s->evidence, "postgres.waiting"))));
    PGresult *r = query(s,
            "SELECT (SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in "
            "transaction%')::text, coalesce((SELECT max(floor(extract(epoch from clock_timestamp() "
            "- query_start))) FROM pg_stat_activity WHERE state = 'active' AND pid <> "
            "pg_backend_pid()), 0)::int::text",
            NULL, 0);

    if (has_rows(r)) {
        set_number(s, "postgres.idle_in_transaction", PQgetvalue(r, 0, 0));
        set_number(s, "postgres.longest_query_s", PQgetvalue(r, 0, 1));
    }
    PQclear(r);
}

static void record_names(struct session *s, const char *sql, const char *path)
{
    PGresult *r = query(s, sql, NULL, 0);

    if (r != NULL && PQresultStatus(r) == PGRES_TUPLES_OK) {
        json_t *list = jsonx_must(json_array());

        for (int i = 0; i < PQntuples(r) && i < ROWS_MAX; i++)
            json_array_append_new(list, jsonx_must(json_string(PQgetvalue(r, i, 0))));
        probe_fact(s->evidence, path, list);
    }
    PQclear(r);
}

/* The relations that the target expects and the search path doesn't find. */
static void record_missing_relations(struct session *s)
{
    const json_t *wanted = json_object_get(s->job->target, "relations");
    json_t *missing = NULL;
    size_t i = 0;
    json_t *name = NULL;

    if (!json_is_array(wanted))
        return;
    missing = jsonx_must(json_array());
    json_array_foreach ((json_t *)(uintptr_t)wanted, i, name) {
        const char *const params[] = { json_string_value(name) };
        PGresult *r =
                params[0] == NULL ? NULL : query(s, "SELECT to_regclass($1) IS NULL", params, 1);

        if (has_rows(r) && text_eq(PQgetvalue(r, 0, 0), "t"))
            json_array_append(missing, name);
        PQclear(r);
    }
    if (json_array_size(missing) > 0)
        probe_failed(s->job, s->evidence, "42P01", STR("an expected relation is not there"));
    probe_fact(s->evidence, "postgres.missing_relations", missing);
}

static void record_prisma(struct session *s)
{
    PGresult *r = query(s,
            "SELECT count(*)::text FROM _prisma_migrations WHERE finished_at IS NULL AND "
            "rolled_back_at IS NULL",
            NULL, 0);

    if (has_rows(r))
        probe_fact(s->evidence, "postgres.prisma_dirty",
                json_boolean(!text_eq(PQgetvalue(r, 0, 0), "0")));
    PQclear(r);
}

/* A named statement twice: a pooler in transaction mode may have it elsewhere the second time. */
static void record_named_statements(struct session *s)
{
    const char *word = "ok";

    if (s->is_over
            || !text_eq(json_string_value(jsonx_at(s->evidence, "postgres.server")), "pgbouncer"))
        return;
    for (int i = 0; i < 2 && text_eq(word, "ok"); i++) {
        PGresult *r = i == 0 ? PQprepare(s->c, "deployer_verify", "SELECT 1", 0, NULL)
                             : PQexecPrepared(s->c, "deployer_verify", 0, NULL, NULL, NULL, 0);
        const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);

        if (text_eq(state, "42P05") || text_eq(state, "26000"))
            word = text_eq(state, "42P05") ? "42P05" : "26000";
        else if (state != NULL)
            word = "unsupported";
        PQclear(r);
    }
    probe_fact(s->evidence, "postgres.named_statements", jsonx_must(json_string(word)));
}

void postgres_record_facts(const struct probe_job *job, json_t *evidence, PGconn *c)
{
    struct session s = { .job = job, .evidence = evidence, .c = c };

    PQsetnonblocking(c, 0);
    PGresult *r = query(&s, OUR_TIMEOUT, NULL, 0);

    if (r != NULL && PQresultStatus(r) == PGRES_FATAL_ERROR)
        postgres_record_error(job, evidence, PQresultErrorMessage(r));
    PQclear(r);
    if (s.is_over) {
        probe_failed(job, evidence, "timeout", STR("a query got no answer"));
        return;
    }
    record_version(&s);
    record_pooler(&s);
    record_waits(&s);
    record_names(&s, "SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1",
            "postgres.databases");
    record_names(&s,
            "SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> "
            "'information_schema' ORDER BY 1",
            "postgres.schemas");
    record_missing_relations(&s);
    record_prisma(&s);
    record_named_statements(&s);
}
