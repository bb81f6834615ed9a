#include "cloud/arm/auth.h"

#include <strings.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "base/text.h"
#include "cloud/arm/auth_method.h"
#include "http/loop.h"

/* In the order of Azure's SDKs: environment, workload identity, CI, managed identity, CLI. */
static const struct auth_method *const methods[] = {
    &auth_method_secret,
    &auth_method_certificate,
    &auth_method_workload,
    &auth_method_github,
    &auth_method_pipelines,
    &auth_method_managed,
    &auth_method_cli,
};

/* A token this close to its end is not used any more. */
#define TOO_OLD_MS 30000
#define REFRESH_AGAIN_MS 30000
#define TOKEN_TIME_MS 60000

struct waiter {
    struct waiter *next;
    auth_done *done;
    void *arg;
};

/* All about one scope. */
struct entry {
    struct entry *next;
    struct auth *auth;
    char *scope;
    char *claims; /* of the fetch under way, or NULL */
    struct auth_token token;
    struct waiter *waiters;
    struct auth_request request;
    bool is_running;
    size_t at;          /* index of the method tried now */
    struct buf reasons; /* one line a method that did not work */
};

struct auth {
    struct http_loop *loop;
    char *forced;
    char *tenant;
    char *subscription;
    char *client_id;
    struct secret *client_secret;
    char *authority;
    const char *(*env)(void *arg, const char *name);
    void *env_arg;
    const struct auth_method *chosen; /* the one that worked */
    struct entry *entries;
    json_t *claims; /* of the last token */
    struct auth_identity identity;
};

/* --- what methods ask ------------------------------------------------------------------------ */

const char *auth_env(const struct auth *a, const char *name)
{
    const char *value = a->env(a->env_arg, name);

    return value == NULL || value[0] == '\0' ? NULL : value;
}

const char *auth_tenant(const struct auth *a)
{
    return a->tenant != NULL ? a->tenant : auth_env(a, "AZURE_TENANT_ID");
}

const char *auth_subscription(const struct auth *a)
{
    return a->subscription;
}

struct http_loop *auth_loop(const struct auth *a)
{
    return a->loop;
}

const char *auth_given_id(const struct auth *a)
{
    return a->client_id;
}

struct secret *auth_given_secret(const struct auth *a)
{
    return a->client_secret;
}

char *auth_missing(const struct auth *a, const char *const *names, size_t count)
{
    const char *unset[8];
    size_t n = 0;

    for (size_t i = 0; i < count && n < ARRAY_LEN(unset); i++) {
        const bool is_tenant = text_eq(names[i], "AZURE_TENANT_ID");

        if (is_tenant ? auth_tenant(a) == NULL : auth_env(a, names[i]) == NULL)
            unset[n++] = names[i];
    }
    if (n == 0)
        return NULL;
    struct buf out = BUF_INIT(4096);

    text_add_list(&out, unset, n, n);
    buf_add_text(&out, n == 1 ? " is not set" : " are not set");
    return buf_take(&out);
}

char *auth_token_url(const struct auth *a, const char *tenant)
{
    const char *authority =
            a->authority != NULL ? a->authority : "https://login.microsoftonline.com";

    if (str_ends_ci(str_of(authority), STR("/adfs")))
        return xasprintf("%s/oauth2/token", authority);
    return xasprintf("%s/%s/oauth2/v2.0/token", authority, tenant);
}

/* --- life ------------------------------------------------------------------------------------ */

struct err *auth_new(const struct auth_options *o, struct auth **ret)
{
    const char *names[ARRAY_LEN(methods)];
    bool is_known = o->method == NULL;

    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        names[i] = methods[i]->name;
        is_known = is_known || text_eq(names[i], o->method);
    }
    if (!is_known) {
        AUTO(buf) struct buf list = BUF_INIT(4096);

        text_add_list(&list, names, ARRAY_LEN(names), ARRAY_LEN(names));
        return err_new(
                ERR_USAGE, 0, "--auth '%s' is no way to log in: %s", o->method, buf_text(&list));
    }
    struct auth *a = xcalloc(1, sizeof(*a));

    a->loop = o->loop;
    a->forced = xstrdup(o->method);
    a->tenant = xstrdup(o->tenant);
    a->subscription = xstrdup(o->subscription);
    a->client_id = xstrdup(o->client_id);
    a->client_secret = secret_ref(o->client_secret);
    a->env = o->env;
    a->env_arg = o->env_arg;
    *ret = a;
    return NULL;
}

