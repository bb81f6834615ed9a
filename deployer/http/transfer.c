#include "http/transfer.h"

#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/compiler.h"

#define CONNECT_TIMEOUT_MS 15000

/* --- curl's callbacks: append, count, nothing else ------------------------------------------- */

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;
    const size_t len = size * count;

    if (len > t->max_body - t->response.body.len) {
        t->is_too_big = true;
        return CURL_WRITEFUNC_ERROR;
    }
    buf_add(&t->response.body, data, len);
    return len;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;
    const size_t len = size * count;
    const struct str line = { .p = data, .len = len };

    /* Interim answers (100, a proxy's CONNECT) come before the one that counts. */
    if (str_starts_ci(line, STR("HTTP/")))
        buf_clear(&t->header_lines);
    if (len > HTTP_HEADERS_MAX - t->header_lines.len) {
        t->is_too_big = true;
        return 0;
    }
    buf_add(&t->header_lines, data, len);
    return len;
}

static size_t on_read(char *into, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;
    const size_t room = size * count;
    const size_t left = t->body.len - t->sent;
    const size_t n = left < room ? left : room;

    if (n > 0)
        memcpy(into, t->body.p + t->sent, n);
    t->sent += n;
    return n;
}

static int on_seek(void *arg, curl_off_t offset, int origin)
{
    struct transfer *t = arg;

    if (origin != SEEK_SET || offset < 0 || (size_t)offset > t->body.len)
        return CURL_SEEKFUNC_FAIL;
    t->sent = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* --- setting up ------------------------------------------------------------------------------ */

static void add_header(struct transfer *t, const char *line)
{
    struct curl_slist *longer = curl_slist_append(t->headers, line);

    if (longer == NULL)
        die_oom();
    t->headers = longer;
}

static void add_headers(struct transfer *t, const struct http_request *r)
{
    for (size_t i = 0; r->headers != NULL && r->headers[i] != NULL; i++)
        add_header(t, r->headers[i]);
    for (size_t i = 0; i < r->secret_count; i++) {
        const struct http_secret_header *h = &r->secrets[i];
        AUTO(buf) struct buf line = { .max_bytes = HTTP_HEADERS_MAX, .is_secret = true };

        buf_addf(&line, "%s: %s", h->name, h->prefix == NULL ? "" : h->prefix);
        buf_add_str(&line, secret_reveal(h->value));
        add_header(t, buf_text(&line));
    }
    add_header(t, "Expect:");
}

static void set_method(struct transfer *t, const struct http_request *r)
{
    CURL *c = t->easy;
    const bool has_body = r->body.len > 0;

    if (text_eq(r->method, "GET") && !has_body)
        return;
    if (text_eq(r->method, "HEAD")) {
        curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
        return;
    }
    if (has_body || text_eq(r->method, "PUT") || text_eq(r->method, "POST")
            || text_eq(r->method, "PATCH")) {
        /* An upload from a callback: curl keeps no copy of the body, so that its owner can wipe it.
         */
        curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->body.len);
        curl_easy_setopt(c, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(c, CURLOPT_READDATA, t);
        curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(c, CURLOPT_SEEKDATA, t);
    }
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, r->method);
}

static void set_times(struct transfer *t, const struct http_request *r)
{
    const int left = clock_left_ms(r->deadline_ms);
    const long whole = r->timeout_ms > 0 && r->timeout_ms < left ? (long)r->timeout_ms : left;
    const long connect =
            r->connect_timeout_ms > 0 ? (long)r->connect_timeout_ms : CONNECT_TIMEOUT_MS;

    curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, whole);
    curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, connect);
}

