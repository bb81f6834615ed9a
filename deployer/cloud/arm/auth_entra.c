/* Entra's token endpoint; client secret and client certificate, the two that need nothing else. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "cloud/arm/auth_jwt.h"
#include "cloud/arm/auth_method.h"

#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define FORM_MAX (64u << 10)
#define PEM_MAX (256u << 10)
#define TRY_MS 20000

static void add_field(struct buf *form, const char *name, struct str value)
{
    if (form->len > 0)
        buf_add_char(form, '&');
    buf_addf(form, "%s=", name);
    encode_percent(form, value);
}

/* Advice for the refusals that people meet most. */
static const struct {
    const char *code;
    const char *hint;
} refusals[] = {
    { "AADSTS7000215", "the client secret is wrong: give its value, not its id" },
    { "AADSTS7000222", "the client secret has expired: make a new one" },
    { "AADSTS700016", "the application is not in this tenant: check AZURE_CLIENT_ID and "
                      "AZURE_TENANT_ID" },
    { "AADSTS90002", "there is no such tenant: check AZURE_TENANT_ID" },
    { "AADSTS700027", "the certificate is not registered with the application" },
    { "AADSTS70021", "no federated credential of the application matches the token's issuer and "
                     "subject" },
    { "AADSTS700213", "no federated credential of the application matches the token's subject" },
    { "AADSTS700024", "the assertion is outside its validity: check this machine's clock" },
    { "AADSTS53003", "a conditional access policy forbids this login" },
};

static struct err *refused(const json_t *body, long status)
{
    AUTO(free) char *text = auth_answer_refusal(body, status);
    struct err *e = err_new(ERR_AUTH, status, "Entra refused it: %s", text);

    err_set_api(e, jsonx_text(body, "error"), jsonx_text(body, "correlation_id"));
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        const ptrdiff_t at = str_find(str_of(text), str_of(refusals[i].code));
        const size_t end = at < 0 ? 0 : (size_t)at + strlen(refusals[i].code);

        if (at >= 0 && (text[end] < '0' || text[end] > '9'))
            err_set_hint(e, "%s", refusals[i].hint);
    }
    return e;
}

static void on_answer(void *arg, struct http_response *r)
{
    struct auth_request *q = arg;
    struct auth_token token = { 0 };
    json_auto_t *body = NULL;
    const struct auth_clock clock = { clock_now_ms(), clock_wall_ms() };

    q->exchange = NULL;
    struct err *e = TAKE(r->e);

    if (e == NULL)
        e = jsonx_load(buf_str(&r->body), "token endpoint", &body);
    if (e == NULL && r->status == 200)
        e = auth_answer_read(body, &clock, &token);
    else if (body != NULL || (e != NULL && r->status >= 400 && r->status < 500)) {
        err_ignore(e, "the status says more");
        e = refused(body, r->status);
    }
    auth_request_end(q, &token, e);
}

static void add_scope(struct buf *form, const struct auth_request *q, const char *url)
{
    struct str scope = str_of(q->scope);

    if (str_ends(str_of(url), STR("/adfs/oauth2/token"))) {
        const struct str suffix = STR("/.default");

        if (str_ends(scope, suffix))
            scope = str_slice(scope, 0, scope.len - suffix.len);
        add_field(form, "resource", scope);
    } else {
        add_field(form, "scope", scope);
    }
}

void auth_entra_ask(struct auth_request *q, const struct auth_entra *how)
{
    AUTO(free) char *url = auth_token_url(q->auth, how->tenant);
    AUTO(free) char *claims = auth_answer_merge_claims(q->claims);
    struct buf form = { .max_bytes = FORM_MAX, .is_secret = true };

    add_field(&form, "grant_type", STR("client_credentials"));
    add_field(&form, "client_id", str_of(how->client_id));
    add_scope(&form, q, url);
    add_field(&form, "claims", str_of(claims));
    if (how->client_secret != NULL) {
        add_field(&form, "client_secret", secret_reveal(how->client_secret));
    } else {
        add_field(&form, "client_assertion_type", STR(ASSERTION_TYPE));
        add_field(&form, "client_assertion", secret_reveal(how->assertion));
    }
    q->exchange = exchange_start(auth_loop(q->auth),
            &(struct exchange_spec){ .method = "POST",
                    .url = url,
                    .headers = { "Content-Type: application/x-www-form-urlencoded",
                            "Accept: application/json" },
                    .body = &form,
                    .deadline_ms = q->deadline_ms,
                    .timeout_ms = TRY_MS,
                    .done = on_answer,
                    .arg = q });
}

