/*
 * Managed identity: the endpoint that Container Apps, App Service and Functions put into the
 * environment, else the instance metadata service of a virtual machine. When it is one of several
 * ways, the latter is probed first: elsewhere nothing answers at its address.
 */
#include <stdbool.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/jsonx.h"
#include "cloud/arm/auth_method.h"
#include "http/retry.h"

#define IMDS "http://169.254.169.254"
#define IMDS_PATH "/metadata/identity/oauth2/token"
#define PROBE_MS 1000
#define TRY_MS 20000
#define IMDS_TRIES 6u

static char *managed_missing(const struct auth *a)
{
    if (auth_env(a, "IDENTITY_SERVER_THUMBPRINT") != NULL)
        return xstrdup("Service Fabric's endpoint is not supported");
    return NULL; /* where it runs decides, not a variable */
}

static bool is_app_service(const struct auth *a)
{
    return auth_env(a, "IDENTITY_ENDPOINT") != NULL && auth_env(a, "IDENTITY_HEADER") != NULL;
}

static bool imds_again(long status)
{
    /* 404 and 410: it is being set up or updated. */
    return status == 404 || status == 410 || retry_status_is_transient(status);
}

static struct err *refused(const struct auth_request *q, const json_t *body, long status)
{
    AUTO(free) char *text = auth_answer_refusal(body, status);
    const char *message = jsonx_text(body, "message");
    const char *client = auth_env(q->auth, "AZURE_CLIENT_ID");

    if (status == 400 && client == NULL) /* the answer where no identity is assigned */
        return err_new(ERR_NOINPUT, status, "no identity is assigned here (%s)",
                message != NULL ? message : text);
    struct err *e = err_new(ERR_AUTH, status, "%s%s%s", text, message == NULL ? "" : ": ",
            message == NULL ? "" : message);

    if (client != NULL)
        err_set_hint(e, "is the identity with AZURE_CLIENT_ID %s assigned here?", client);
    else
        err_set_hint(e,
                "log in with az login, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and a secret, "
                "certificate or token; --auth says which login is meant");
    return e;
}

static void on_token(void *arg, struct http_response *r)
{
    struct auth_request *q = arg;
    struct auth_token token = { 0 };
    json_auto_t *body = NULL;
    const struct auth_clock clock = { clock_now_ms(), clock_wall_ms() };

    q->exchange = NULL;
    struct err *e = TAKE(r->e);

    if (e == NULL) {
        e = jsonx_load(buf_str(&r->body), "managed identity", &body);
        if (r->status == 200 && e == NULL) {
            e = auth_answer_read(body, &clock, &token);
        } else if (r->status != 200) {
            err_ignore(e, "the status says more");
            e = refused(q, body, r->status);
        }
    }
    auth_request_end(q, &token, e);
}

/* "?api-version=V&resource=R[&client_id=C]" */
static void add_query(struct buf *url, const struct auth_request *q, const char *version)
{
    struct str resource = str_of(q->scope);
    const struct str suffix = STR("/.default");
    const char *client = auth_env(q->auth, "AZURE_CLIENT_ID");

    if (str_ends(resource, suffix))
        resource = str_slice(resource, 0, resource.len - suffix.len);
    buf_addf(url, "%capi-version=%s&resource=", str_find(buf_str(url), STR("?")) < 0 ? '?' : '&',
            version);
    encode_percent(url, resource);
    if (client != NULL) {
        buf_add_text(url, "&client_id=");
        encode_percent(url, str_of(client));
    }
}

static void ask_app_service(struct auth_request *q)
{
    AUTO(buf) struct buf url = BUF_INIT(8192);
    AUTO(secret)
    struct secret *header = secret_new(str_of(auth_env(q->auth, "IDENTITY_HEADER")));

    buf_add_text(&url, auth_env(q->auth, "IDENTITY_ENDPOINT"));
    add_query(&url, q, "2019-08-01");
    q->exchange = exchange_start(auth_loop(q->auth), &(struct exchange_spec){ .method = "GET",
                                                             .url = buf_text(&url),
                                                             .secret_name = "X-IDENTITY-HEADER",
                                                             .secret = header,
                                                             .deadline_ms = q->deadline_ms,
                                                             .timeout_ms = TRY_MS,
                                                             .is_direct = true,
                                                             .done = on_token,
                                                             .arg = q });
}

static void add_imds(struct buf *url, const struct auth *a)
{
    const char *host = auth_env(a, "AZURE_POD_IDENTITY_AUTHORITY_HOST");
    struct str base = str_of(host == NULL ? IMDS : host);

    while (str_ends(base, STR("/")))
        base.len--;
    buf_add_str(url, base);
    buf_add_text(url, IMDS_PATH);
}

static void ask_imds(struct auth_request *q)
{
    AUTO(buf) struct buf url = BUF_INIT(8192);

    add_imds(&url, q->auth);
    add_query(&url, q, "2018-02-01");
    q->exchange = exchange_start(auth_loop(q->auth), &(struct exchange_spec){ .method = "GET",
                                                             .url = buf_text(&url),
                                                             .headers = { "Metadata: true" },
                                                             .deadline_ms = q->deadline_ms,
                                                             .timeout_ms = TRY_MS,
                                                             .tries = IMDS_TRIES,
                                                             .again = imds_again,
                                                             .is_direct = true,
                                                             .done = on_token,
                                                             .arg = q });
}

static void on_probe(void *arg, struct http_response *r)
{
    struct auth_request *q = arg;

    q->exchange = NULL;
    if (r->e != NULL) { /* any answer would do, a refusal too */
        auth_request_end(q, NULL,
                err_new(ERR_NOINPUT, 0,
                        "IDENTITY_ENDPOINT is not set, and no metadata service answers here"));
        return;
    }
    ask_imds(q);
}

static bool never_again(long status)
{
    (void)status;
    return false;
}

static void managed_start(struct auth_request *q)
{
    AUTO(buf) struct buf url = BUF_INIT(8192);

    if (is_app_service(q->auth)) {
        ask_app_service(q);
        return;
    }
    if (q->is_forced) {
        ask_imds(q);
        return;
    }
    add_imds(&url, q->auth);
    q->exchange = exchange_start(auth_loop(q->auth), &(struct exchange_spec){ .method = "GET",
                                                             .url = buf_text(&url),
                                                             .deadline_ms = q->deadline_ms,
                                                             .timeout_ms = PROBE_MS,
                                                             .tries = 1,
                                                             .again = never_again,
                                                             .is_direct = true,
                                                             .done = on_probe,
                                                             .arg = q });
}

const struct auth_method auth_method_managed = { "managed-identity", managed_missing,
    managed_start };
