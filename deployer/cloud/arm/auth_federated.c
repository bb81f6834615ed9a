/*
 * Logins by somebody else's token (workload identity federation): a file that the platform renews,
 * GitHub's and Azure Pipelines' own endpoints. Each token is fetched anew for each use: they live
 * for minutes.
 */
#include "base/alloc.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "cloud/arm/auth_method.h"

#define ASSERTION_MAX (64u << 10)
#define AUDIENCE "api://AzureADTokenExchange"
#define TRY_MS 20000

static void ask_with(
        struct auth_request *q, const char *tenant, const char *client_id, struct secret *assertion)
{
    auth_entra_ask(q, &(struct auth_entra){
                              .tenant = tenant, .client_id = client_id, .assertion = assertion });
}

/* --- workload identity ----------------------------------------------------------------------- */

static char *workload_missing(const struct auth *a)
{
    static const char *const names[] = { "AZURE_TENANT_ID", "AZURE_CLIENT_ID",
        "AZURE_FEDERATED_TOKEN_FILE" };

    return auth_missing(a, names, ARRAY_LEN(names));
}

static void workload_start(struct auth_request *q)
{
    const char *path = auth_env(q->auth, "AZURE_FEDERATED_TOKEN_FILE");
    AUTO(buf) struct buf text = { .max_bytes = ASSERTION_MAX, .is_secret = true };
    struct err *e = file_read(path, ASSERTION_MAX, &text);
    const struct str token = str_trim(buf_str(&text));

    if (e == NULL && token.len == 0)
        e = err_new(ERR_CONFIG, 0, "%s is empty", path);
    if (e != NULL) {
        struct err *config = err_new(ERR_CONFIG, err_code(e), "%s", err_text(e));

        err_free(e);
        auth_request_end(q, NULL, config);
        return;
    }
    AUTO(secret) struct secret *assertion = secret_new(token);

    ask_with(q, auth_tenant(q->auth), auth_env(q->auth, "AZURE_CLIENT_ID"), assertion);
}

const struct auth_method auth_method_workload = { "workload-identity", workload_missing,
    workload_start };

/* --- what both CI systems share -------------------------------------------------------------- */

/* The secret at `key` of a 200, or the error. */
static struct err *take_assertion(struct http_response *r, const char *key, struct secret **ret)
{
    json_auto_t *body = NULL;

    if (r->e != NULL)
        return TAKE(r->e);
    if (r->status != 200)
        return err_new(
                ERR_AUTH, r->status, "the CI system's token endpoint answered HTTP %ld", r->status);
    TRY(jsonx_load(buf_str(&r->body), "the CI system's token endpoint", &body));
    *ret = auth_answer_secret(body, key);
    if (*ret == NULL)
        return err_new(ERR_PROTO, 0, "the CI system's token endpoint answered without '%s'", key);
    return NULL;
}

/* --- GitHub ---------------------------------------------------------------------------------- */

static char *github_missing(const struct auth *a)
{
    static const char *const names[] = { "AZURE_TENANT_ID", "AZURE_CLIENT_ID",
        "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN" };
    AUTO(free) char *text = auth_missing(a, names, ARRAY_LEN(names));

    if (text != NULL && auth_env(a, "GITHUB_ACTIONS") != NULL)
        return xasprintf("%s (the job needs permissions: id-token: write)", text);
    return TAKE(text);
}

static void on_github(void *arg, struct http_response *r)
{
    struct auth_request *q = arg;
    AUTO(secret) struct secret *assertion = NULL;

    q->exchange = NULL;
    struct err *e = take_assertion(r, "value", &assertion);

    if (e != NULL) {
        err_set_hint(e, "the workflow's job needs permissions: id-token: write");
        auth_request_end(q, NULL, e);
        return;
    }
    ask_with(q, auth_tenant(q->auth), auth_env(q->auth, "AZURE_CLIENT_ID"), assertion);
}

