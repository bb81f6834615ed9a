#include "sandbox/auth.h"

#include <openssl/crypto.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/jsonx.h"
#include "sandbox/assertion.h"
#include "sandbox/jwt.h"

#define FORM_FIELDS_MAX 32u
#define DEFAULT_AUDIENCE "https://management.azure.com/"

struct auth {
    char *dir;
    char *secret; /* the client's; a cloud has to keep it */
    char *tenant, *client_id, *object_id, *subscription;
    char *key; /* signs tokens */
    int64_t lifetime_s;
};

static char *take_text(const json_t *j, const char *key)
{
    const char *text = jsonx_text(j, key);

    return xstrdup(text == NULL ? "" : text);
}

static struct err *make_login(const char *path)
{
    AUTO(free) char *key = digest_random_text("0123456789abcdef", 64);
    json_auto_t *j = jsonx_must(
            json_pack("{s:s, s:s, s:s, s:s, s:s}", "tenant", "7e4a0000-0000-4000-8000-000000000001",
                    "subscription", "00000000-0000-0000-0000-000000000000", "client_id",
                    "c11e0000-0000-4000-8000-000000000001", "object_id",
                    "0b1e0000-0000-4000-8000-000000000001", "key", key));
    AUTO(free) char *text = jsonx_pretty(j);

    return file_write(path, str_of(text), 0600);
}

static struct err *load_secret(struct auth *a)
{
    AUTO(free) char *path = file_join(a->dir, "client-secret");
    AUTO(buf) struct buf text = BUF_INIT(4096);

    if (!file_exists(path)) {
        AUTO(free)
        char *secret = digest_random_text(
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 40);

        TRY(file_write(path, str_of(secret), 0600));
    }
    TRY(file_read(path, 4096, &text));
    a->secret = str_dup(str_trim(buf_str(&text)));
    return NULL;
}

static struct err *load(struct auth *a)
{
    AUTO(free) char *path = file_join(a->dir, "login.json");
    json_auto_t *j = NULL;

    if (!file_exists(path))
        TRY(make_login(path));
    TRY(jsonx_load_file(path, 65536, &j));
    a->tenant = take_text(j, "tenant");
    a->client_id = take_text(j, "client_id");
    a->object_id = take_text(j, "object_id");
    a->subscription = take_text(j, "subscription");
    a->key = take_text(j, "key");
    return load_secret(a);
}

struct err *auth_open(const char *dir, struct auth **ret)
{
    struct auth *a = xcalloc(1, sizeof(*a));

    a->dir = xstrdup(dir);
    a->lifetime_s = AUTH_LIFETIME_S;
    struct err *e = load(a);

    if (e != NULL) {
        auth_free(a);
        return e;
    }
    *ret = a;
    return NULL;
}

void auth_free(struct auth *a)
{
    if (a == NULL)
        return;
    free(a->dir);
    free(a->secret);
    free(a->tenant);
    free(a->client_id);
    free(a->object_id);
    free(a->subscription);
    free(a->key);
    free(a);
}

const char *auth_tenant(const struct auth *a)
{
    return a->tenant;
}

const char *auth_client_id(const struct auth *a)
{
    return a->client_id;
}

const char *auth_object_id(const struct auth *a)
{
    return a->object_id;
}

const char *auth_subscription(const struct auth *a)
{
    return a->subscription;
}

void auth_set_lifetime(struct auth *a, int64_t seconds)
{
    a->lifetime_s = seconds;
}

static void refuse_login(
        struct reply *r, int status, const char *error, const char *number, const char *text)
{
    char now[CLOCK_RFC3339_SIZE];
    char trace[DIGEST_UUID_SIZE];

