/*
 * The state as rows of a PostgreSQL database: a snapshot, and a row a commit. The lock is an
 * advisory lock of the session, so that it goes with its process; whose it is stands in a table. A
 * save holds only while this very session has the lock (behind a pooler that shares sessions it
 * never does) and the serial is the one that was read.
 */
#include <poll.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/late_pq.h"
#include "base/num.h"
#include "base/uri.h"
#include "http/loop.h"
#include "state/backend.h"
#include "state/record.h"

#define CONNECT_S "15"
#define STATEMENT_MS 60000
#define LOCK_RETRY_MS 250
/* The first number of the advisory lock ("depl"); the second is a hash of the state's name. */
#define LOCK_CLASS "1684369516"
#define PARAMS_MAX 4u

#define IS_OUR_LOCK                                                                                \
    "locktype = 'advisory' AND classid = " LOCK_CLASS                                              \
    " AND objid = hashtext($1)::oid AND objsubid = 2 AND granted"                                  \
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"

struct postgres {
    struct state_backend head;
    struct http_loop *loop; /* or NULL: statements block */
    struct buf url;         /* for libpq; with the password if there is one */
    char *row;              /* the state's name in the table */
    PGconn *connection;     /* NULL until it is needed */
    int64_t serial;         /* of what we read or wrote last; 0: there is no row */
    bool is_locked;
};

static struct postgres *postgres_of(struct state_backend *b)
{
    return (struct postgres *)b;
}

/* ---- statements ---- */

static struct str first_line(const char *text)
{
    struct str rest = str_of(text);

    return str_trim(str_cut(&rest, '\n'));
}

static struct err *connection_error(const struct postgres *p)
{
    const struct str text = first_line(PQerrorMessage(p->connection));

    return err_new(ERR_NET, 0, "%s: %.*s", p->head.name, STR_ARG(text));
}

static void drop_notice(void *arg, const char *text)
{
    (void)arg;
    (void)text; /* "relation exists already, skipping" is nobody's news */
}

static struct err *connect_once(struct postgres *p)
{
    /* Behind the default, so that the URL may say otherwise. */
    const char *const keys[] = { "connect_timeout", "application_name", "dbname", NULL };
    const char *const values[] = { CONNECT_S, "deployer state", buf_text(&p->url), NULL };

    if (p->connection != NULL)
        return NULL;
    p->connection = PQconnectdbParams(keys, values, 1);
    if (p->connection == NULL)
        die_oom();
    if (PQstatus(p->connection) != CONNECTION_OK)
        return connection_error(p);
    PQsetNoticeProcessor(p->connection, drop_notice, NULL);
    return PQsetnonblocking(p->connection, 1) != 0 ? connection_error(p) : NULL;
}

struct statement {
    PGconn *connection;
    struct http_loop *loop;
    bool is_done;
    bool has_failed;
};

/* Moves bytes both ways as far as they go. */
static void pump(struct statement *s)
{
    if (PQconsumeInput(s->connection) != 1 || PQflush(s->connection) < 0)
        s->has_failed = true;
    s->is_done = s->has_failed || !PQisBusy(s->connection);
}

static short wanted_events(const struct statement *s)
{
    return (short)(POLLIN | (PQflush(s->connection) > 0 ? POLLOUT : 0));
}

static void on_event(void *arg, int fd, short events)
{
    struct statement *s = arg;

    (void)events;
    pump(s);
    if (!s->is_done)
        http_loop_watch(s->loop, fd, wanted_events(s), on_event, s);
}

static bool is_statement_done(void *arg)
{
    return ((struct statement *)arg)->is_done;
}

static struct err *wait_on_loop(struct statement *s, int64_t deadline_ms)
{
    const int fd = PQsocket(s->connection);
    struct err *e = NULL;

