#include "sandbox/blob_call.h"

#include <curl/curl.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/jsonx.h"
#include "base/str.h"
#include "sandbox/recipe.h"

#define VERSION "2021-12-02"

struct request {
    const json_t *scope;
    char *method, *container, *query;
    char date[40];
};

static void auto_request(struct request *r)
{
    free(r->method);
    free(r->container);
    free(r->query);
}

static void auto_curl(CURL **c)
{
    curl_easy_cleanup(*c);
}

static void auto_headers(struct curl_slist **l)
{
    curl_slist_free_all(*l);
}

/* "a=b&c=d" as lines "\na:b\nc:d"; recipes write the names in order. */
static void add_query(struct buf *out, const char *query)
{
    struct str rest = str_of(query);

    while (rest.p != NULL && rest.len > 0) {
        struct str value = str_cut(&rest, '&');
        const struct str name = str_cut(&value, '=');

        buf_addf(out, "\n%.*s:%.*s", STR_ARG(name), STR_ARG(value));
    }
}

static struct err *sign(const struct request *r, struct buf *ret)
{
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);
    AUTO(buf) struct buf key = BUF_INIT(4096);
    const char *account = jsonx_text(r->scope, "name");
    const char *primary = jsonx_text(json_object_get(r->scope, "keys"), "primary");
    unsigned char mac[DIGEST_SHA256_BYTES];

    if (account == NULL || primary == NULL)
        return err_new(ERR_INTERNAL, 0, "the account has no key");
    TRY(decode_base64(str_of(primary), &key));
    buf_addf(&text, "%s\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:%s\nx-ms-version:" VERSION "\n/%s/%s",
            r->method, r->date, account, r->container);
    add_query(&text, r->query);
    digest_hmac_sha256(buf_str(&key), buf_str(&text), mac);
    buf_addf(ret, "Authorization: SharedKey %s:", account);
    encode_base64(ret, mac, sizeof(mac));
    return NULL;
}

static struct curl_slist *add_header(struct curl_slist *list, const char *text)
{
    struct curl_slist *longer = curl_slist_append(list, text);

    if (longer == NULL)
        die_oom();
    return longer;
}

static struct err *make_headers(const struct request *r, struct curl_slist **ret)
{
    AUTO(buf) struct buf authorization = BUF_INIT(4096);
    AUTO(free) char *date = xasprintf("x-ms-date: %s", r->date);

    TRY(sign(r, &authorization));
    *ret = add_header(NULL, date);
    *ret = add_header(*ret, "x-ms-version: " VERSION);
    *ret = add_header(*ret, buf_text(&authorization));
    *ret = add_header(*ret, "Content-Type:");
    return NULL;
}

static size_t drop(char *p, size_t size, size_t count, void *arg)
{
    (void)p;
    (void)arg;
    return size * count;
}

static struct err *send_request(const struct request *r, long *ret_status)
{
    AUTO(curl) CURL *c = curl_easy_init();
    AUTO(headers) struct curl_slist *headers = NULL;
    AUTO(free) char *url = scope_expand(r->scope, "https://${host}/");
    AUTO(free) char *full = xasprintf("%s%s?%s", url, r->container, r->query);
    AUTO(free) char *to = scope_expand(r->scope, "::${address}:${port}");
    AUTO(headers) struct curl_slist *connect_to = add_header(NULL, to);
    char problem[CURL_ERROR_SIZE] = "";

    if (c == NULL)
        die_oom();
    TRY(make_headers(r, &headers));
    curl_easy_setopt(c, CURLOPT_URL, full);
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, r->method);
    if (text_eq(r->method, "PUT")) {
        curl_easy_setopt(c, CURLOPT_POST, 1L);
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, 0L);
    }
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c, CURLOPT_CONNECT_TO, connect_to);
    curl_easy_setopt(c, CURLOPT_CAINFO, jsonx_text(r->scope, "ca"));
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)BLOB_CALL_MS);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, problem);
    const CURLcode rc = curl_easy_perform(c);

    if (rc != CURLE_OK)
        return err_new(ERR_NET, rc, "blob service: %s",
                problem[0] != '\0' ? problem : curl_easy_strerror(rc));
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, ret_status);
    return NULL;
}

static void http_date(char ret[40])
{
    const time_t now = (time_t)(clock_wall_ms() / 1000);
    struct tm tm;

    gmtime_r(&now, &tm);
    strftime(ret, 40, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

struct err *blob_call(const json_t *scope, const json_t *call)
{
    AUTO(request)
    struct request r = {
        .scope = scope,
        .method = scope_expand(scope, jsonx_text(call, "method")),
        .container = scope_expand(scope, jsonx_text(call, "container")),
        .query = scope_expand(scope, jsonx_text(call, "query")),
    };
    const json_t *expect = json_object_get(call, "expect");
    long status = 0;

    http_date(r.date);
    TRY(send_request(&r, &status));
    for (size_t i = 0; i < json_array_size(expect); i++)
        if (json_integer_value(json_array_get(expect, i)) == status)
            return NULL;
    return err_new(ERR_API, status, "blob service answered HTTP %ld to %s /%s", status, r.method,
            r.container);
}
