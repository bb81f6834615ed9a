/*
 * http.c - the http probe: one request by libcurl, on the address that the resolver and the map
 * gave.
 */
#include <arpa/inet.h>
#include <strings.h>

#include <curl/curl.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "probe/http_probe.h"
#include "probe/net.h"
#include "probe/tls_session.h"

#define BODY_MAX (1u << 20)
#define HEADERS_MAX (64u << 10)

struct answer {
    struct buf body;
    struct buf headers;
};

static size_t on_body(char *p, size_t size, size_t count, void *arg)
{
    struct answer *a = arg;

    buf_add(&a->body, p, size * count);
    return a->body.is_overflown ? 0 : size * count;
}

static size_t on_header(char *p, size_t size, size_t count, void *arg)
{
    struct answer *a = arg;

    if (str_starts((struct str){ .p = p, .len = size * count }, STR("HTTP/")))
        buf_clear(&a->headers); /* of an interim answer or a redirect */
    buf_add(&a->headers, p, size * count);
    return a->headers.is_overflown ? 0 : size * count;
}

/* Headers whose values may be secrets. */
static bool is_private_header(struct str name)
{
    return str_eq_ci(name, STR("set-cookie")) || str_eq_ci(name, STR("authorization"))
           || str_eq_ci(name, STR("www-authenticate"));
}

static json_t *headers_json(const struct buf *raw)
{
    struct str rest = buf_str(raw);
    json_t *o = jsonx_must(json_object());

    while (rest.p != NULL) {
        struct str value = str_trim(str_cut(&rest, '\n'));
        const struct str name = str_cut(&value, ':');

        if (value.p == NULL || name.len == 0)
            continue;
        AUTO(free) char *key = str_dup(name);

        for (char *c = key; *c != '\0'; c++)
            *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
        json_object_set_new(o, key,
                is_private_header(name) ? json_string("(hidden)") : text_json(str_trim(value)));
    }
    return o;
}

static void record_answer(
        const struct probe_job *job, json_t *evidence, CURL *curl, const struct answer *a)
{
    long status = 0;
    curl_off_t ttfb_us = 0;
    json_t *headers = headers_json(&a->headers);
    const char *server = jsonx_text(headers, "server");
    const char *location = jsonx_text(headers, "location");

    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(curl, CURLINFO_STARTTRANSFER_TIME_T, &ttfb_us);
    probe_fact(evidence, "http.status", json_integer(status));
    probe_fact(evidence, "http.headers", headers);
    if (server != NULL)
        probe_fact(evidence, "http.server", text_json(str_of(server)));
    if (location != NULL)
        probe_fact(evidence, "http.location", text_json(str_of(location)));
    probe_fact(evidence, "http.ttfb_ms", json_integer(ttfb_us / 1000));
    probe_fact_text(job, evidence, "http.body_start", str_slice(buf_str(&a->body), 0, 512));
    http_probe_recognise(evidence, buf_str(&a->body));
}

static void check_status(const struct probe_job *job, json_t *evidence)
{
    const int64_t expected = jsonx_int(job->target, "expect_status", 0);
    const int64_t got = json_integer_value(jsonx_at(evidence, "http.status"));
    const bool is_ok = expected != 0 ? got == expected : got >= 200 && got < 400;

    if (expected != 0)
        probe_fact(evidence, "http.expected_status", json_integer(expected));
    probe_fact(evidence, "http.status_ok", json_boolean(is_ok));
    if (!is_ok) {
        AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);
        AUTO(buf) struct buf code = BUF_INIT(BUF_TEXT_MAX);

        buf_addf(&code, "%lld", (long long)got);
        buf_addf(&text, "HTTP status %lld", (long long)got);
        probe_failed(job, evidence, buf_text(&code), buf_str(&text));
    }
}

/* curl asks once a second and at each event. */
static int stop_on_signal(void *arg, curl_off_t all, curl_off_t down, curl_off_t due, curl_off_t up)
{
    (void)arg;
    (void)all;
    (void)down;
    (void)due;
    (void)up;
    return cancel_is_asked() ? 1 : 0;
}

static CURL *make_handle(const struct probe_job *job, const struct http_probe_request *r,
        const struct net_address *address, const struct tls_options *tls, struct answer *a,
        struct curl_slist **ret_connect)
{
    CURL *curl = curl_easy_init();
    char ip[NET_TEXT_SIZE];
    const char *ca = jsonx_text(job->target, "ca");

    if (curl == NULL)
        die_oom();
    net_address_text(&address->dialled, ip);
    const bool is_v6 = address->dialled.ss_family == AF_INET6;
    AUTO(free)
    char *to = xasprintf("::%s%s%s:%u", is_v6 ? "[" : "", ip, is_v6 ? "]" : "",
            (unsigned)ntohs(((const struct sockaddr_in *)&address->dialled)->sin_port));

    *ret_connect = curl_slist_append(NULL, to);
    curl_easy_setopt(curl, CURLOPT_URL, r->url);
    curl_easy_setopt(curl, CURLOPT_CONNECT_TO, *ret_connect);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)clock_left_ms(job->deadline_ms));
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, a);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, a);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, r->headers);
    curl_easy_setopt(curl, CURLOPT_HTTP09_ALLOWED, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "deployer/" DEPLOYER_VERSION);
    if (r->method != NULL)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, r->method);
    if (r->has_body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, r->body.p);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
    }
    /* Names and chains were judged by the tls step; here they would only hide what answers. */
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, tls->mode >= TLS_MODE_VERIFY_CA ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, tls->mode == TLS_MODE_VERIFY ? 2L : 0L);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, stop_on_signal);
    if (ca == NULL)
        ca = job->net->ca_file;
    if (ca != NULL)
        curl_easy_setopt(curl, CURLOPT_CAINFO, ca);
    return curl;
}