    http_loop_watch(s->loop, fd, wanted_events(s), on_event, s);
    while (e == NULL && !s->is_done) {
        e = http_loop_run(s->loop, is_statement_done, s, deadline_ms);
        if (e != NULL && err_kind(e) == ERR_CANCELED) {
            err_ignore(e, "told once; what is being written is what the next run starts from");
            e = NULL;
        }
    }
    if (e != NULL && err_kind(e) == ERR_TIMEOUT) {
        err_ignore(e, "who waited sees that it is not done");
        e = NULL;
    }
    http_loop_unwatch(s->loop, fd);
    return e;
}

static void wait_by_poll(struct statement *s, int64_t deadline_ms)
{
    while (!s->is_done && clock_left_ms(deadline_ms) > 0) {
        struct pollfd fd = { .fd = PQsocket(s->connection), .events = wanted_events(s) };

        poll(&fd, 1, clock_left_ms(deadline_ms));
        pump(s);
    }
}

static struct err *no_answer(const struct postgres *p)
{
    struct err *e = err_new(ERR_TIMEOUT, 0, "%s: no answer to a statement within %d s",
            p->head.name, STATEMENT_MS / 1000);

    err_set_hint(e, "does somebody hold a lock on its tables? pg_stat_activity tells");
    return e;
}

static struct err *statement_error(const struct postgres *p, const PGresult *r)
{
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);

    if (state == NULL)
        return connection_error(p);
    struct err *e = err_new(text_eq(state, "42501") ? ERR_DENIED : ERR_API, 0, "%s: %s (%s)",
            p->head.name, text == NULL ? "refused" : text, state);

    err_set_api(e, state, "");
    return e;
}

static struct err *first_result(struct postgres *p, PGresult **ret)
{
    PGresult *first = PQgetResult(p->connection);

    for (PGresult *r = first; r != NULL; r = PQgetResult(p->connection)) {
        if (r != first)
            PQclear(r);
    }
    if (first == NULL)
        return connection_error(p);
    const ExecStatusType status = PQresultStatus(first);

    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        *ret = first;
        return NULL;
    }
    struct err *e = statement_error(p, first);

    PQclear(first);
    return e;
}

/* Runs one statement with text parameters; the result is PQclear'ed by the caller. */
static struct err *run(
        struct postgres *p, const char *sql, const char *const *params, int count, PGresult **ret)
{
    const int64_t deadline_ms = clock_now_ms() + STATEMENT_MS;

    TRY(connect_once(p));
    if (PQsendQueryParams(p->connection, sql, count, NULL, params, NULL, NULL, 0) != 1)
        return connection_error(p);
    struct statement s = { .connection = p->connection, .loop = p->loop };

    if (p->loop != NULL)
        TRY(err_wrap(wait_on_loop(&s, deadline_ms), "%s", p->head.name));
    else
        wait_by_poll(&s, deadline_ms);
    if (!s.is_done)
        return no_answer(p);
    return s.has_failed ? connection_error(p) : first_result(p, ret);
}

/* The first value of a result that has a row, or NULL; cleared with it. */
static const char *value_of(const PGresult *r, int column)
{
    if (PQntuples(r) == 0 || PQgetisnull(r, 0, column))
        return NULL;
    return PQgetvalue(r, 0, column);
}

static struct err *run_bool(struct postgres *p, const char *sql, bool *ret)
{
    const char *const params[] = { p->row };
    PGresult *r = NULL;

    TRY(run(p, sql, params, 1, &r));
    *ret = text_eq(value_of(r, 0), "t");
    PQclear(r);
    return NULL;
}

static struct err *run_only(
        struct postgres *p, const char *sql, const char *const *params, int count)
{
    PGresult *r = NULL;

    TRY(run(p, sql, params, count, &r));
    PQclear(r);
    return NULL;
}

static bool is_undefined_table(const struct err *e)
{
    return e != NULL && text_eq(err_api_code(e), "42P01");
}

/* ---- lock ---- */

