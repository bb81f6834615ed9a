#include "commands/session.h"

#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/jsonx.h"
#include "base/text.h"
#include "catalog/catalog.h"
#include "cloud/arm/arm.h"
#include "commands/marker.h"
#include "commands/names.h"
#include "commands/preflight.h"
#include "commands/vault.h"
#include "http/loop.h"
#include "report/progress.h"
#include "stack/stack.h"
#include "state/state.h"

#define LOGIN_MS 120000

/* ---- the stack, and what the state recorded of it ---- */

/* A sandbox has one subscription: that is the one that `${env.AZURE_SUBSCRIPTION_ID}` means there.
 */
static struct err *enter_sandbox(struct context *c)
{
    json_auto_t *sandbox = NULL;

    TRY(context_sandbox(c, &sandbox));
    const char *subscription = jsonx_text(sandbox, "subscription");

    if (subscription != NULL && setenv("AZURE_SUBSCRIPTION_ID", subscription, 1) != 0)
        die_oom();
    return NULL;
}

struct err *session_load_model(struct context *c, const char *file)
{
    if (c->release_model != NULL)
        c->release_model(c);
    if (text_eq(c->target, "sandbox"))
        TRY(enter_sandbox(c));
    return context_load_model(c, file);
}

static struct state_open open_options(const struct context *c, const struct session *s)
{
    return (struct state_open){
        .url = state_access_url(c),
        .stack_dir = c->stack->dir,
        .owner = { .stack = c->model->stack, .environment = c->model->environment },
        .is_named = text_eq(stack_env(c->stack, "CI"), "true"),
        .loop = s->loop,
    };
}

static const json_t *kept(struct context *c, const json_t *map)
{
    json_t *own = json_object_size(map) == 0 ? NULL : jsonx_copy(map);

    if (own != NULL)
        arena_hook(c->arena, (void (*)(void *))json_decref, own);
    return own;
}

/* Target, names and ids as an earlier run recorded them; a state of somebody else's is told later.
 */
static struct err *adopt_recorded(struct context *c, const struct session_options *session)
{
    const struct session none = { 0 };
    struct state_open o = open_options(c, &none);
    AUTO(state_access) struct state_access access = { 0 };
    AUTO(state) struct state *state = NULL;

    TRY(state_access_fill(&access, c, NULL, session->auth, &o));
    TRY(state_open(&o, &state));
    const json_t *document = state_document(state);
    const char *target = jsonx_text(json_object_get(document, "owner"), "target");
    const char *suffix = jsonx_text(document, "suffix");
    const bool is_other_target =
            !c->is_target_given && target != NULL && !text_eq(target, c->target);
    const json_t *ids = json_object_get(document, "ids");
    const bool is_other_suffix = suffix != NULL && !text_eq(suffix, c->model->suffix);

    json_auto_t *labels = names_labels(document);
    const bool is_labelled =
            json_object_size(labels) > 0
            && (c->model->labels != NULL || json_object_get(document, "labels") != NULL);

    c->ids = kept(c, ids);
    c->labels = kept(c, labels);
    if (is_other_target)
        c->target = arena_text(c->arena, target);
    if (is_other_suffix)
        c->suffix = arena_text(c->arena, suffix);
    return is_other_target || is_other_suffix || is_labelled || json_object_size(ids) > 0
                   ? session_load_model(c, session->file)
                   : NULL;
}

/* ---- loop and login ---- */

static const char *env_of(void *arg, const char *name)
{
    return stack_env(arg, name);
}

static struct err *open_cloud(struct context *c, const struct session_options *o, struct session *s)
{
    struct http_options http = { 0 };
    struct arm_options arm = {
        .tenant = c->model->tenant != NULL && c->model->tenant[0] != '\0' ? c->model->tenant : NULL,
        .subscription = c->model->subscription,
        .resource_group = c->model->resource_group,
        .auth = o->auth,
        .env = env_of,
        .env_arg = c->stack,
    };