    digest_uuid4(trace);
    clock_rfc3339(clock_wall_ms(), now);
    reply_json(r, status,
            jsonx_must(json_pack("{s:s, s:o, s:[o], s:s, s:s, s:s}", "error", error,
                    "error_description",
                    jsonx_textf(
                            "AADSTS%s: %s Trace ID: %s Timestamp: %s", number, text, trace, now),
                    "error_codes", json_integer(strtol(number, NULL, 10)), "timestamp", now,
                    "trace_id", trace, "correlation_id", trace)));
}

/* "https://management.azure.com//.default openid" -> "https://management.azure.com/". */
static char *audience_of(const char *scope, const char *resource)
{
    struct str text = str_of(resource != NULL ? resource : scope);
    const ptrdiff_t space = str_find(text, STR(" "));

    if (space >= 0)
        text = str_slice(text, 0, (size_t)space);
    if (str_ends(text, STR("/.default")))
        text.len -= strlen("/.default");
    return text.len == 0 ? xstrdup(DEFAULT_AUDIENCE) : str_dup(text);
}

/* The principal of an identity in the store whose client id this is, or NULL. */
static const char *principal_of(const struct store *store, const char *client_id)
{
    for (size_t i = 0; i < store->count; i++) {
        const json_t *made = store->items[i]->made;

        if (text_eq(json_string_value(jsonx_at(made, "properties.clientId")), client_id))
            return json_string_value(jsonx_at(made, "properties.principalId"));
    }
    return NULL;
}

static char *make_token(
        const struct auth *a, const char *client_id, const char *object_id, const char *audience)
{
    const int64_t now_s = clock_wall_ms() / 1000;
    char id[DIGEST_UUID_SIZE];

    digest_uuid4(id);
    /* The issuer of Entra's tokens of version 1: others look at it (Azurite does). */
    AUTO(free) char *issuer = xasprintf("https://sts.windows.net/%s/", a->tenant);
    json_auto_t *claims = jsonx_must(json_pack(
            "{s:s, s:s, s:I, s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "aud", audience, "iss",
            issuer, "iat", (json_int_t)now_s, "nbf", (json_int_t)now_s, "exp",
            (json_int_t)(now_s + a->lifetime_s), "appid", client_id, "oid", object_id, "sub",
            object_id, "tid", a->tenant, "idtyp", "app", "uti", id, "ver", "1.0"));

    return jwt_make(claims, str_of(a->key));
}

struct login {
    struct request_pair fields[FORM_FIELDS_MAX];
    size_t count;
    const char *client_id, *secret, *assertion;
    const char *object_id;
};

static bool is_secret_good(const struct auth *a, const struct login *l)
{
    const size_t len = strlen(a->secret);

    return text_eq(l->client_id, a->client_id) && l->secret != NULL && strlen(l->secret) == len
           && CRYPTO_memcmp(l->secret, a->secret, len) == 0;
}

/* Answers and returns false when the login is refused. */
static bool is_login_good(const struct auth *a, const struct store *store, const struct request *q,
        const char *authority, const struct login *l, struct reply *r)
{
    if (l->object_id == NULL) {
        refuse_login(r, 400, "unauthorized_client", "700016",
                "Application with the given identifier was not found in the directory.");
        return false;
    }
    if (l->assertion == NULL && is_secret_good(a, l))
        return true;
    if (l->assertion == NULL) {
        refuse_login(r, 401, "invalid_client", l->secret == NULL ? "7000216" : "7000215",
                l->secret == NULL
                        ? "'client_assertion', 'client_secret' or 'request' is required for the "
                          "'client_credentials' grant type."
                        : "Invalid client secret provided. Ensure the secret being sent in the "
                          "request is the client secret value, not the client secret ID.");
        return false;
    }
    AUTO(err)
    struct err *e = assertion_check(&(struct assertion_request){
            .arena = q->arena,
            .dir = a->dir,
            .client_id = l->client_id,
            .own_client_id = a->client_id,
            .text = l->assertion,
            .authority = authority,
            .store = store,
    });

    if (e == NULL)
        return true;
    refuse_login(r, 401, "invalid_client", err_api_code(e), err_text(e));
    return false;
}

