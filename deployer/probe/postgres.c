/*
 * postgres.c - the postgres probe: whether TLS is offered, login by libpq, what stands behind the
 * port (a server or a pooler), and what makes statements wait (postgres_facts.c). Target: host,
 * port, user, database, tls (off, require, verify), relations, databases, write.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/late_pq.h"
#include "probe/hello.h"
#include "probe/net.h"
#include "probe/postgres_parts.h"
#include "probe/tls_session.h"

#define SSL_ANSWER_MS 3000
#define SYSTEM_CA "/etc/ssl/certs/ca-certificates.crt"

/*
 * Asks for TLS as every client does (an SSLRequest, 8 bytes) and records the one-byte answer.
 * False: this is not PostgreSQL, or it is silent.
 */
static bool ask_for_tls(
        const struct probe_job *job, json_t *evidence, int fd, const struct net_address *address)
{
    const int64_t until_ms = clock_now_ms() + SSL_ANSWER_MS;
    const int64_t deadline_ms = until_ms < job->deadline_ms ? until_ms : job->deadline_ms;
    char answer[64];

    probe_step(evidence, "hello");
    ssize_t n = -1;

    if (net_send(fd, STR("\0\0\0\x08\x04\xd2\x16\x2f"), deadline_ms))
        n = net_recv(fd, answer, sizeof(answer), deadline_ms);
    if (n <= 0) {
        const bool is_silent = n < 0 && errno == ETIMEDOUT;

        probe_fact(evidence, "postgres.ssl_answer", jsonx_must(json_string("none")));
        probe_fact(evidence, "postgres.login", jsonx_must(json_string("not_postgres")));
        if (is_silent)
            hello_try_all(job, evidence, address);
        probe_failed(job, evidence, is_silent ? "timeout" : "closed",
                is_silent ? STR("no answer to an SSLRequest") : STR("closed on an SSLRequest"));
        return false;
    }
    const bool is_known = answer[0] == 'S' || answer[0] == 'N' || answer[0] == 'E';

    probe_fact_text(job, evidence, "postgres.ssl_answer", (struct str){ .p = answer, .len = 1 });
    if (is_known)
        return true;
    probe_fact_text(
            job, evidence, "tcp.first_bytes", (struct str){ .p = answer, .len = (size_t)n });
    probe_fact(evidence, "postgres.login", jsonx_must(json_string("not_postgres")));
    probe_failed(job, evidence, "not_postgres", STR("the answer is not PostgreSQL's"));
    return false;
}

/* The target's `tls` as libpq's sslmode. */
static const char *ssl_mode_word(const json_t *target)
{
    if (text_eq(jsonx_text(target, "tls"), "prefer"))
        return "prefer";
    switch (tls_mode_of(target, TLS_MODE_REQUIRE)) {
    case TLS_MODE_OFF:
        return "disable";
    case TLS_MODE_VERIFY_CA:
        return "verify-ca";
    case TLS_MODE_VERIFY:
        return "verify-full";
    case TLS_MODE_REQUIRE:
    default:
        return "require";
    }
}

/*
 * The handshake once more with our own eyes: libpq says little about a certificate that it
 * rejects. `fd` has had the answer S. Where the target verifies nothing, nothing fails here.
 */
static void look_at_certificate(const struct probe_job *job, json_t *evidence, int fd)
{
    const struct tls_options o = tls_options_of(job->target, TLS_MODE_REQUIRE);
    AUTO(tls) struct tls_session *s = NULL;

    if (o.mode != TLS_MODE_OFF)
        tls_session_open(job, evidence, fd, &o, &s);
}

static const char *root_file(const struct probe_job *job)
{
    const char *own = jsonx_text(job->target, "ca");

    if (own != NULL)
        return own;
    return job->net->ca_file != NULL     ? job->net->ca_file
           : job->net->system_ca != NULL ? job->net->system_ca
                                         : SYSTEM_CA;
}

static PGconn *start(const struct probe_job *job, const struct net_address *address)
{
    const json_t *t = job->target;
    const struct secret *password = probe_secret(job, "password");
    const char *user = jsonx_text(t, "user");
    const char *database = jsonx_text(t, "database");
    char ip[NET_TEXT_SIZE];
    AUTO(free)
    char *port =
            xasprintf("%d", (int)ntohs(((const struct sockaddr_in *)&address->dialled)->sin_port));
    const char *name = jsonx_text(t, "server_name");

    net_address_text(&address->dialled, ip);
    const char *const keys[] = { "host", "hostaddr", "port", "user", "password", "dbname",
        "sslmode", "sslrootcert", "application_name", "gssencmode", "sslsni", NULL };
    const char *const values[] = { name != NULL ? name : jsonx_text(t, "host"), ip, port,
        user == NULL ? "postgres" : user, password == NULL ? "" : secret_reveal(password).p,
        database == NULL ? "postgres" : database, ssl_mode_word(t),
        tls_mode_of(t, TLS_MODE_REQUIRE) >= TLS_MODE_VERIFY_CA ? root_file(job) : "",
        "deployer verify", "disable", "1", NULL };
    PGconn *c = PQconnectStartParams(keys, values, 0);

    if (c == NULL)
        die_oom();
    /* With it an error at connecting carries its SQLSTATE, which libpq gives in no other way. */
    PQsetErrorVerbosity(c, PQERRORS_VERBOSE);
    return c;
}

static bool connect_until(PGconn *c, int64_t deadline_ms)
{
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;

    while (state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED) {
        if (PQsocket(c) < 0
                || !net_wait(PQsocket(c), state == PGRES_POLLING_READING ? POLLIN : POLLOUT,
                        deadline_ms))
            return false;
        state = PQconnectPoll(c);
    }
    return state == PGRES_POLLING_OK;
}

