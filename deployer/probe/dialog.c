/*
 * dialog.c - the dialog probe: HTTP requests one after the other, each with what it must answer, as
 * a client of some API would make them. What the API is stands in the target (data of a service).
 *
 * Target: host, port, tls, server_name; user (Basic, with the secret password); steps: [{name,
 * method, path, body (JSON or text), content_type, expect_status, expect: {JSON path: value}, for_s
 * (repeat until it holds), facts: {fact: JSON path, $status or $held}}]. In path and body %{id} is
 * 32 hex digits that are new in every run, %{id16} 16 of them, %{now} the time in RFC 3339,
 * %{now_ns} in nanoseconds.
 */
#include <stdio.h>

#include <curl/curl.h>

#include "base/alloc.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/jsonx.h"
#include "probe/http_probe.h"
#include "probe/net.h"
#include "probe/tls_session.h"

#define STEPS_MAX 20u
#define AGAIN_MS 500

struct dialog {
    const struct probe_job *job;
    json_t *evidence;
    struct net_addresses addresses;
    struct tls_options tls;
    char *base; /* "https://host:443" */
    char id[33];
};

static void fill(const struct dialog *d, const char *text, struct buf *out)
{
    struct str rest = str_of(text);

    for (;;) {
        const ptrdiff_t at = str_find(rest, STR("%{"));
        struct str tail = at < 0 ? STR("") : str_slice(rest, (size_t)at + 2, rest.len);
        const ptrdiff_t end = at < 0 ? -1 : str_find(tail, STR("}"));

        if (end < 0)
            break;
        const struct str name = str_slice(tail, 0, (size_t)end);
        char now[CLOCK_RFC3339_SIZE];

        clock_rfc3339(clock_wall_ms(), now);
        buf_add_str(out, str_slice(rest, 0, (size_t)at));
        if (str_eq(name, STR("id")))
            buf_add_text(out, d->id);
        else if (str_eq(name, STR("id16")))
            buf_add(out, d->id, 16);
        else if (str_eq(name, STR("now")))
            buf_add_text(out, now);
        else if (str_eq(name, STR("now_ns")))
            buf_addf(out, "%lld000000", (long long)clock_wall_ms());
        rest = str_slice(tail, (size_t)end + 1, tail.len);
    }
    buf_add_str(out, rest);
}

static struct curl_slist *headers_of(const struct dialog *d, const json_t *step, bool has_body)
{
    const char *user = jsonx_text(d->job->target, "user");
    const struct secret *password = probe_secret(d->job, "password");
    const char *type = jsonx_text(step, "content_type");
    AUTO(buf) struct buf line = { .max_bytes = 8192, .is_secret = true };
    AUTO(buf) struct buf login = { .max_bytes = 4096, .is_secret = true };
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");

    if (has_body) {
        buf_addf(&line, "Content-Type: %s", type == NULL ? "application/json" : type);
        headers = curl_slist_append(headers, buf_text(&line));
        buf_clear(&line);
    }
    if (user != NULL && password != NULL) {
        buf_addf(&login, "%s:", user);
        buf_add_str(&login, secret_reveal(password));
        buf_add_text(&line, "Authorization: Basic ");
        encode_base64(&line, login.p, login.len);
        headers = curl_slist_append(headers, buf_text(&line));
    }
    return headers;
}

/* One request; the answer's JSON (owned, NULL where it is none) and status. */
static bool ask(const struct dialog *d, const json_t *step, json_t *seen, json_t **ret_answer,
        long *ret_status)
{
    const json_t *body = json_object_get(step, "body");
    AUTO(free)
    char *body_text = json_is_string(body) ? xstrdup(json_string_value(body))
                      : body != NULL       ? jsonx_dump(body)
                                           : NULL;
    AUTO(buf) struct buf filled = BUF_INIT(BUF_TEXT_MAX);
    AUTO(buf) struct buf path = BUF_INIT(16384);
    AUTO(buf) struct buf answer = BUF_INIT(BUF_TEXT_MAX);

    fill(d, body_text == NULL ? "" : body_text, &filled);
    fill(d, jsonx_text(step, "path") == NULL ? "/" : jsonx_text(step, "path"), &path);
    AUTO(free) char *url = xasprintf("%s%s", d->base, buf_text(&path));
    struct curl_slist *headers = headers_of(d, step, body != NULL);
    const struct http_probe_request r = { .url = url,
        .method = jsonx_text(step, "method"),
        .headers = headers,
        .has_body = body != NULL,
        .body = buf_str(&filled) };
    const bool is_answered = http_probe_request(
            d->job, seen, &d->addresses.items[0], &d->tls, &r, &answer, ret_status);

    for (const struct curl_slist *h = headers; h != NULL; h = h->next)
        explicit_bzero(h->data, strlen(h->data));
    curl_slist_free_all(headers);
    if (is_answered)
        err_ignore(jsonx_load(buf_str(&answer), "answer", ret_answer), "not every answer is JSON");
    return is_answered;
}