static void grant(const struct auth *a, const struct login *l, bool is_v1, struct reply *r)
{
    AUTO(free)
    char *audience = audience_of(request_pair_find(l->fields, l->count, "scope"),
            request_pair_find(l->fields, l->count, "resource"));
    AUTO(free) char *token = make_token(a, l->client_id, l->object_id, audience);
    json_t *seconds =
            is_v1 ? jsonx_textf("%lld", (long long)a->lifetime_s) : json_integer(a->lifetime_s);

    reply_json(r, 200,
            jsonx_must(json_pack("{s:s, s:o, s:O, s:s}", "token_type", "Bearer", "expires_in",
                    seconds, "ext_expires_in", seconds, "access_token", token)));
    if (is_v1)
        json_object_set_new(r->body, "expires_on",
                jsonx_textf("%lld", (long long)(clock_wall_ms() / 1000 + a->lifetime_s)));
    reply_header(r, "Cache-Control", "no-store");
}

void auth_token(struct auth *a, const struct store *store, const struct request *q,
        const char *authority, struct reply *r)
{
    struct login l = { 0 };
    AUTO(err) struct err *e = request_form(q, l.fields, FORM_FIELDS_MAX, &l.count);
    const char *grant_type = request_pair_find(l.fields, l.count, "grant_type");

    if (e != NULL) {
        refuse_login(r, 400, "invalid_request", "900144", "The request body is not a form.");
        return;
    }
    if (!text_eq(grant_type, "client_credentials")) {
        refuse_login(r, 400, "unsupported_grant_type", "70003",
                "The app requested an unsupported grant type.");
        return;
    }
    l.client_id = request_pair_find(l.fields, l.count, "client_id");
    l.secret = request_pair_find(l.fields, l.count, "client_secret");
    l.assertion = request_pair_find(l.fields, l.count, "client_assertion");
    if (l.client_id != NULL)
        l.object_id = text_eq(l.client_id, a->client_id) ? a->object_id
                                                         : principal_of(store, l.client_id);
    if (is_login_good(a, store, q, authority, &l, r))
        grant(a, &l, request_pair_find(l.fields, l.count, "scope") == NULL, r);
}

static struct err *not_allowed(const struct auth *a, const struct request *q, struct reply *r,
        const char *code, const char *text)
{
    reply_header(r, "WWW-Authenticate",
            "Bearer authorization_uri=\"https://%s/%s\", error=\"invalid_token\", "
            "error_description=\"%s\"",
            q->host, a->tenant, text);
    return refuse(401, code, "%s", text);
}

static const char *claim(const struct request *q, const json_t *claims, const char *name)
{
    const char *text = jsonx_text(claims, name);

    return arena_text(q->arena, text == NULL ? "" : text);
}

struct err *auth_check(
        const struct auth *a, const struct request *q, struct reply *r, struct auth_caller *ret)
{
    struct jwt t = { 0 };

    if (q->authorization == NULL)
        return not_allowed(a, q, r, "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is missing.");
    if (strncasecmp(q->authorization, "Bearer ", 7) != 0)
        return not_allowed(a, q, r, "AuthenticationFailedInvalidHeader",
                "Authentication failed. The 'Authorization' header is provided in an invalid "
                "format.");
    AUTO(err) struct err *e = jwt_read(q->arena, q->authorization + 7, &t);

    if (e != NULL || !jwt_is_ours(&t, str_of(a->key)))
        return not_allowed(a, q, r, "InvalidAuthenticationToken", "The access token is invalid.");
    if (jsonx_int(t.claims, "exp", 0) <= clock_wall_ms() / 1000)
        return not_allowed(a, q, r, "ExpiredAuthenticationToken",
                "The access token expiry UTC time is earlier than current UTC time.");
    ret->client_id = claim(q, t.claims, "appid");
    ret->object_id = claim(q, t.claims, "oid");
    return NULL;
}