    TRY(state_access_dial(c, &http));
    if (text_eq(c->target, "sandbox")) {
        const struct arm_options own = arm;

        TRY(arm_sandbox_options(c->arena, c->sandbox_dir, &arm, &http));
        arm.subscription = own.subscription; /* the stack's own word: it is in every id */
        progress_set_scale(s->progress, arm.time_scale);
        if (o->auth != NULL) /* that login, and not the sandbox's own */
            arm.client_id = NULL, arm.client_secret = NULL;
    }
    s->dial = http.dial;
    s->ca_file = http.ca_file;
    TRY(http_loop_new(&http, &s->loop));
    return arm_new(s->loop, &arm, &s->cloud);
}

struct login {
    bool is_done;
    struct err *error;
};

static void on_token(void *arg, struct secret *token, struct err *e)
{
    struct login *l = arg;

    (void)token;
    l->is_done = true;
    l->error = e;
}

static bool is_logged_in(void *arg)
{
    return ((struct login *)arg)->is_done;
}

static struct err *log_in(struct session *s)
{
    struct login l = { 0 };
    const int64_t asked_ms = s->context->timeout_ms;
    const int64_t deadline =
            clock_now_ms() + (asked_ms > 0 && asked_ms < LOGIN_MS ? asked_ms : LOGIN_MS);

    arm_token(s->cloud, NULL, deadline, on_token, &l);
    TRY(err_wrap(http_loop_run(s->loop, is_logged_in, &l, deadline), "logging in to %s",
            arm_endpoint(s->cloud)));
    if (l.error != NULL)
        return l.error;
    const struct auth_identity *who = arm_identity(s->cloud);

    s->facts = jsonx_must(json_object());
    if (who != NULL && who->tenant != NULL)
        json_object_set_new(s->facts, "tenant", jsonx_must(json_string(who->tenant)));
    if (who != NULL && who->object_id != NULL)
        json_object_set_new(s->facts, "principal", jsonx_must(json_string(who->object_id)));
    return NULL;
}

/*
 * Secrets that stand in the stack's vault alone: the model is loaded again with what it says, and
 * may then ask for others (a service without a secret may do without another).
 */
static struct err *ask_vault(const struct session_options *o, struct session *s)
{
    struct context *c = s->context;

    while (!o->is_without_secrets && vault_is_wanted(c)) {
        progress_stage(s->progress, "asking the vault for secrets");
        struct err *e = vault_ask(c, s->loop, s->cloud);

        progress_stage(s->progress, NULL);
        TRY(e);
        TRY(session_load_model(c, o->file));
    }
    return NULL;
}

/* Whose lock it is, in words; the error's own where that can't be told. Takes e. */
static struct err *say_whose(const struct state_open *open, struct err *e)
{
    AUTO(free) char *text = NULL;
    struct err *unknown = state_lock_holder(open, false, &text);

    err_ignore(unknown, "the error at hand counts");
    if (text == NULL)
        return e;
    AUTO(free) char *words = state_holder_words(text);
    struct err *told = err_new(ERR_LOCKED, 0, "the state is locked by %s", words);

    err_set_hint(told, "--lock-timeout 10m waits for it; deployer force-unlock breaks it");
    err_free(e);
    return told;
}

static struct err *open_state(struct context *c, const struct session_options *o, struct session *s)
{
    struct state_open open = open_options(c, s);
    const char *tenant = jsonx_text(s->facts, "tenant");

    open.owner.tenant = tenant != NULL ? tenant : c->model->tenant;
    open.owner.subscription = c->model->subscription;
    /* A sandbox has another port after a restart and is the same cloud still. */
    open.owner.endpoint = text_eq(c->target, "sandbox") ? "sandbox" : arm_endpoint(s->cloud);
    open.owner.target = c->target;
    open.is_locked = o->is_locked;
    open.lock_timeout_ms = o->lock_timeout_ms;
    TRY(state_access_fill(&s->access, c, s->loop, o->auth, &open));
    struct err *e = state_open(&open, &s->state);