static void github_start(struct auth_request *q)
{
    const char *base = auth_env(q->auth, "ACTIONS_ID_TOKEN_REQUEST_URL");
    AUTO(buf) struct buf url = BUF_INIT(8192);
    AUTO(secret)
    struct secret *token = secret_new(str_of(auth_env(q->auth, "ACTIONS_ID_TOKEN_REQUEST_TOKEN")));

    buf_add_text(&url, base);
    if (str_find(str_of(base), STR("audience=")) < 0) {
        buf_add_text(&url, str_find(str_of(base), STR("?")) < 0 ? "?audience=" : "&audience=");
        encode_percent(&url, STR(AUDIENCE));
    }
    q->exchange =
            exchange_start(auth_loop(q->auth), &(struct exchange_spec){ .method = "GET",
                                                       .url = buf_text(&url),
                                                       .headers = { "Accept: application/json" },
                                                       .secret_name = "Authorization",
                                                       .secret_prefix = "Bearer ",
                                                       .secret = token,
                                                       .deadline_ms = q->deadline_ms,
                                                       .timeout_ms = TRY_MS,
                                                       .done = on_github,
                                                       .arg = q });
}

const struct auth_method auth_method_github = { "github-oidc", github_missing, github_start };

/* --- Azure Pipelines ------------------------------------------------------------------------- */

/* The service connection's own variables first (set by its tasks), then ours. */
static const char *pipelines_env(const struct auth *a, const char *part)
{
    AUTO(free) char *theirs = xasprintf("AZURESUBSCRIPTION_%s", part);
    AUTO(free) char *ours = xasprintf("AZURE_%s", part);
    const char *value = auth_env(a, theirs);

    return value != NULL ? value : auth_env(a, ours);
}

static char *pipelines_missing(const struct auth *a)
{
    static const char *const parts[] = { "TENANT_ID", "CLIENT_ID", "SERVICE_CONNECTION_ID" };
    static const char *const names[] = { "SYSTEM_OIDCREQUESTURI", "SYSTEM_ACCESSTOKEN" };
    AUTO(free) char *text = auth_missing(a, names, ARRAY_LEN(names));

    for (size_t i = 0; text == NULL && i < ARRAY_LEN(parts); i++) {
        if (pipelines_env(a, parts[i]) == NULL)
            text = xasprintf("AZURESUBSCRIPTION_%s is not set", parts[i]);
    }
    if (text != NULL && auth_env(a, "TF_BUILD") != NULL
            && auth_env(a, "SYSTEM_ACCESSTOKEN") == NULL)
        return xasprintf("%s (map it: env: {SYSTEM_ACCESSTOKEN: $(System.AccessToken)})", text);
    return TAKE(text);
}

static void on_pipelines(void *arg, struct http_response *r)
{
    struct auth_request *q = arg;
    AUTO(secret) struct secret *assertion = NULL;

    q->exchange = NULL;
    struct err *e = take_assertion(r, "oidcToken", &assertion);

    if (e != NULL) {
        err_set_hint(e, "check the service connection's id and that the pipeline may use it");
        auth_request_end(q, NULL, e);
        return;
    }
    ask_with(
            q, pipelines_env(q->auth, "TENANT_ID"), pipelines_env(q->auth, "CLIENT_ID"), assertion);
}

static void pipelines_start(struct auth_request *q)
{
    const char *base = auth_env(q->auth, "SYSTEM_OIDCREQUESTURI");
    AUTO(buf) struct buf url = BUF_INIT(8192);
    AUTO(secret)
    struct secret *token = secret_new(str_of(auth_env(q->auth, "SYSTEM_ACCESSTOKEN")));

    buf_addf(&url, "%s%capi-version=7.1&serviceConnectionId=", base,
            str_find(str_of(base), STR("?")) < 0 ? '?' : '&');
    encode_percent(&url, str_of(pipelines_env(q->auth, "SERVICE_CONNECTION_ID")));
    q->exchange = exchange_start(auth_loop(q->auth),
            &(struct exchange_spec){ .method = "POST",
                    .url = buf_text(&url),
                    .headers = { "Content-Type: application/json", "Accept: application/json",
                            "X-TFS-FedAuthRedirect: Suppress" },
                    .secret_name = "Authorization",
                    .secret_prefix = "Bearer ",
                    .secret = token,
                    .deadline_ms = q->deadline_ms,
                    .timeout_ms = TRY_MS,
                    .done = on_pipelines,
                    .arg = q });
}

const struct auth_method auth_method_pipelines = { "azure-pipelines", pipelines_missing,
    pipelines_start };