/* NULL, or what is not as expected (static or in `text`). */
static const char *unexpected(const struct dialog *d, const json_t *step, const json_t *answer,
        long status, char text[160])
{
    const json_t *expect = json_object_get(step, "expect");
    const int64_t wanted = jsonx_int(step, "expect_status", 0);
    const char *path = NULL;
    json_t *value = NULL;

    if (wanted != 0 ? status != wanted : status < 200 || status >= 300) {
        snprintf(text, 160, "HTTP status %ld", status);
        return text;
    }
    json_object_foreach ((json_t *)(uintptr_t)expect, path, value) {
        const json_t *got = jsonx_at(answer, path);
        AUTO(buf) struct buf wanted_text = BUF_INIT(BUF_TEXT_MAX);

        fill(d, json_is_string(value) ? json_string_value(value) : "", &wanted_text);
        if (json_is_string(value) ? !text_eq(json_string_value(got), buf_text(&wanted_text))
                                  : !json_equal(got, value)) {
            snprintf(text, 160, "%s is not as expected", path);
            return text;
        }
    }
    return NULL;
}

/* A member of the answer; "$status" and "$held" are of the step itself. Owned, or NULL. */
static json_t *fact_of(const char *path, const json_t *answer, long status, bool is_held)
{
    if (path == NULL)
        return NULL;
    if (text_eq(path, "$status"))
        return status == 0 ? NULL : json_integer(status);
    if (text_eq(path, "$held"))
        return json_boolean(is_held);
    const json_t *value = jsonx_at(answer, path);

    return value == NULL || json_is_object(value) ? NULL : jsonx_copy(value);
}

static void record(
        const struct dialog *d, const json_t *step, const json_t *answer, long status, bool is_held)
{
    const json_t *facts = json_object_get(step, "facts");
    AUTO(free) char *status_fact = xasprintf("dialog.%s", jsonx_text(step, "name"));
    const char *fact = NULL;
    json_t *path = NULL;

    probe_fact(d->evidence, status_fact, json_integer(status));
    json_object_foreach ((json_t *)(uintptr_t)facts, fact, path) {
        probe_fact(d->evidence, fact, fact_of(json_string_value(path), answer, status, is_held));
    }
}

/* False after probe_failed: the dialogue ends here. */
static bool run_step(const struct dialog *d, const json_t *step)
{
    const char *name = jsonx_text(step, "name");
    const int64_t for_ms = jsonx_int(step, "for_s", 0) * 1000;
    const int64_t until_ms = clock_now_ms() + for_ms < d->job->deadline_ms - AGAIN_MS
                                     ? clock_now_ms() + for_ms
                                     : d->job->deadline_ms - AGAIN_MS;
    char text[160];

    probe_step(d->evidence, name);
    for (;;) {
        json_auto_t *seen = jsonx_must(json_object());
        json_auto_t *answer = NULL;
        long status = 0;
        const bool is_answered = ask(d, step, seen, &answer, &status);
        const char *wrong = is_answered ? unexpected(d, step, answer, status, text)
                                        : json_string_value(jsonx_at(seen, "probe.error"));

        record(d, step, answer, status, is_answered && wrong == NULL);
        if (is_answered && wrong == NULL)
            return true;
        if (clock_now_ms() + AGAIN_MS < until_ms && !cancel_is_asked()) {
            clock_sleep_ms(AGAIN_MS);
            continue;
        }
        if (jsonx_at(seen, "http") != NULL)
            probe_fact(d->evidence, "http", jsonx_copy(jsonx_at(seen, "http")));
        AUTO(free) char *said = xasprintf("%s: %s", name, wrong == NULL ? "no answer" : wrong);

        probe_failed(d->job, d->evidence, name, str_of(said));
        return false;
    }
}

static void run(const struct probe_job *job, json_t *evidence)
{
    const char *host = jsonx_text(job->target, "host");
    const struct tls_options tls = tls_options_of(job->target, TLS_MODE_VERIFY);
    const bool is_tls = tls.mode != TLS_MODE_OFF;
    const int64_t port = jsonx_int(job->target, "port", is_tls ? 443 : 80);
    struct dialog d = { .job = job, .evidence = evidence, .tls = tls };
    const json_t *steps = json_object_get(job->target, "steps");
    unsigned char raw[16];
    AUTO(buf) struct buf id = BUF_INIT(sizeof(d.id));

    if (host == NULL || port < 1 || port > 65535 || json_array_size(steps) == 0) {
        probe_failed(job, evidence, "target", STR("the target needs a host and steps"));
        return;
    }
    digest_random(raw, sizeof(raw));
    encode_hex(&id, raw, sizeof(raw));
    memcpy(d.id, buf_text(&id), sizeof(d.id));
    if (!net_resolve(job, evidence, host, (uint16_t)port, &d.addresses))
        return;
    AUTO(fd) int fd = net_connect(job, evidence, &d.addresses);
    AUTO(tls) struct tls_session *s = NULL;

    if (fd < 0 || (is_tls && !tls_session_open(job, evidence, fd, &tls, &s)))
        return;
    AUTO(free)
    char *base = xasprintf("%s://%s:%d", is_tls ? "https" : "http",
            tls.check_name == NULL ? host : tls.check_name, (int)port);

    d.base = base;
    for (size_t i = 0; i < json_array_size(steps) && i < STEPS_MAX; i++) {
        if (!run_step(&d, json_array_get(steps, i)))
            return;
    }
}

const struct probe probe_dialog = {
    .name = "dialog",
    .summary = "HTTP requests one after the other, each with what it must answer",
    .run = run,
};