    return e != NULL && err_kind(e) == ERR_LOCKED ? say_whose(&open, e) : e;
}

/* ---- the engine ---- */

static const struct kind *find_kind(void *arg, const char *name)
{
    const struct session *s = arg;

    return catalog_kind(s->context->catalog, name);
}

static struct secret *find_secret(void *arg, const char *name)
{
    const struct session *s = arg;

    return stack_secret(s->context->stack, name);
}

static void do_nothing(void *arg)
{
    (void)arg;
}

/* The engine waits for a moment, not always for an answer: the timer is what the loop waits for
 * then. */
static struct err *turn(void *arg, bool (*until)(void *), void *until_arg, int64_t deadline_ms)
{
    const struct session *s = arg;
    const unsigned timer =
            http_loop_after(s->loop, (int64_t)clock_left_ms(deadline_ms) + 1, do_nothing, NULL);
    struct err *e = http_loop_run(s->loop, until, until_arg, deadline_ms);

    http_loop_drop_timer(s->loop, timer);
    return e;
}

#define LEFT_SHOWN_MAX 3u

static json_t *intents_of(const struct session *s)
{
    return json_object_get(state_document(s->state), "intents");
}

/* Names what of an earlier run is still waited for. */
static void show_left(struct session *s)
{
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);
    const size_t count = json_object_size(intents_of(s));
    AUTO(free) const char **names = xcalloc(count + 1, sizeof(*names));
    const char *id = NULL;
    json_t *intent = NULL;
    size_t n = 0;

    json_object_foreach (intents_of(s), id, intent) {
        const char *address = jsonx_text(intent, "address");

        names[n++] = address == NULL ? id : address;
    }
    text_add_list(&text, names, n, LEFT_SHOWN_MAX);
    s->left = count;
    progress_detail(s->progress, buf_text(&text));
}

static void on_event(
        void *arg, enum engine_event_kind kind, const struct engine_node *node, const char *text)
{
    struct session *s = arg;

    if (s->left > 0 && s->left != json_object_size(intents_of(s)))
        show_left(s);
    progress_event(s->progress, kind, node, text);
}

static struct err *open_engine(struct context *c, struct session *s)
{
    const struct engine_setup setup = {
        .model = c->model,
        .state = s->state,
        .cloud = s->cloud,
        .kind = find_kind,
        .secret = find_secret,
        .facts = s->facts,
        .turn = turn,
        .event = on_event,
        .arg = s,
        .timeout_ms = c->timeout_ms,
    };

    return engine_new(&setup, &s->engine);
}

struct err *session_open(struct context *c, const struct session_options *o, struct session *ret)
{
    struct session *s = ret;

    s->context = c;
    TRY(session_load_model(c, o->file));
    TRY(adopt_recorded(c, o));
    const bool is_checked_later = vault_is_wanted(c); /* which variables are set depends on it */

    if (o->is_checked && !is_checked_later)
        TRY(preflight_check(c, o->fail_on));
    s->progress = progress_new(c->has_stderr_color, isatty(STDERR_FILENO) == 1, PROGRESS_QUIET_MS);
    TRY(open_cloud(c, o, s));
    TRY(log_in(s));
    TRY(ask_vault(o, s));
    if (o->is_checked && is_checked_later)
        TRY(preflight_check(c, o->fail_on));
    TRY(open_state(c, o, s));
    return open_engine(c, s);
}

struct err *session_resume(struct session *s)
{
    if (json_object_size(intents_of(s)) > 0) {
        progress_stage(s->progress, "waiting for what an earlier run began");
        show_left(s);
    }
    struct err *e = engine_resume(s->engine);