static void set_options(struct transfer *t, const struct http_request *r, const char *ca_file)
{
    CURL *c = t->easy;

    curl_easy_setopt(c, CURLOPT_PRIVATE, t);
    curl_easy_setopt(c, CURLOPT_URL, r->url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "deployer/" DEPLOYER_VERSION);
    curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->curl_text);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
    if (ca_file != NULL) {
        curl_easy_setopt(c, CURLOPT_CAINFO, ca_file);
        curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
    }
    if (r->is_direct)
        curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
    if (r->is_once)
        curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L);
    set_method(t, r);
    set_times(t, r);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, t->headers);
}

/* The URL itself may hold what is secret. */
static struct err *too_late(const struct transfer *t)
{
    unsigned port = 0;
    AUTO(free) char *host = transfer_host(t, &port);

    return err_new(ERR_TIMEOUT, 0, "%s %s: no time is left to send it", t->method,
            host == NULL ? "?" : host);
}

struct transfer *transfer_new(const struct http_request *r, const char *ca_file)
{
    struct transfer *t = xcalloc(1, sizeof(*t));

    t->state = TRANSFER_READY;
    t->url = xstrdup(r->url);
    t->method = xstrdup(r->method);
    t->body = r->body;
    t->max_body = r->max_response_bytes > 0 ? r->max_response_bytes : HTTP_BODY_MAX;
    t->response.body = (struct buf){ .max_bytes = t->max_body, .is_secret = r->is_secret_response };
    t->header_lines = (struct buf){ .max_bytes = HTTP_HEADERS_MAX };
    t->deadline_ms = r->deadline_ms;
    t->is_direct = r->is_direct;
    t->done = r->done;
    t->arg = r->arg;
    t->started_ms = clock_now_ms();
    t->easy = curl_easy_init();
    if (t->easy == NULL)
        die_oom();
    add_headers(t, r);
    set_options(t, r, ca_file);
    if (r->deadline_ms <= t->started_ms)
        transfer_fail(t, too_late(t));
    return t;
}

static void free_headers(struct curl_slist *list)
{
    for (struct curl_slist *l = list; l != NULL; l = l->next)
        explicit_bzero(l->data, strlen(l->data));
    curl_slist_free_all(list);
}

void transfer_free(struct transfer *t)
{
    if (t == NULL)
        return;
    curl_easy_cleanup(t->easy);
    free_headers(t->headers);
    curl_slist_free_all(t->connect_to);
    err_free(t->response.e);
    buf_release(&t->response.body);
    buf_release(&t->header_lines);
    free(t->response.headers);
    free(t->url);
    free(t->method);
    free(t);
}

char *transfer_host(const struct transfer *t, unsigned *ret_port)
{
    CURLU *u = curl_url();
    char *host = NULL;
    char *port = NULL;
    char *ret = NULL;

    if (u == NULL)
        die_oom();
    if (curl_url_set(u, CURLUPART_URL, t->url, 0) == CURLUE_OK
            && curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK
            && curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK) {
        const struct str h = str_of(host);

        ret = str_dup(h.p[0] == '[' ? str_slice(h, 1, h.len - 1) : h);
        *ret_port = (unsigned)strtoul(port, NULL, 10);
    }
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(u);
    return ret;
}

void transfer_dial(struct transfer *t, const char *address)
{
    const bool is_v6 = strchr(address, ':') != NULL;
    AUTO(free) char *entry = xasprintf(is_v6 ? "::[%s]:" : "::%s:", address);

    t->connect_to = curl_slist_append(NULL, entry);
    if (t->connect_to == NULL)
        die_oom();
    curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, t->connect_to);
}

/* --- how it ended ---------------------------------------------------------------------------- */