/* --- client secret --------------------------------------------------------------------------- */

static char *secret_missing(const struct auth *a)
{
    static const char *const names[] = { "AZURE_TENANT_ID", "AZURE_CLIENT_ID",
        "AZURE_CLIENT_SECRET" };

    if (auth_given_secret(a) != NULL)
        return auth_tenant(a) == NULL ? xstrdup("no tenant is given") : NULL;
    return auth_missing(a, names, ARRAY_LEN(names));
}

static void secret_start(struct auth_request *q)
{
    struct secret *given = auth_given_secret(q->auth);
    AUTO(secret)
    struct secret *value = given != NULL
                                   ? secret_ref(given)
                                   : secret_new(str_of(auth_env(q->auth, "AZURE_CLIENT_SECRET")));

    auth_entra_ask(q, &(struct auth_entra){ .tenant = auth_tenant(q->auth),
                              .client_id = given != NULL ? auth_given_id(q->auth)
                                                         : auth_env(q->auth, "AZURE_CLIENT_ID"),
                              .client_secret = value });
}

const struct auth_method auth_method_secret = { "client-secret", secret_missing, secret_start };

/* --- client certificate ---------------------------------------------------------------------- */

static char *certificate_missing(const struct auth *a)
{
    static const char *const names[] = { "AZURE_TENANT_ID", "AZURE_CLIENT_ID",
        "AZURE_CLIENT_CERTIFICATE_PATH" };

    return auth_missing(a, names, ARRAY_LEN(names));
}

static bool wants_chain(const struct auth *a)
{
    const struct str v = str_of(auth_env(a, "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN"));

    return str_eq(v, STR("1")) || str_eq_ci(v, STR("true"));
}

static struct err *assert_by_certificate(const struct auth *a, struct secret **ret)
{
    const char *path = auth_env(a, "AZURE_CLIENT_CERTIFICATE_PATH");
    AUTO(free) char *url = auth_token_url(a, auth_tenant(a));
    AUTO(buf) struct buf pem = { .max_bytes = PEM_MAX, .is_secret = true };
    char id[DIGEST_UUID_SIZE];

    struct err *e = file_read(path, PEM_MAX, &pem);

    if (e != NULL) { /* set up, but wrong: not "try the next" */
        struct err *config = err_new(ERR_CONFIG, err_code(e), "%s", err_text(e));

        err_free(e);
        return config;
    }
    digest_uuid4(id);
    return err_wrap(
            auth_jwt_sign(buf_str(&pem), str_of(auth_env(a, "AZURE_CLIENT_CERTIFICATE_PASSWORD")),
                    &(struct auth_jwt){ .audience = url,
                            .client_id = auth_env(a, "AZURE_CLIENT_ID"),
                            .id = id,
                            .now_s = clock_wall_ms() / 1000,
                            .has_chain = wants_chain(a) },
                    ret),
            "%s", path);
}

static void certificate_start(struct auth_request *q)
{
    AUTO(secret) struct secret *assertion = NULL;
    struct err *e = assert_by_certificate(q->auth, &assertion);

    if (e != NULL) {
        auth_request_end(q, NULL, e);
        return;
    }
    auth_entra_ask(q, &(struct auth_entra){ .tenant = auth_tenant(q->auth),
                              .client_id = auth_env(q->auth, "AZURE_CLIENT_ID"),
                              .assertion = assertion });
}

const struct auth_method auth_method_certificate = { "client-certificate", certificate_missing,
    certificate_start };