static struct err *make_tables(struct postgres *p)
{
    /* Under a lock of their own: two first runs would trip over each other's catalog rows. */
    static const char sql[] =
            "DO $$ BEGIN PERFORM pg_advisory_xact_lock(" LOCK_CLASS ", 0);"
            " CREATE TABLE IF NOT EXISTS deployer_state (name text PRIMARY KEY,"
            " serial bigint NOT NULL, snapshot text NOT NULL, updated timestamptz NOT NULL);"
            " CREATE TABLE IF NOT EXISTS deployer_state_journal (name text NOT NULL,"
            " serial bigint NOT NULL, line text NOT NULL, PRIMARY KEY (name, serial));"
            " CREATE TABLE IF NOT EXISTS deployer_state_lock (name text PRIMARY KEY,"
            " holder text NOT NULL); END $$";

    return run_only(p, sql, NULL, 0);
}

static struct err *read_holder(struct postgres *p, struct buf *ret)
{
    const char *const params[] = { p->row };
    PGresult *r = NULL;

    buf_clear(ret);
    TRY(run(p, "SELECT holder FROM deployer_state_lock WHERE name = $1", params, 1, &r));
    buf_add_text(ret, value_of(r, 0) == NULL ? "{}" : value_of(r, 0));
    PQclear(r);
    return NULL;
}

static struct err *locked_by_other(struct postgres *p)
{
    AUTO(buf) struct buf who = BUF_INIT(BUF_TEXT_MAX);

    TRY(read_holder(p, &who));
    AUTO(free) char *words = state_holder_words(buf_text(&who));

    return err_new(ERR_LOCKED, 0, "%s: is locked by %s", p->head.name, words);
}

static struct err *postgres_lock(struct state_backend *b, const char *who, int64_t deadline_ms)
{
    struct postgres *p = postgres_of(b);
    const char *const params[] = { p->row, who };

    TRY(make_tables(p));
    for (;;) {
        TRY(run_bool(
                p, "SELECT pg_try_advisory_lock(" LOCK_CLASS ", hashtext($1))", &p->is_locked));
        if (p->is_locked)
            break;
        if (clock_left_ms(deadline_ms) == 0)
            return locked_by_other(p);
        TRY(cancel_check());
        clock_sleep_ms(LOCK_RETRY_MS);
    }
    return run_only(p,
            "INSERT INTO deployer_state_lock VALUES ($1, $2)"
            " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder",
            params, 2);
}

static void postgres_unlock(struct state_backend *b)
{
    struct postgres *p = postgres_of(b);
    bool was_ours = false;

    if (p->is_locked)
        err_ignore(
                run_bool(p, "SELECT pg_advisory_unlock(" LOCK_CLASS ", hashtext($1))", &was_ours),
                "it goes with the session");
    p->is_locked = false;
}

static struct err *is_held(struct postgres *p, bool *ret)
{
    return run_bool(p, "SELECT count(*) > 0 FROM pg_locks WHERE " IS_OUR_LOCK, ret);
}

static struct err *postgres_holder(struct state_backend *b, bool is_broken, struct buf *ret)
{
    struct postgres *p = postgres_of(b);
    bool held = false;
    bool ended = false;

    buf_clear(ret);
    TRY(is_held(p, &held));
    if (!held)
        return NULL;
    TRY(read_holder(p, ret));
    if (!is_broken)
        return NULL;
    /* False or no row: it ended by itself meanwhile. Who may not end it gets an error. */
    return run_bool(p,
            "SELECT bool_and(pg_terminate_backend(pid)) FROM pg_locks WHERE " IS_OUR_LOCK, &ended);
}

/* ---- bytes ---- */

static struct err *keep_image(struct postgres *p, const PGresult *r, struct state_image *ret)
{
    const char *serial = value_of(r, 0);

    p->serial = 0;
    if (serial == NULL)
        return NULL;
    buf_add_text(&ret->snapshot, value_of(r, 1));
    if (value_of(r, 2) != NULL)
        buf_add_text(&ret->journal, value_of(r, 2));
    return num_parse_i64(str_of(serial), 0, INT64_MAX, &p->serial);
}