static void free_entry(struct entry *x)
{
    exchange_cancel(x->request.exchange);
    while (x->waiters != NULL) {
        struct waiter *w = x->waiters;

        x->waiters = w->next;
        free(w);
    }
    secret_unref(x->token.value);
    buf_release(&x->reasons);
    free(x->scope);
    free(x->claims);
    free(x);
}

void auth_free(struct auth *a)
{
    if (a == NULL)
        return;
    while (a->entries != NULL) {
        struct entry *x = a->entries;

        a->entries = x->next;
        free_entry(x);
    }
    secret_unref(a->client_secret);
    json_decref(a->claims);
    free(a->forced);
    free(a->tenant);
    free(a->subscription);
    free(a->client_id);
    free(a->authority);
    free(a);
}

void auth_set_authority(struct auth *a, const char *authority)
{
    free(a->authority);
    a->authority = xstrdup(authority);
}

const struct auth_identity *auth_identity(const struct auth *a)
{
    return &a->identity;
}

static void learn_identity(struct auth *a, const struct auth_method *m, const struct secret *token)
{
    json_t *claims = auth_answer_claims(token);

    a->identity.method = m->name;
    if (claims == NULL)
        return;
    json_decref(a->claims);
    a->claims = claims;
    const char *client = jsonx_text(claims, "appid");
    const char *name = jsonx_text(claims, "upn");

    a->identity.tenant = jsonx_text(claims, "tid");
    a->identity.object_id = jsonx_text(claims, "oid");
    a->identity.client_id = client != NULL ? client : jsonx_text(claims, "azp");
    a->identity.name = name != NULL ? name : jsonx_text(claims, "app_displayname");
}

/* --- the search ------------------------------------------------------------------------------ */

static void try_next(struct entry *x);

/* Each waiter gets its own error; the last the original. */
static void tell_waiters(struct entry *x, struct err *e)
{
    struct waiter *w = x->waiters;

    x->waiters = NULL;
    while (w != NULL) {
        struct waiter *next = w->next;
        struct err *own = e == NULL ? NULL : err_copy(e);

        w->done(w->arg, own == NULL ? x->token.value : NULL, own);
        free(w);
        w = next;
    }
    err_free(e);
}

static void end_search(struct entry *x, struct err *e)
{
    const bool is_refused = x->claims != NULL; /* the service takes the old one no more */

    x->is_running = false;
    free(x->claims);
    x->claims = NULL;
    buf_clear(&x->reasons);
    if (e != NULL && !is_refused && x->token.value != NULL
            && clock_now_ms() < x->token.expires_ms - TOO_OLD_MS) {
        log_warn("auth.refresh", "a new token could not be had yet: %s", err_text(e));
        x->token.refresh_ms = clock_now_ms() + REFRESH_AGAIN_MS;
        err_ignore(e, "the old one still holds");
        e = NULL;
    }
    tell_waiters(x, e);
}

static void add_reason(struct entry *x, const char *method, const char *why)
{
    buf_addf(&x->reasons, "\n  %s: %s", method, why);
}

static struct err *none_works(const struct entry *x)
{
    struct err *e = err_new(
            ERR_AUTH, 0, "no login to Azure works; tried in this order:%s", buf_text(&x->reasons));

    err_set_hint(e,
            "run az login, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET (or "
            "AZURE_CLIENT_CERTIFICATE_PATH, or AZURE_FEDERATED_TOKEN_FILE); docs/login.md has "
            "every way");
    return e;
}

static void on_method_end(struct auth_request *q, struct auth_token *token, struct err *e)
{
    struct entry *x = q->arg;
    struct auth *a = x->auth;

    q->exchange = NULL;
    if (e == NULL) {
        secret_unref(x->token.value);
        x->token = *token;
        a->chosen = q->method;
        learn_identity(a, q->method, token->value);
        log_debug("auth.token", "token by %s for %s", q->method->name, x->scope);
        end_search(x, NULL);
        return;
    }
    if (err_kind(e) == ERR_NOINPUT && a->forced == NULL && a->chosen == NULL) {
        add_reason(x, q->method->name, err_text(e));
        err_ignore(e, "kept as a reason");
        x->at++;
        try_next(x);
        return;
    }
    if (err_kind(e) == ERR_NOINPUT) {
        struct err *auth = err_new(ERR_AUTH, 0, "login by %s: %s", q->method->name, err_text(e));

        err_set_hint(auth, "docs/login.md tells what %s needs", q->method->name);
        err_free(e);
        end_search(x, auth);
        return;
    }
    e = err_wrap(e, "login by %s", q->method->name);
    if (x->reasons.len > 0)
        log_debug("auth.tried", "before it:%s", buf_text(&x->reasons));
    end_search(x, e);
}