/* "FATAL:  28P01: password authentication failed ..." -> "28P01". */
static bool find_sqlstate(struct str message, char ret[6])
{
    for (ptrdiff_t at = str_find(message, STR(":  ")); at >= 0;
            at = str_find(message, STR(":  "))) {
        message = str_slice(message, (size_t)at + 3, message.len);
        size_t n = 0;

        while (n < message.len && n < 6
                && ((message.p[n] >= '0' && message.p[n] <= '9')
                        || (message.p[n] >= 'A' && message.p[n] <= 'Z')))
            n++;
        if (n == 5 && message.len > 5 && message.p[5] == ':') {
            snprintf(ret, 6, "%.5s", message.p);
            return true;
        }
    }
    return false;
}

/* Texts by which a pooler is known: none of them comes from PostgreSQL itself. */
static const struct {
    const char *text;
    const char *server;
} pooler_texts[] = {
    { "query_wait_timeout", "pgbouncer" },
    { "no such database", "pgbouncer" },
    { "max_client_conn", "pgbouncer" },
    { "unsupported startup parameter", "pgbouncer" },
    { "Tenant or user not found", "supavisor" },
    { "tenant/user", "supavisor" },
    { "MaxClientsInSessionMode", "supavisor" },
    { "EMAXCONN", "supavisor" },
    { "ESSLREQUIRED", "supavisor" },
    { "EADDRNOTALLOWED", "supavisor" },
    { "ECIRCUITBREAKER", "supavisor" },
};

void postgres_record_error(const struct probe_job *job, json_t *evidence, const char *message)
{
    char sqlstate[6] = "";
    struct str rest = str_trim(str_of(message));
    const bool has_state = find_sqlstate(rest, sqlstate);
    const struct str first = str_cut(&rest, '\n');

    if (has_state)
        probe_fact(evidence, "postgres.sqlstate", jsonx_must(json_string(sqlstate)));
    probe_fact_text(job, evidence, "postgres.message", first);
    for (size_t i = 0; i < ARRAY_LEN(pooler_texts); i++) {
        if (str_find(str_of(message), str_of(pooler_texts[i].text)) >= 0)
            probe_fact(
                    evidence, "postgres.server", jsonx_must(json_string(pooler_texts[i].server)));
    }
    probe_fact(evidence, "postgres.hba_no_encryption",
            json_boolean(strstr(message, "no encryption") != NULL));
    probe_failed(job, evidence, has_state ? sqlstate : "libpq", first);
}

static void record_refusal(const struct probe_job *job, json_t *evidence, PGconn *c)
{
    const bool is_late = clock_left_ms(job->deadline_ms) == 0;

    if (is_late && PQerrorMessage(c)[0] == '\0') {
        probe_fact(evidence, "postgres.login", jsonx_must(json_string("unreachable")));
        probe_failed(job, evidence, "timeout", STR("no answer to the login"));
        return;
    }
    postgres_record_error(job, evidence, PQerrorMessage(c));
    const bool is_pooler = jsonx_at(evidence, "postgres.server") != NULL;

    probe_fact(evidence, "postgres.login",
            jsonx_must(json_string(is_pooler ? "pooler_error" : "refused")));
    if (text_eq(json_string_value(jsonx_at(evidence, "postgres.sqlstate")), "3D000"))
        probe_fact(evidence, "postgres.database_exists", json_false());
}

static void login(const struct probe_job *job, json_t *evidence, const struct net_address *address)
{
    probe_step(evidence, "login");
    PGconn *c = start(job, address);

    if (!connect_until(c, job->deadline_ms)) {
        record_refusal(job, evidence, c);
    } else {
        probe_fact(evidence, "postgres.login", jsonx_must(json_string("ok")));
        probe_fact(evidence, "postgres.tls_in_use", json_boolean(PQsslInUse(c) == 1));
        if (PQsslInUse(c) == 1 && PQsslAttribute(c, "protocol") != NULL)
            probe_fact(evidence, "postgres.tls_version",
                    jsonx_must(json_string(PQsslAttribute(c, "protocol"))));
        probe_step(evidence, "query");
        postgres_record_facts(job, evidence, c);
        if (jsonx_at(evidence, "postgres.server") != NULL
                && text_eq(json_string_value(jsonx_at(evidence, "postgres.server")), "pgbouncer")
                && json_is_false(jsonx_at(evidence, "probe.ok")))
            probe_fact(evidence, "postgres.login", jsonx_must(json_string("pooler_error")));
    }
    PQfinish(c);
}

static void run(const struct probe_job *job, json_t *evidence)
{
    const char *host = jsonx_text(job->target, "host");
    const int64_t port = jsonx_int(job->target, "port", 5432);
    struct net_addresses addresses;

    if (host == NULL || host[0] == '\0' || port < 1 || port > 65535) {
        probe_failed(job, evidence, "target", STR("the target has no host and port"));
        return;
    }
    if (!net_resolve(job, evidence, host, (uint16_t)port, &addresses))
        return;
    AUTO(fd) int fd = net_connect(job, evidence, &addresses);

    if (fd < 0) {
        probe_fact(evidence, "postgres.login", jsonx_must(json_string("unreachable")));
        return;
    }
    const size_t used = json_array_size(jsonx_at(evidence, "tcp.attempts"));
    const struct net_address *address = &addresses.items[used > 0 ? used - 1 : 0];

    if (!ask_for_tls(job, evidence, fd, address))
        return;
    if (text_eq(json_string_value(jsonx_at(evidence, "postgres.ssl_answer")), "S"))
        look_at_certificate(job, evidence, fd);
    login(job, evidence, address);
}

const struct probe probe_postgres = {
    .name = "postgres",
    .summary = "PostgreSQL: TLS, login, server or pooler, locks",
    .run = run,
};