/* The one place where curl's failures become ours. */
static const struct {
    CURLcode code;
    enum err_kind kind;
    bool is_retryable;
} failures[] = {
    { CURLE_COULDNT_RESOLVE_HOST, ERR_NET, true },
    { CURLE_COULDNT_RESOLVE_PROXY, ERR_NET, true },
    { CURLE_COULDNT_CONNECT, ERR_NET, true },
    { CURLE_SEND_ERROR, ERR_NET, true },
    { CURLE_RECV_ERROR, ERR_NET, true },
    { CURLE_GOT_NOTHING, ERR_NET, true },
    { CURLE_PARTIAL_FILE, ERR_NET, true },
    { CURLE_PROXY, ERR_NET, false },
    { CURLE_OPERATION_TIMEDOUT, ERR_TIMEOUT, true },
    { CURLE_SSL_CONNECT_ERROR, ERR_TLS, true },
    { CURLE_PEER_FAILED_VERIFICATION, ERR_TLS, false },
    { CURLE_SSL_CACERT_BADFILE, ERR_TLS, false },
    { CURLE_SSL_CERTPROBLEM, ERR_TLS, false },
    { CURLE_SSL_ISSUER_ERROR, ERR_TLS, false },
    { CURLE_URL_MALFORMAT, ERR_CONFIG, false },
    { CURLE_UNSUPPORTED_PROTOCOL, ERR_CONFIG, false },
    { CURLE_WEIRD_SERVER_REPLY, ERR_PROTO, true },
    { CURLE_BAD_CONTENT_ENCODING, ERR_PROTO, true },
};

static struct err *failure_of(const struct transfer *t, CURLcode code)
{
    const char *why = t->curl_text[0] != '\0' ? t->curl_text : curl_easy_strerror(code);
    enum err_kind kind = ERR_PROTO;
    bool is_retryable = false;
    unsigned port = 0;
    AUTO(free) char *host = transfer_host(t, &port);

    if (t->is_too_big)
        return err_new(ERR_LIMIT, (long)code, "%s %s: the answer exceeds %zu bytes", t->method,
                host == NULL ? t->url : host, t->max_body);
    for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
        if (failures[i].code == code) {
            kind = failures[i].kind;
            is_retryable = failures[i].is_retryable;
        }
    }
    struct err *e = err_new(
            kind, (long)code, "%s %s:%u: %s", t->method, host == NULL ? "?" : host, port, why);

    err_set_retryable(e, is_retryable);
    return e;
}

/* "HTTP/1.1 200 OK\r\nName: value\r\n..." to "name: value\n..." */
static char *header_text(const struct buf *lines)
{
    struct buf out = BUF_INIT(HTTP_HEADERS_MAX * 2);
    struct str rest = buf_str(lines);

    while (rest.len > 0) {
        struct str line = str_cut(&rest, '\n');
        struct str value = str_trim(line);
        const struct str name = str_cut(&value, ':');

        if (value.p == NULL || name.len == 0)
            continue;
        for (size_t i = 0; i < name.len; i++)
            buf_add_char(&out, (char)tolower((unsigned char)name.p[i]));
        buf_add_text(&out, ": ");
        buf_add_str(&out, str_trim(value));
        buf_add_char(&out, '\n');
    }
    return buf_take(&out);
}

static void finish(struct transfer *t)
{
    t->state = TRANSFER_ENDED;
    t->response.headers = header_text(&t->header_lines);
    t->response.method = t->method;
    t->response.url = t->url;
    t->response.received_ms = clock_now_ms();
    t->response.elapsed_ms = t->response.received_ms - t->started_ms;
}

void transfer_end(struct transfer *t, CURLcode code)
{
    long connects = 0;

    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->response.status);
    curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connects);
    t->is_new_connection = connects > 0;
    if (code != CURLE_OK) {
        t->response.status = 0;
        t->response.e = failure_of(t, code);
    }
    finish(t);
}

void transfer_fail(struct transfer *t, struct err *e)
{
    t->response.e = e;
    finish(t);
}

bool http_response_header(const struct http_response *r, const char *name, struct str *ret)
{
    struct str rest = str_of(r->headers);
    const struct str wanted = str_of(name);

    while (rest.len > 0) {
        struct str value = str_cut(&rest, '\n');
        const struct str key = str_cut(&value, ':');

        if (str_eq_ci(key, wanted)) {
            *ret = str_trim(value);
            return true;
        }
    }
    return false;
}
