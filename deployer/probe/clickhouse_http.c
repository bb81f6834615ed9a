/*
 * clickhouse_http.c - the HTTP port: /ping (which needs no login), then a query with the login in
 * headers, as @clickhouse/client sends it.
 */
#include <stdio.h>

#include <curl/curl.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/jsonx.h"
#include "base/num.h"
#include "probe/clickhouse_parts.h"
#include "probe/http_probe.h"
#include "probe/net.h"

struct endpoint {
    const struct probe_job *job;
    json_t *evidence;
    const struct net_address *address;
    struct tls_options tls;
    char *base; /* "http://host:8123" */
};

/* A query by POST; `password` NULL: none is sent. The evidence of the request goes to `seen`. */
static bool ask(const struct endpoint *ep, json_t *seen, const char *sql,
        const struct secret *password, struct buf *ret_body)
{
    const char *user = jsonx_text(ep->job->target, "user");
    const char *database = jsonx_text(ep->job->target, "database");
    AUTO(buf) struct buf line = { .max_bytes = BUF_TEXT_MAX, .is_secret = true };
    struct curl_slist *headers = NULL;
    AUTO(free) char *url = xasprintf("%s/", ep->base);

    buf_addf(&line, "X-ClickHouse-User: %s", user == NULL ? "default" : user);
    headers = curl_slist_append(headers, buf_text(&line));
    buf_clear(&line);
    buf_addf(&line, "X-ClickHouse-Database: %s", database == NULL ? "default" : database);
    headers = curl_slist_append(headers, buf_text(&line));
    if (password != NULL) {
        buf_clear(&line);
        buf_add_text(&line, "X-ClickHouse-Key: ");
        buf_add_str(&line, secret_reveal(password));
        headers = curl_slist_append(headers, buf_text(&line));
    }
    const struct http_probe_request r = {
        .url = url, .headers = headers, .has_body = true, .body = str_of(sql)
    };
    const bool is_answered =
            http_probe_request(ep->job, seen, ep->address, &ep->tls, &r, ret_body, NULL);

    for (const struct curl_slist *h = headers; h != NULL; h = h->next)
        explicit_bzero(h->data, strlen(h->data));
    curl_slist_free_all(headers);
    return is_answered;
}

static bool ping(const struct endpoint *ep)
{
    AUTO(free) char *url = xasprintf("%s/ping", ep->base);
    const struct http_probe_request r = { .url = url };
    AUTO(buf) struct buf body = BUF_INIT(BUF_TEXT_MAX);

    if (!http_probe_request(ep->job, ep->evidence, ep->address, &ep->tls, &r, &body, NULL)) {
        probe_fact(ep->evidence, "clickhouse.http", jsonx_must(json_string("not_clickhouse")));
        probe_fact(ep->evidence, "clickhouse.http_port_speaks", jsonx_must(json_string("none")));
        return false;
    }
    const bool is_ok = str_eq(buf_str(&body), STR("Ok.\n"));
    const char *speaks =
            json_is_true(jsonx_at(ep->evidence, "http.native_port_hint")) ? "clickhouse-native"
            : json_is_true(jsonx_at(ep->evidence, "http.is_clickhouse"))  ? "clickhouse-http"
                                                                          : "http";

    probe_fact(ep->evidence, "clickhouse.ping_ok", json_boolean(is_ok));
    probe_fact(ep->evidence, "clickhouse.http_port_speaks", jsonx_must(json_string(speaks)));
    if (text_eq(speaks, "clickhouse-http"))
        return true;
    probe_fact(ep->evidence, "clickhouse.http", jsonx_must(json_string("not_clickhouse")));
    probe_failed(ep->job, ep->evidence, "not_clickhouse",
            text_eq(speaks, "http") ? STR("another HTTP service answers here, not ClickHouse")
                                    : STR("this is ClickHouse's native port, not its HTTP port"));
    return false;
}

/* "Code: 516. DB::Exception: ..." or, before 21, "Code: 193, e.displayText() = ...". */
static int64_t exception_code(const json_t *seen, struct str body)
{
    const char *header =
            json_string_value(jsonx_at(seen, "http.headers.x-clickhouse-exception-code"));
    int64_t code = 0;
    const ptrdiff_t at = str_find(body, STR("Code: "));
    struct str digits = header != NULL ? str_of(header) : STR("");

    if (header == NULL && at >= 0) {
        digits = str_slice(body, (size_t)at + 6, body.len);
        size_t n = 0;

        while (n < digits.len && digits.p[n] >= '0' && digits.p[n] <= '9')
            n++;
        digits = str_slice(digits, 0, n);
    }
    err_ignore(num_parse_i64(digits, 0, INT32_MAX, &code), "no code stays 0");
    return code;
}

