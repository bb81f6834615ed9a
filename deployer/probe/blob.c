/*
 * blob.c - the blob probe: a blob written to a container, read back and deleted, with the account's
 * key or a SAS. Target: url (https://ACCOUNT.blob.core.windows.net), account, container; secrets
 * key or sas.
 */
#include <stdio.h>
#include <time.h>

#include <curl/curl.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/jsonx.h"
#include "http/shared_key.h"
#include "probe/http_probe.h"
#include "probe/net.h"

#define API_VERSION "2021-12-02"
#define CONTENT "written by deployer verify"

struct store {
    const struct probe_job *job;
    json_t *evidence;
    struct net_addresses addresses;
    struct tls_options tls;
    const char *account;
    const char *base; /* "https://host[:port]" */
    const char *path; /* of the blob */
};

static void http_date(char ret[40])
{
    const time_t now = time(NULL);
    struct tm tm = { 0 };

    gmtime_r(&now, &tm);
    if (strftime(ret, 40, "%a, %d %b %Y %H:%M:%S GMT", &tm) == 0)
        ret[0] = '\0';
}

static struct curl_slist *add_header(struct curl_slist *list, const char *name, const char *value)
{
    AUTO(free) char *line = xasprintf("%s: %s", name, value);

    return curl_slist_append(list, line);
}

static void describe(struct shared_key_request *r, const char *date, const char *length)
{
    r->headers[r->header_count++] = (struct shared_key_header){ "x-ms-date", date };
    r->headers[r->header_count++] = (struct shared_key_header){ "x-ms-version", API_VERSION };
    if (!text_eq(r->method, "PUT"))
        return;
    r->headers[r->header_count++] = (struct shared_key_header){ "content-length", length };
    r->headers[r->header_count++] = (struct shared_key_header){ "content-type", "text/plain" };
    r->headers[r->header_count++] = (struct shared_key_header){ "x-ms-blob-type", "BlockBlob" };
}

static struct err *make_headers(
        const struct store *s, const char *method, struct str body, struct curl_slist **ret)
{
    char date[40];
    char length[24];
    AUTO(buf) struct buf authorization = { .max_bytes = 4096, .is_secret = true };
    const struct secret *key = probe_secret(s->job, "key");
    struct shared_key_request r = {
        .account = s->account, .key = key, .method = method, .path = s->path, .query = ""
    };

    http_date(date);
    snprintf(length, sizeof(length), "%zu", body.len);
    describe(&r, date, length);
    if (key != NULL)
        TRY(shared_key_sign(&r, &authorization));
    struct curl_slist *list = NULL;

    for (size_t i = 0; i < r.header_count; i++) {
        if (!text_eq(r.headers[i].name, "content-length"))
            list = add_header(list, r.headers[i].name, r.headers[i].value);
    }
    if (key != NULL)
        list = add_header(list, "Authorization", buf_text(&authorization));
    *ret = list;
    return NULL;
}

/* One request on the blob; the answer's status, 0 where there was none. */
static long send_request(const struct store *s, json_t *seen, const char *method, struct str body,
        struct buf *ret_body)
{
    const struct secret *sas = probe_secret(s->job, "sas");
    AUTO(buf) struct buf url = { .max_bytes = 16384, .is_secret = true };
    struct curl_slist *headers = NULL;
    long status = 0;
    struct err *e = make_headers(s, method, body, &headers);

    if (e != NULL) {
        probe_failed(s->job, s->evidence, "key", str_of(err_text(e)));
        err_free(e);
        return 0;
    }
    buf_addf(&url, "%s%s", s->base, s->path);
    if (sas != NULL) {
        buf_add_char(&url, '?');
        buf_add_str(&url, secret_reveal(sas));
    }
    const struct http_probe_request r = { .url = buf_text(&url),
        .method = method,
        .headers = headers,
        .has_body = text_eq(method, "PUT"),
        .body = body };

    http_probe_request(s->job, seen, &s->addresses.items[0], &s->tls, &r, ret_body, &status);
    for (const struct curl_slist *h = headers; h != NULL; h = h->next)
        explicit_bzero(h->data, strlen(h->data));
    curl_slist_free_all(headers);
    return status;
}

