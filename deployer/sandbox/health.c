#include "sandbox/health.h"

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/str.h"

/* How often success is looked for at least. */
#define FAST_PERIOD_MS 250

enum probe_kind { STARTUP, LIVENESS, READINESS, PROBE_KINDS };

struct check {
    bool is_set;
    char *url; /* http(s)://address:port/path; for TCP telnet-less: http://address:port */
    bool is_tcp;
    char *what; /* for messages: "HTTP GET :3000/health" */
    struct curl_slist *headers;
    int64_t initial_ms, period_ms, timeout_ms, threshold, successes_needed;
    int64_t next_ms;       /* the next attempt */
    int64_t count_from_ms; /* the next failure that counts */
    int64_t failures, successes;
    CURL *call; /* under way */
    bool is_passing;
    char *problem;
};

struct health {
    CURLM *multi;
    struct check checks[PROBE_KINDS];
    int64_t begun_ms; /* 0: not begun */
    bool is_started;
    char *problem;
};

static const char *const kind_names[] = { "Startup", "Liveness", "Readiness" };

static void set_http(struct check *c, const json_t *get, const char *address)
{
    const char *scheme = jsonx_text(get, "scheme");
    const char *path = jsonx_text(get, "path");
    const bool is_tls = scheme != NULL && str_eq_ci(str_of(scheme), STR("HTTPS"));
    const int port = (int)jsonx_int(get, "port", 80);
    const json_t *header = NULL;
    size_t i = 0;

    path = path == NULL ? "/" : path;
    c->url = xasprintf("%s://%s:%d%s%s", is_tls ? "https" : "http", address, port,
            path[0] == '/' ? "" : "/", path);
    c->what = xasprintf("GET :%d%s", port, path);
    json_array_foreach (json_object_get(get, "httpHeaders"), i, header) {
        AUTO(free)
        char *line = xasprintf("%s: %s", jsonx_text(header, "name"), jsonx_text(header, "value"));

        c->headers = curl_slist_append(c->headers, line);
    }
}

static void set_tcp(struct check *c, int port, const char *address)
{
    c->is_tcp = true;
    c->url = xasprintf("http://%s:%d", address, port);
    c->what = xasprintf("TCP :%d", port);
}

static int64_t seconds(const json_t *probe, const char *key, int64_t otherwise)
{
    return jsonx_int(probe, key, otherwise) * 1000;
}

static void set_check(struct check *c, const json_t *probe, const char *address)
{
    const json_t *get = json_object_get(probe, "httpGet");

    if (c->is_set)
        return;
    c->is_set = true;
    c->initial_ms = seconds(probe, "initialDelaySeconds", 0);
    c->period_ms = seconds(probe, "periodSeconds", 10);
    c->timeout_ms = seconds(probe, "timeoutSeconds", 1);
    c->threshold = jsonx_int(probe, "failureThreshold", 3);
    c->successes_needed = jsonx_int(probe, "successThreshold", 1);
    if (json_is_object(get))
        set_http(c, get, address);
    else
        set_tcp(c, (int)jsonx_int(json_object_get(probe, "tcpSocket"), "port", 0), address);
}

struct health *health_new(CURLM *multi, const json_t *probes, const char *address, int default_port)
{
    struct health *h = xcalloc(1, sizeof(*h));
    const json_t *probe = NULL;
    size_t i = 0;

    h->multi = multi;
    json_array_foreach (probes, i, probe) {
        const char *type = jsonx_text(probe, "type");

        for (size_t k = 0; type != NULL && k < PROBE_KINDS; k++)
            if (str_eq_ci(str_of(type), str_of(kind_names[k])))
                set_check(&h->checks[k], probe, address);
    }
    if (json_array_size(probes) == 0 && default_port > 0) {
        json_auto_t *tcp = jsonx_must(json_pack("{s:{s:i}, s:i, s:i}", "tcpSocket", "port",
                default_port, "periodSeconds", 1, "failureThreshold", 240));

        set_check(&h->checks[STARTUP], tcp, address);
    }
    return h;
}

static void end_call(struct health *h, struct check *c)
{
    if (c->call == NULL)
        return;
    curl_multi_remove_handle(h->multi, c->call);
    curl_easy_cleanup(c->call);
    c->call = NULL;
}

void health_free(struct health *h)
{
    if (h == NULL)
        return;
    for (size_t k = 0; k < PROBE_KINDS; k++) {
        struct check *c = &h->checks[k];

        end_call(h, c);
        curl_slist_free_all(c->headers);
        free(c->url);
        free(c->what);
        free(c->problem);
    }
    free(h->problem);
    free(h);
}

const char *health_problem(const struct health *h)
{
    return h->problem == NULL ? "" : h->problem;
}

static size_t drop(char *p, size_t size, size_t count, void *arg)
{
    (void)p;
    (void)arg;
    return size * count;
}