    if (e != NULL && (err_kind(e) == ERR_CANCELED || err_kind(e) == ERR_TIMEOUT))
        err_set_hint(
                e, "what an earlier run began goes on in the cloud; the next run waits for it");
    s->left = 0;
    progress_stage(s->progress, NULL);
    return e;
}

struct err *session_reload(struct session *s, const char *file, const json_t *ids)
{
    struct context *c = s->context;

    c->ids = kept(c, ids);
    engine_free(s->engine);
    s->engine = NULL;
    TRY(session_load_model(c, file));
    return open_engine(c, s);
}

struct err *session_refresh(struct session *s)
{
    marker_set(s);
    progress_stage(s->progress, "reading what exists");
    struct err *e = engine_refresh(s->engine);

    progress_stage(s->progress, NULL);
    return e;
}

void session_close(struct session *s)
{
    progress_free(s->progress);
    arm_free(s->cloud);
    engine_free(s->engine);
    state_close(s->state); /* a remote one gives its lock back over the loop */
    state_access_release(&s->access);
    http_loop_free(s->loop);
    json_decref(s->facts);
    *s = (struct session){ 0 };
}

/* ---- what follows from the model ---- */

char *session_model_digest(const struct session *s)
{
    const struct model *m = s->context->model;
    json_auto_t *all = jsonx_must(json_array());
    char hex[DIGEST_HEX_SIZE];

    for (size_t i = 0; i < m->resource_count; i++) {
        const struct resource *r = &m->resources[i];

        json_array_append_new(all,
                jsonx_must(json_pack("[s, s, O?, O?, O?, O?, O?, O?]", r->address, r->kind->name,
                        r->arm_name, r->parent, r->scope_id, r->location, r->body, r->existing)));
    }
    AUTO(free) char *text = jsonx_dump(all);

    digest_sha256_hex(str_of(text), hex);
    return xstrdup(hex);
}

struct err *session_outputs(struct session *s, json_t **ret)
{
    const struct model *m = s->context->model;
    json_auto_t *all = jsonx_must(json_object());

    for (size_t i = 0; i < m->provided_count; i++) {
        const struct provided *p = &m->provided[i];
        json_t *value = NULL;

        if (!p->is_output)
            continue;
        struct err *e = engine_resolve(s->engine, p->value, &value);

        if (e != NULL)
            return err_wrap(e, "output %s.%s", p->service, p->name);
        if (json_is_null(value)) {
            json_decref(value);
            continue;
        }
        AUTO(free) char *name = xasprintf("%s.%s", p->service, p->name);
        json_t *one = jsonx_must(json_pack("{s:o, s:b}", "value", value, "secret",
                (int)(p->is_secret || json_object_get(value, "$secret") != NULL)));

        if (p->doc != NULL)
            json_object_set_new(one, "doc", jsonx_must(json_string(p->doc)));
        json_object_set_new(all, name, one);
    }
    *ret = TAKE(all);
    return NULL;
}

static struct err *note_holds(struct session *s, const json_t *note, bool *ret)
{
    const json_t *when = json_object_get(note, "when");
    json_auto_t *value = NULL;

    *ret = true;
    if (when == NULL)
        return NULL;
    TRY(engine_resolve(s->engine, when, &value));
    *ret = json_is_true(value);
    return NULL;
}

struct err *session_notes(struct session *s, json_t **ret)
{
    json_auto_t *all = jsonx_must(json_array());
    size_t i = 0;
    json_t *note = NULL;

    json_array_foreach ((json_t *)(uintptr_t)s->context->model->notes, i, note) {
        json_auto_t *text = NULL;
        bool holds = false;

        TRY(note_holds(s, note, &holds));
        if (!holds)
            continue;
        TRY(engine_resolve(s->engine, json_object_get(note, "text"), &text));
        if (json_is_string(text))
            json_array_append(all, text);
    }
    *ret = TAKE(all);
    return NULL;
}