void auth_request_end(struct auth_request *q, struct auth_token *token, struct err *e)
{
    q->ended(q, token, e);
}

static void start(struct entry *x, const struct auth_method *m)
{
    struct auth *a = x->auth;

    x->request = (struct auth_request){ .auth = a,
        .method = m,
        .scope = x->scope,
        .claims = x->claims,
        .deadline_ms = clock_now_ms() + TOKEN_TIME_MS,
        .is_forced = a->forced != NULL || a->chosen != NULL,
        .ended = on_method_end,
        .arg = x };
    m->start(&x->request);
}

/* The method that --auth names, that a given login implies, or that worked before; or NULL. */
static const struct auth_method *decided(const struct auth *a)
{
    if (a->client_secret != NULL)
        return &auth_method_secret;
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        if (a->forced != NULL && text_eq(methods[i]->name, a->forced))
            return methods[i];
    }
    return a->chosen;
}

static void try_next(struct entry *x)
{
    for (; x->at < ARRAY_LEN(methods); x->at++) {
        const struct auth_method *m = methods[x->at];
        AUTO(free) char *missing = m->missing(x->auth);

        if (missing == NULL) {
            start(x, m);
            return;
        }
        add_reason(x, m->name, missing);
    }
    end_search(x, none_works(x));
}

static void begin_search(struct entry *x, const char *claims)
{
    const struct auth_method *m = decided(x->auth);
    AUTO(free) char *missing = m == NULL ? NULL : m->missing(x->auth);

    x->is_running = true;
    x->at = 0;
    x->claims = xstrdup(claims);
    if (missing != NULL) {
        struct err *e = err_new(ERR_AUTH, 0, "login by %s: %s", m->name, missing);

        err_set_hint(e, "docs/login.md tells what %s needs", m->name);
        end_search(x, e);
    } else if (m != NULL) {
        start(x, m);
    } else {
        try_next(x);
    }
}

static struct entry *entry_of(struct auth *a, const char *scope)
{
    for (struct entry *x = a->entries; x != NULL; x = x->next) {
        if (text_eq(x->scope, scope))
            return x;
    }
    struct entry *x = xcalloc(1, sizeof(*x));

    x->auth = a;
    x->scope = xstrdup(scope);
    x->reasons = (struct buf){ .max_bytes = BUF_TEXT_MAX };
    x->next = a->entries;
    a->entries = x;
    return x;
}

void auth_get(struct auth *a, const char *scope, const char *claims, int64_t deadline_ms,
        auth_done *done, void *arg)
{
    struct entry *x = entry_of(a, scope);
    const int64_t now = clock_now_ms();
    const bool is_good =
            claims == NULL && x->token.value != NULL && now < x->token.expires_ms - TOO_OLD_MS;

    (void)deadline_ms; /* a fetch may serve others too: it has its own time */
    if (is_good && (x->is_running || now < x->token.refresh_ms)) {
        done(arg, x->token.value, NULL);
        return;
    }
    if (!is_good) {
        struct waiter *w = xcalloc(1, sizeof(*w));

        *w = (struct waiter){ .next = x->waiters, .done = done, .arg = arg };
        x->waiters = w;
    }
    if (!x->is_running)
        begin_search(x, claims);
    if (is_good) /* refreshed in the background; the old one holds until then */
        done(arg, x->token.value, NULL);
}

void auth_cancel(struct auth *a, const void *arg)
{
    for (struct entry *x = a->entries; x != NULL; x = x->next) {
        for (struct waiter **at = &x->waiters; *at != NULL;) {
            struct waiter *w = *at;

            if (w->arg == arg) {
                *at = w->next;
                free(w);
            } else {
                at = &w->next;
            }
        }
    }
}

void auth_drop(struct auth *a, const char *scope)
{
    struct entry *x = entry_of(a, scope);

    x->token.expires_ms = 0;
}