bool http_probe_request(const struct probe_job *job, json_t *evidence,
        const struct net_address *address, const struct tls_options *tls,
        const struct http_probe_request *r, struct buf *ret_body, long *ret_status)
{
    struct answer a = { .body = BUF_INIT(BODY_MAX), .headers = BUF_INIT(HEADERS_MAX) };
    struct curl_slist *connect_to = NULL;
    CURL *curl = make_handle(job, r, address, tls, &a, &connect_to);

    probe_step(evidence, "http");
    const CURLcode rc = curl_easy_perform(curl);

    if (rc != CURLE_OK)
        probe_failed(job, evidence, rc == CURLE_OPERATION_TIMEDOUT ? "timeout" : "curl",
                str_of(curl_easy_strerror(rc)));
    else
        record_answer(job, evidence, curl, &a);
    if (ret_status != NULL)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, ret_status);
    if (ret_body != NULL)
        buf_add_str(ret_body, buf_str(&a.body));
    curl_easy_cleanup(curl);
    curl_slist_free_all(connect_to);
    buf_release(&a.body);
    buf_release(&a.headers);
    return rc == CURLE_OK;
}

void http_probe_recognise(json_t *evidence, struct str body)
{
    const json_t *headers = jsonx_at(evidence, "http.headers");
    const char *server = jsonx_text(headers, "server");
    const bool is_clickhouse = jsonx_text(headers, "x-clickhouse-summary") != NULL
                               || jsonx_text(headers, "x-clickhouse-server-display-name") != NULL
                               || jsonx_text(headers, "x-clickhouse-exception-code") != NULL
                               || str_eq(body, STR("Ok.\n"));

    probe_fact(evidence, "http.is_clickhouse", json_boolean(is_clickhouse));
    probe_fact(evidence, "http.is_app_gateway",
            json_boolean(
                    (server != NULL
                            && strcasestr(server, "Microsoft-Azure-Application-Gateway") != NULL)
                    || str_find(body, STR("Microsoft-Azure-Application-Gateway")) >= 0));
    probe_fact(evidence, "http.is_container_apps_404",
            json_boolean(
                    str_find(body, STR("This Container App is stopped or does not exist")) >= 0));
    probe_fact(evidence, "http.native_port_hint",
            json_boolean(str_find(body, STR("is for clickhouse-client program")) >= 0));
    const char *location = jsonx_text(headers, "location");

    if (location != NULL)
        probe_fact(evidence, "http.redirects_to_localhost",
                json_boolean(strstr(location, "//localhost") != NULL
                             || strstr(location, "//127.0.0.1") != NULL));
    const char *date = jsonx_text(headers, "date");
    const time_t server_time = date == NULL ? -1 : curl_getdate(date, NULL);

    if (server_time > 0)
        probe_fact(evidence, "http.date_skew_s",
                json_integer((json_int_t)server_time - clock_wall_ms() / 1000));
}

/* The target's tls where it is said, else from its scheme. */
static bool wants_tls(const json_t *target)
{
    const char *scheme = jsonx_text(target, "scheme");

    return tls_mode_of(target, text_eq(scheme, "https") ? TLS_MODE_VERIFY : TLS_MODE_OFF)
           != TLS_MODE_OFF;
}

static bool check_tls_first(const struct probe_job *job, json_t *evidence,
        const struct net_addresses *addresses, const struct tls_options *o)
{
    AUTO(fd) int fd = net_connect(job, evidence, addresses);
    AUTO(tls) struct tls_session *s = NULL;

    if (fd < 0)
        return false;
    return o->mode == TLS_MODE_OFF || tls_session_open(job, evidence, fd, o, &s);
}

static void run(const struct probe_job *job, json_t *evidence)
{
    const char *host = jsonx_text(job->target, "host");
    const char *path = jsonx_text(job->target, "path");
    const bool is_tls = wants_tls(job->target);
    const int64_t port = jsonx_int(job->target, "port", is_tls ? 443 : 80);
    const struct tls_options o =
            tls_options_of(job->target, is_tls ? TLS_MODE_VERIFY : TLS_MODE_OFF);
    struct net_addresses addresses;

    if (host == NULL || host[0] == '\0' || port < 1 || port > 65535) {
        probe_failed(job, evidence, "target", STR("the target has no host and port"));
        return;
    }
    if (!net_resolve(job, evidence, host, (uint16_t)port, &addresses)
            || !check_tls_first(job, evidence, &addresses, &o))
        return;
    const char *name = o.check_name == NULL ? host : o.check_name;
    const bool is_v6 = strchr(name, ':') != NULL;
    AUTO(free)
    char *url = xasprintf("%s://%s%s%s:%lld%s", is_tls ? "https" : "http", is_v6 ? "[" : "", name,
            is_v6 ? "]" : "", (long long)port, path == NULL || path[0] != '/' ? "/" : path);
    const struct http_probe_request r = { .url = url };

    if (http_probe_request(job, evidence, &addresses.items[0], &o, &r, NULL, NULL))
        check_status(job, evidence);
}

const struct probe probe_http = {
    .name = "http",
    .summary = "an HTTP request",
    .run = run,
};