static struct err *postgres_load(struct state_backend *b, struct state_image *ret)
{
    /* One statement: one consistent view, whoever commits or compacts meanwhile. */
    static const char sql[] =
            "SELECT serial, snapshot, (SELECT string_agg(j.line, '' ORDER BY j.serial)"
            " FROM deployer_state_journal j WHERE j.name = s.name)"
            " FROM deployer_state s WHERE s.name = $1";
    struct postgres *p = postgres_of(b);
    const char *const params[] = { p->row };
    PGresult *r = NULL;
    struct err *e = run(p, sql, params, 1, &r);

    if (is_undefined_table(e)) {
        err_ignore(e, "nobody has written a state here yet");
        return NULL;
    }
    TRY(e);
    e = keep_image(p, r, ret);
    PQclear(r);
    return e;
}

static struct err *postgres_trim(struct state_backend *b, size_t good)
{
    (void)good;
    struct err *e = err_new(ERR_CONFIG, 0, "%s: a row of the journal is damaged", b->name);

    err_set_hint(e, "deployer state push STACK COPY --repair puts a copy in its place (this one is "
                    "kept), and deployer import finds what was made since");
    return e;
}

/* As rows of another name, which `?state=NAME` reads. */
static struct err *postgres_keep_copy(
        struct state_backend *b, const struct state_image *image, char **ret_where)
{
    static const char sql[] =
            "WITH s AS (INSERT INTO deployer_state SELECT $2, serial, snapshot, updated"
            " FROM deployer_state WHERE name = $1)"
            " INSERT INTO deployer_state_journal SELECT $2, serial, line"
            " FROM deployer_state_journal WHERE name = $1";
    struct postgres *p = postgres_of(b);
    char now[CLOCK_RFC3339_SIZE];

    (void)image;
    clock_rfc3339(clock_wall_ms(), now);
    AUTO(free) char *row = xasprintf("%s.damaged-%s", p->row, now);
    const char *const params[] = { p->row, row };

    TRY(run_only(p, sql, params, 2));
    *ret_where = xasprintf("the row '%s'", row);
    return NULL;
}

static const char commit_sql[] =
        "WITH s AS (UPDATE deployer_state SET serial = $3::bigint, updated = now()"
        " WHERE name = $1 AND serial = $2::bigint"
        " AND EXISTS (SELECT 1 FROM pg_locks WHERE pid = pg_backend_pid() AND " IS_OUR_LOCK ")"
        " RETURNING 1)"
        " INSERT INTO deployer_state_journal SELECT $1, $3::bigint, $4 FROM s RETURNING true";

static const char snapshot_sql[] =
        "WITH s AS (INSERT INTO deployer_state SELECT $1, $3::bigint, $4, now()"
        " WHERE EXISTS (SELECT 1 FROM pg_locks WHERE pid = pg_backend_pid() AND " IS_OUR_LOCK ")"
        " ON CONFLICT (name) DO UPDATE SET serial = excluded.serial,"
        " snapshot = excluded.snapshot, updated = excluded.updated"
        " WHERE deployer_state.serial = $2::bigint RETURNING 1),"
        " j AS (DELETE FROM deployer_state_journal WHERE name = $1 AND EXISTS (SELECT 1 FROM s))"
        " SELECT true FROM s";

/* Nothing was written: because the lock is gone, or because somebody else wrote. */
static struct err *why_not(struct postgres *p)
{
    bool held = false;

    TRY(run_bool(p,
            "SELECT count(*) > 0 FROM pg_locks WHERE pid = pg_backend_pid() AND " IS_OUR_LOCK,
            &held));
    if (held)
        return err_new(ERR_STALE, 0, "%s: was changed by somebody else", p->head.name);
    struct err *e = err_new(ERR_LOCKED, 0, "%s: the lock was lost", p->head.name);

    err_set_hint(e, "name the server itself, not a pooler that shares its sessions");
    return e;
}