static void try_empty_password(const struct endpoint *ep)
{
    json_auto_t *seen = jsonx_must(json_object());

    if (probe_secret(ep->job, "password") == NULL || !ask(ep, seen, "SELECT 1", NULL, NULL))
        return;
    probe_fact(ep->evidence, "clickhouse.empty_password_accepted",
            json_boolean(json_integer_value(jsonx_at(seen, "http.status")) == 200));
}

static void record_refusal(const struct endpoint *ep, const json_t *seen, struct str body)
{
    const int64_t code = exception_code(seen, body);
    struct str rest = body;
    const struct str first_line = str_cut(&rest, '\n');
    const bool is_login = clickhouse_is_login_code(code);
    char text[32];

    snprintf(text, sizeof(text), "%lld", (long long)code);
    probe_fact(ep->evidence, "clickhouse.http",
            jsonx_must(json_string(is_login ? "refused_login" : "exception")));
    probe_fact(ep->evidence, "clickhouse.http_code", json_integer(code));
    probe_fact_text(ep->job, ep->evidence, "clickhouse.http_message", first_line);
    if (code == 81)
        probe_fact(ep->evidence, "clickhouse.database_exists", json_false());
    probe_failed(ep->job, ep->evidence, text, first_line);
    if (is_login)
        try_empty_password(ep);
}

static void record_answer(const struct endpoint *ep, struct str body)
{
    struct str rest = str_trim(body);
    const struct str host = str_cut(&rest, '\t');
    const struct str uptime = str_cut(&rest, '\t');
    const struct str version = str_cut(&rest, '\t');
    int64_t seconds = 0;

    probe_fact(ep->evidence, "clickhouse.http", jsonx_must(json_string("ok")));
    if (rest.p == NULL)
        return;
    err_ignore(num_parse_i64(uptime, 0, INT64_MAX, &seconds), "an odd answer leaves it unknown");
    probe_fact(ep->evidence, "clickhouse.http_identity",
            json_pack("{s:s%, s:I}", "host", host.p, host.len, "uptime", (json_int_t)seconds));
    if (jsonx_at(ep->evidence, "clickhouse.version") == NULL)
        probe_fact_text(ep->job, ep->evidence, "clickhouse.version", version);
    clickhouse_record_version(ep->evidence);
    if (jsonx_at(ep->evidence, "clickhouse.timezone") == NULL)
        probe_fact_text(ep->job, ep->evidence, "clickhouse.timezone", rest);
}

static void login(const struct endpoint *ep)
{
    json_auto_t *seen = jsonx_must(json_object());
    AUTO(buf) struct buf body = BUF_INIT(BUF_TEXT_MAX);

    probe_step(ep->evidence, "login");
    if (!ask(ep, seen, "SELECT hostName(), uptime(), version(), timezone()",
                probe_secret(ep->job, "password"), &body)) {
        probe_fact(ep->evidence, "clickhouse.http", jsonx_must(json_string("unreachable")));
        probe_failed(ep->job, ep->evidence, "http", STR("the query got no answer"));
        return;
    }
    if (json_integer_value(jsonx_at(seen, "http.status")) == 200)
        record_answer(ep, buf_str(&body));
    else
        record_refusal(ep, seen, buf_str(&body));
}

void clickhouse_http(const struct probe_job *job, json_t *evidence, int64_t port)
{
    json_auto_t *target = clickhouse_target(job->target, port);
    const char *host = jsonx_text(target, "host");
    const bool is_tls = text_eq(jsonx_text(target, "scheme"), "https")
                        || tls_mode_of(target, TLS_MODE_OFF) != TLS_MODE_OFF;
    struct probe_job own = *job;
    struct net_addresses addresses;

    own.target = target;
    if (host == NULL || !net_resolve(&own, evidence, host, (uint16_t)port, &addresses)) {
        probe_fact(evidence, "clickhouse.http", jsonx_must(json_string("unreachable")));
        return;
    }
    AUTO(fd) int fd = net_connect(&own, evidence, &addresses);

    if (fd < 0) {
        probe_fact(evidence, "clickhouse.http", jsonx_must(json_string("unreachable")));
        return;
    }
    AUTO(free)
    char *base = xasprintf("%s://%s%s%s:%lld", is_tls ? "https" : "http",
            strchr(host, ':') != NULL ? "[" : "", host, strchr(host, ':') != NULL ? "]" : "",
            (long long)port);
    const struct endpoint ep = { .job = &own,
        .evidence = evidence,
        .address = &addresses.items[0],
        .tls = tls_options_of(target, is_tls ? TLS_MODE_VERIFY : TLS_MODE_OFF),
        .base = base };

    if (ping(&ep))
        login(&ep);
}