static void start_call(struct health *h, struct check *c)
{
    CURL *call = curl_easy_init();

    if (call == NULL)
        die_oom();
    curl_easy_setopt(call, CURLOPT_URL, c->url);
    curl_easy_setopt(call, CURLOPT_PROXY, "");
    curl_easy_setopt(call, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(call, CURLOPT_TIMEOUT_MS, (long)c->timeout_ms);
    curl_easy_setopt(call, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(call, CURLOPT_PRIVATE, c);
    curl_easy_setopt(call, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(call, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(call, CURLOPT_USERAGENT, "kube-probe/1.30");
    /* As Kubernetes: a probe's certificate is not looked at. */
    curl_easy_setopt(call, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(call, CURLOPT_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(call, CURLOPT_HTTPHEADER, c->headers);
    if (c->is_tcp)
        curl_easy_setopt(call, CURLOPT_CONNECT_ONLY, 1L);
    c->call = call;
    if (curl_multi_add_handle(h->multi, call) != CURLM_OK)
        die_oom();
}

static void note_failure(struct check *c, int64_t now_ms, char *problem)
{
    free(c->problem);
    c->problem = problem;
    c->successes = 0;
    if (now_ms < c->count_from_ms)
        return;
    c->count_from_ms = now_ms + c->period_ms;
    c->failures++;
    if (c->failures >= c->threshold)
        c->is_passing = false;
}

static void judge(struct check *c, CURLcode rc, int64_t now_ms)
{
    long status = 0;

    curl_easy_getinfo(c->call, CURLINFO_RESPONSE_CODE, &status);
    if (rc != CURLE_OK) {
        note_failure(c, now_ms, xasprintf("%s: %s", c->what, curl_easy_strerror(rc)));
    } else if (!c->is_tcp && (status < 200 || status >= 400)) {
        note_failure(c, now_ms, xasprintf("%s: HTTP %ld", c->what, status));
    } else {
        c->failures = 0;
        if (++c->successes >= c->successes_needed)
            c->is_passing = true;
    }
}

/* curl hands out each result once, to whoever asks: those of other containers' are kept there. */
static void harvest(struct health *h, int64_t now_ms)
{
    const CURLMsg *m = NULL;
    int running = 0;
    int left = 0;

    curl_multi_perform(h->multi, &running);
    while ((m = curl_multi_info_read(h->multi, &left)) != NULL) {
        char *owner = NULL;

        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &owner);
        struct check *c = (struct check *)(void *)owner;
        CURL *call = c->call;

        judge(c, m->data.result, now_ms);
        c->call = NULL;
        curl_multi_remove_handle(h->multi, call);
        curl_easy_cleanup(call);
    }
}

static void tick_check(struct health *h, struct check *c, int64_t now_ms, bool is_fast)
{
    if (!c->is_set || c->call != NULL || now_ms < c->next_ms)
        return;
    if (c->count_from_ms == 0)
        c->count_from_ms = h->begun_ms + c->initial_ms;
    start_call(h, c);
    c->next_ms =
            now_ms + (is_fast && c->period_ms > FAST_PERIOD_MS ? FAST_PERIOD_MS : c->period_ms);
}

static enum health_verdict dead(struct health *h, enum probe_kind kind)
{
    const struct check *c = &h->checks[kind];

    free(h->problem);
    h->problem = xasprintf("%s probe failed %lld times, last: %s", kind_names[kind],
            (long long)c->failures, c->problem == NULL ? "" : c->problem);
    return HEALTH_DEAD;
}

static bool has_failed(const struct check *c)
{
    return c->is_set && c->failures >= c->threshold;
}

enum health_verdict health_tick(struct health *h, int64_t now_ms)
{
    struct check *startup = &h->checks[STARTUP];
    struct check *ready = &h->checks[READINESS];

    if (h->begun_ms == 0)
        h->begun_ms = now_ms;
    harvest(h, now_ms);
    if (!h->is_started) {
        tick_check(h, startup, now_ms, true);
        if (has_failed(startup))
            return dead(h, STARTUP);
        h->is_started = !startup->is_set || startup->is_passing;
        if (!h->is_started)
            return HEALTH_WAITING;
        h->begun_ms = now_ms;
    }
    tick_check(h, &h->checks[LIVENESS], now_ms, false);
    tick_check(h, ready, now_ms, !ready->is_passing);
    if (has_failed(&h->checks[LIVENESS]))
        return dead(h, LIVENESS);
    if (!ready->is_set || ready->is_passing)
        return HEALTH_READY;
    free(h->problem);
    h->problem = xasprintf("Readiness probe: %s", ready->problem == NULL ? "" : ready->problem);
    return ready->failures >= ready->threshold ? HEALTH_UNREADY : HEALTH_WAITING;
}