static void record_refusal(const struct store *s, const json_t *seen, const char *what, long status)
{
    const char *code = json_string_value(jsonx_at(seen, "http.headers.x-ms-error-code"));
    const char *error = json_string_value(jsonx_at(seen, "probe.error"));
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);

    probe_fact(s->evidence, "blob.status", json_integer(status));
    if (code != NULL) {
        probe_fact_text(s->job, s->evidence, "blob.error_code", str_of(code));
        if (text_eq(code, "ContainerNotFound"))
            probe_fact(s->evidence, "blob.container_exists", json_false());
    }
    buf_addf(&text, "%s: %s", what, code != NULL ? code : error != NULL ? error : "refused");
    if (status != 0)
        buf_addf(&text, " (HTTP %ld)", status);
    probe_failed(s->job, s->evidence, code != NULL ? code : "http", buf_str(&text));
}

static bool write_blob(const struct store *s)
{
    json_auto_t *seen = jsonx_must(json_object());
    const long status = send_request(s, seen, "PUT", STR(CONTENT), NULL);
    const char *server = json_string_value(jsonx_at(seen, "http.server"));

    if (server != NULL)
        probe_fact_text(s->job, s->evidence, "blob.server", str_of(server));
    probe_fact(s->evidence, "blob.status", json_integer(status));
    probe_fact(s->evidence, "blob.written", json_boolean(status == 201));
    if (status == 201)
        probe_fact(s->evidence, "blob.container_exists", json_true());
    else
        record_refusal(s, seen, "write", status);
    return status == 201;
}

static void exercise(const struct store *s)
{
    json_auto_t *get = jsonx_must(json_object());
    json_auto_t *del = jsonx_must(json_object());
    AUTO(buf) struct buf body = BUF_INIT(BUF_TEXT_MAX);

    probe_step(s->evidence, "write");
    if (!write_blob(s))
        return;
    long status = send_request(s, get, "GET", STR(""), &body);
    const bool is_same = status == 200 && str_eq(buf_str(&body), STR(CONTENT));

    probe_fact(s->evidence, "blob.read_back", json_boolean(is_same));
    if (!is_same)
        record_refusal(s, get, "read", status);
    status = send_request(s, del, "DELETE", STR(""), NULL);
    probe_fact(s->evidence, "blob.deleted", json_boolean(status == 202));
    if (status != 202)
        record_refusal(s, del, "delete", status);
}

static bool open_store(struct store *s, const char *host, uint16_t port)
{
    if (!net_resolve(s->job, s->evidence, host, port, &s->addresses))
        return false;
    AUTO(fd) int fd = net_connect(s->job, s->evidence, &s->addresses);
    AUTO(tls) struct tls_session *session = NULL;

    if (fd < 0)
        return false;
    return s->tls.mode == TLS_MODE_OFF
           || tls_session_open(s->job, s->evidence, fd, &s->tls, &session);
}

static const char *auth_word(const struct probe_job *job)
{
    if (probe_secret(job, "key") != NULL)
        return "key";
    return probe_secret(job, "sas") != NULL ? "sas" : "none";
}

static void run(const struct probe_job *job, json_t *evidence)
{
    const json_t *t = job->target;
    const char *host = jsonx_text(t, "host");
    const char *container = jsonx_text(t, "container");
    const char *account = jsonx_text(t, "account");
    const char *base_path = jsonx_text(t, "path");
    const struct tls_options tls = tls_options_of(t, TLS_MODE_VERIFY);
    const bool is_tls = tls.mode != TLS_MODE_OFF;
    const int64_t port = jsonx_int(t, "port", is_tls ? 443 : 80);

    if (host == NULL || container == NULL || port < 1 || port > 65535) {
        probe_failed(
                job, evidence, "target", STR("the target needs a host, a port and a container"));
        return;
    }
    AUTO(free) char *name = digest_random_text("abcdefghijklmnopqrstuvwxyz0123456789", 12);
    AUTO(free)
    char *path = xasprintf(
            "%s/%s/deployer-verify-%s.txt", base_path == NULL ? "" : base_path, container, name);
    AUTO(free)
    char *base = port == (is_tls ? 443 : 80)
                         ? xasprintf("%s://%s", is_tls ? "https" : "http", host)
                         : xasprintf("%s://%s:%d", is_tls ? "https" : "http", host, (int)port);
    struct store s = { .job = job,
        .evidence = evidence,
        .tls = tls,
        .account = account == NULL ? "" : account,
        .base = base,
        .path = path };

    probe_fact(evidence, "blob.auth", jsonx_must(json_string(auth_word(job))));
    if (open_store(&s, host, (uint16_t)port))
        exercise(&s);
}

const struct probe probe_blob = {
    .name = "blob",
    .summary = "blob storage: a blob written, read back, deleted",
    .run = run,
};
