#include "cloud/arm/vault.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/jsonx.h"
#include "cloud/arm/auth_answer.h"
#include "cloud/arm/exchange.h"
#include "cloud/arm/internal.h"
#include "cloud/arm/vault_fault.h"
#include "http/retry.h"

#define API_VERSION "7.4"
#define TRY_MS 20000

struct item {
    struct reading *reading;
    char *name;
    struct exchange *exchange; /* under way */
    bool is_answered;
};

struct reading {
    struct arm_job job; /* first */
    struct arm_vault_question question;
    char *vault;
    struct item *items;
    size_t under_way;
    struct secret *token;
    char *claims; /* of a challenge, for the next token */
    bool was_refused;
    bool waits_for_token;
    struct err *e; /* the first */
};

char *arm_vault_name(const char *variable)
{
    char *name = xstrdup(variable);

    for (char *p = name; *p != '\0'; p++)
        *p = *p == '_' ? '-' : *p;
    return name;
}

static void destroy(struct arm_job *job)
{
    struct reading *r = (struct reading *)job;

    if (r->waits_for_token) {
        arm_ready_cancel(job->arm, r);
        auth_cancel(job->arm->auth, r);
    }
    for (size_t i = 0; i < r->question.count; i++) {
        exchange_cancel(r->items[i].exchange);
        free(r->items[i].name);
    }
    free(r->items);
    free(r->vault);
    free(r->claims);
    secret_unref(r->token);
    err_free(r->e);
    free(r);
}

static void finish(struct reading *r, struct err *e)
{
    r->question.done(r->question.arg, e);
    arm_job_end(&r->job);
}

static char *scope_of(const struct reading *r)
{
    return xasprintf("https://%s/.default", r->job.arm->vault_suffix);
}

static void ask_token(struct reading *r);

/* When the last one has come: refused ones go again with a new token, once. */
static void close_round(struct reading *r)
{
    bool is_whole = true;

    for (size_t i = 0; i < r->question.count; i++)
        is_whole = is_whole && r->items[i].is_answered;
    if (is_whole || r->e != NULL) {
        finish(r, TAKE(r->e));
        return;
    }
    AUTO(free) char *scope = scope_of(r);

    r->was_refused = true;
    if (r->claims == NULL)
        auth_drop(r->job.arm->auth, scope);
    ask_token(r);
}

static void give(struct item *i, struct secret *value)
{
    const struct arm_vault_question *q = &i->reading->question;

    i->is_answered = true;
    q->answer(q->arg, i->name, value);
}

static struct err *no_answer(struct err *e)
{
    if (err_kind(e) == ERR_NET)
        err_set_hint(e, "is the vault's name right? One with a private endpoint is found from its "
                        "network alone");
    return e;
}

static struct err *read_answer(struct item *i, const struct http_response *response, json_t *body)
{
    if (response->status != 200)
        return vault_fault_err(response->status, body);
    AUTO(secret) struct secret *value = auth_answer_secret(body, "value");

    if (value == NULL)
        return err_new(ERR_PROTO, 200, "what answers is no vault: no value is in what it says");
    give(i, value);
    return NULL;
}

static struct err *judge(struct item *i, struct http_response *response)
{
    struct reading *r = i->reading;
    json_auto_t *body = NULL;
    struct str challenge = { 0 };

    if (response->e != NULL)
        return no_answer(TAKE(response->e));
    /* Something in between may answer as it likes: the status tells enough then. */
    err_ignore(jsonx_load(buf_str(&response->body), "vault", &body), "the status is told instead");
    if (vault_fault_is_absent(response->status, body)) {
        give(i, NULL);
        return NULL;
    }
    if (response->status == 401 && !r->was_refused) {
        http_response_header(response, "www-authenticate", &challenge);
        if (r->claims == NULL)
            r->claims = auth_answer_challenge(challenge);
        return NULL;
    }
    return read_answer(i, response, body);
}

static void on_response(void *arg, struct http_response *response)
{
    struct item *i = arg;
    struct reading *r = i->reading;
    AUTO(free) char *name = arm_vault_name(i->name);

    i->exchange = NULL;
    r->under_way--;
    struct err *e = err_wrap(judge(i, response), "vault %s: secret %s", r->vault, name);

    if (r->e == NULL)
        r->e = e;
    else
        err_ignore(e, "the first one is told: they fail for one reason");
    if (r->under_way == 0)
        close_round(r);
}

static void send_question(struct reading *r, struct item *i)
{
    AUTO(free) char *name = arm_vault_name(i->name);
    AUTO(free)
    char *url = xasprintf("https://%s.%s/secrets/%s?api-version=" API_VERSION, r->vault,
            r->job.arm->vault_suffix, name);

    r->under_way++;
    i->exchange = exchange_start(
            r->job.arm->cloud.loop, &(struct exchange_spec){ .method = "GET",
                                            .url = url,
                                            .headers = { "Accept: application/json" },
                                            .secret_name = "Authorization",
                                            .secret_prefix = "Bearer ",
                                            .secret = r->token,
                                            .deadline_ms = r->question.deadline_ms,
                                            .timeout_ms = TRY_MS,
                                            .done = on_response,
                                            .arg = i });
}

static void on_token(void *arg, struct secret *token, struct err *e)
{
    struct reading *r = arg;

    r->waits_for_token = false;
    if (e != NULL) {
        finish(r, err_wrap(e, "vault %s", r->vault));
        return;
    }
    secret_unref(r->token);
    r->token = secret_ref(token);
    free(r->claims);
    r->claims = NULL;
    for (size_t i = 0; i < r->question.count; i++) {
        if (!r->items[i].is_answered)
            send_question(r, &r->items[i]);
    }
}

static struct err *no_vaults(const struct arm *arm)
{
    struct err *e = err_new(ERR_PROTO, 0,
            "%s does not tell where its vaults are (suffixes.keyVaultDns in its metadata)",
            arm->endpoint);

    err_set_hint(e, "put the secrets into the environment or the .env file instead");
    return e;
}

static void on_ready(void *arg, struct err *e)
{
    struct reading *r = arg;
    struct arm *arm = r->job.arm;

    if (e == NULL && arm->vault_suffix == NULL)
        e = no_vaults(arm);
    if (e != NULL) {
        r->waits_for_token = false;
        finish(r, err_wrap(e, "vault %s", r->vault));
        return;
    }
    AUTO(free) char *scope = scope_of(r);

    auth_get(arm->auth, scope, r->claims, r->question.deadline_ms, on_token, r);
}

static void ask_token(struct reading *r)
{
    r->waits_for_token = true;
    arm_ready(r->job.arm, r->question.deadline_ms, on_ready, r);
}

void arm_vault_ask(struct cloud *c, const struct arm_vault_question *q)
{
    struct reading *r = xcalloc(1, sizeof(*r));

    r->question = *q;
    r->vault = xstrdup(q->vault);
    r->items = xcalloc(q->count, sizeof(*r->items));
    for (size_t i = 0; i < q->count; i++)
        r->items[i] = (struct item){ .reading = r, .name = xstrdup(q->names[i]) };
    arm_job_add(arm_of(c), &r->job, destroy);
    ask_token(r);
}