static struct err *postgres_save(struct state_backend *b, const struct state_save *w)
{
    struct postgres *p = postgres_of(b);
    char before[24];
    char after[24];
    AUTO(free) char *text = w->is_snapshot ? record_snapshot(w->whole) : str_dup(w->line);
    const char *const params[PARAMS_MAX] = { p->row, before, after, text };
    PGresult *r = NULL;

    snprintf(before, sizeof(before), "%lld", (long long)p->serial);
    snprintf(after, sizeof(after), "%lld", (long long)w->serial);
    struct err *e = run(p, w->is_snapshot ? snapshot_sql : commit_sql, params, PARAMS_MAX, &r);

    if (e != NULL && PQstatus(p->connection) != CONNECTION_OK) {
        /* The advisory lock went with the session; 57P01 is how force-unlock ends it. */
        struct err *lost =
                err_new(ERR_LOCKED, 0, "the lock was taken away or lost: %s", err_text(e));

        err_ignore(e, "told by the other one");
        PQfinish(p->connection); /* whose it is now is asked over another one */
        p->connection = NULL;
        p->is_locked = false;
        return lost;
    }
    TRY(e);
    const bool is_written = PQntuples(r) == 1;

    PQclear(r);
    if (!is_written)
        return why_not(p);
    p->serial = w->serial;
    return NULL;
}

static void postgres_free(struct state_backend *b)
{
    struct postgres *p = postgres_of(b);

    if (p->connection != NULL)
        PQfinish(p->connection);
    buf_release(&p->url);
    free(p->row);
    free(b->name);
    free(p);
}

static const struct state_backend_ops postgres_ops = {
    .name = "postgres",
    .lock = postgres_lock,
    .unlock = postgres_unlock,
    .holder = postgres_holder,
    .load = postgres_load,
    .trim = postgres_trim,
    .keep_copy = postgres_keep_copy,
    .save = postgres_save,
    .free = postgres_free,
};

/* ---- URL ---- */

/* "state=NAME" is ours and not libpq's. */
static char *take_name(struct uri *u)
{
    for (size_t i = 0; i < u->param_count; i++) {
        if (!text_eq(u->params[i].name, "state"))
            continue;
        char *name = u->params[i].value;

        free(u->params[i].name);
        for (size_t k = i + 1; k < u->param_count; k++)
            u->params[k - 1] = u->params[k];
        u->param_count--;
        return name;
    }
    return NULL;
}

static struct err *set_row(struct postgres *p, struct uri *u, const struct state_owner *o)
{
    const char *env = o->environment == NULL ? "" : o->environment;

    p->row = take_name(u);
    if (p->row != NULL && p->row[0] != '\0')
        return NULL;
    if (o->stack == NULL)
        return err_new(ERR_USAGE, 0, "which state? Name a stack file, or add ?state=NAME");
    free(p->row);
    p->row = xasprintf("%s%s%s", o->stack, env[0] == '\0' ? "" : "-", env);
    return NULL;
}

struct err *state_postgres_new(const struct state_open *o, struct state_backend **ret)
{
    struct uri u = { 0 };
    struct postgres *p = xcalloc(1, sizeof(*p));
    AUTO(buf) struct buf name = BUF_INIT(URI_BYTES_MAX * 4);

    *p = (struct postgres){ .head.ops = &postgres_ops,
        .loop = o->loop,
        .url = { .max_bytes = URI_BYTES_MAX * 4, .is_secret = true } };
    struct err *e = uri_parse(str_of(o->url), &u);

    if (e == NULL)
        e = set_row(p, &u, &o->owner);
    if (e == NULL) {
        uri_build(&u, &p->url);
        uri_build_redacted(&u, &name);
        p->head.name = xasprintf("%s (%s)", buf_text(&name), p->row);
    }
    uri_release(&u);
    if (e != NULL) {
        postgres_free(&p->head);
        return e;
    }
    *ret = &p->head;
    return NULL;
}
