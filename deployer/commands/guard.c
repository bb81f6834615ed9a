#include "commands/guard.h"

#include <string.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "catalog/expr.h"
#include "plan/steps.h"
#include "state/state.h"

/* ---- consent ---- */

static bool names(const char *given, const char *address)
{
    const size_t len = strlen(given);

    return strncmp(given, address, len) == 0
           && (address[len] == '\0' || address[len] == '.' || address[len] == '[');
}

static bool is_allowed(const struct context_list *list, const char *address)
{
    for (size_t i = 0; i < list->count; i++) {
        if (text_eq(list->items[i], "all") || names(list->items[i], address))
            return true;
    }
    return false;
}

static void refuse(struct buf *out, const char *address, const char *what, const char *option)
{
    buf_addf(out, "\n  %s %s: --%s %s", address, what, option, address);
}

static void check_item(
        const struct engine_node *n, const struct guard_consent *consent, struct buf *out)
{
    const struct plan_item *item = n->item;

    if (item->goes_with != NULL && item->subject != NULL && !item->is_protected)
        return; /* the consent to what it goes with covers it */
    if (item->is_protected && !is_allowed(&consent->data_loss, item->address))
        refuse(out, item->address,
                item->loses_data ? "would lose its data" : "is protected and would go",
                "allow-data-loss");
    else if (item->needs_replace_consent && !item->is_protected
             && !is_allowed(&consent->replace, item->address))
        refuse(out, item->address, "would be replaced", "allow-replace");
    else if (n->is_foreign && !is_allowed(&consent->adopt, item->address))
        refuse(out, item->address, "is there already and not ours", "allow-adopt");
}

struct err *guard_check(const struct session *s, const struct guard_consent *consent)
{
    AUTO(buf) struct buf refused = BUF_INIT(BUF_TEXT_MAX);

    for (size_t i = 0; i < engine_count(s->engine); i++) {
        if (engine_node(s->engine, i)->item != NULL)
            check_item(engine_node(s->engine, i), consent, &refused);
    }
    if (refused.len == 0)
        return NULL;
    struct err *e = err_new(ERR_PROTECT, 0, "refused without leave:%s", buf_text(&refused));

    err_set_hint(e, "add the options named, one for each, if that is what you want");
    return e;
}

/* ---- values that must not change ---- */

/* The stored form of each: a digest where it is a secret. Owned. */
static struct err *fixed_now(struct session *s, json_t **ret)
{
    const struct model *m = s->context->model;
    json_auto_t *all = jsonx_must(json_object());

    for (size_t i = 0; i < m->fixed_count; i++) {
        const struct fixed_input *f = &m->fixed[i];
        AUTO(free) char *name = xasprintf("%s.%s", f->service, f->input);
        json_auto_t *value = NULL;

        TRY(engine_resolve(s->engine, f->value, &value));
        if (json_is_null(value) || expr_has_unknown(value, NULL))
            continue;
        json_t *stored = expr_stored(value, engine_secrets(s->engine), state_salt(s->state));
        const json_t *digest = jsonx_at(stored, "$secret.digest");

        json_object_set_new(all, name, digest == NULL ? jsonx_copy(stored) : jsonx_copy(digest));
        json_decref(stored);
    }
    *ret = TAKE(all);
    return NULL;
}

static const char *loss_of(const struct model *m, const char *name)
{
    for (size_t i = 0; i < m->fixed_count; i++) {
        AUTO(free) char *own = xasprintf("%s.%s", m->fixed[i].service, m->fixed[i].input);

        if (text_eq(own, name))
            return m->fixed[i].loss == NULL ? "what was made with it" : m->fixed[i].loss;
    }
    return "what was made with it";
}

struct err *guard_check_fixed(struct session *s, const struct guard_consent *consent)
{
    json_auto_t *now = NULL;
    const json_t *recorded = json_object_get(state_document(s->state), "fixed");
    AUTO(buf) struct buf refused = BUF_INIT(BUF_TEXT_MAX);
    const char *name = NULL;
    json_t *value = NULL;

    TRY(fixed_now(s, &now));
    json_object_foreach (now, name, value) {
        const json_t *before = json_object_get(recorded, name);

        if (before == NULL || json_equal(before, value) == 1
                || is_allowed(&consent->data_loss, name))
            continue;
        buf_addf(&refused, "\n  %s has another value, which destroys %s: --allow-data-loss %s",
                name, loss_of(s->context->model, name), name);
    }
    if (refused.len == 0)
        return NULL;
    struct err *e = err_new(ERR_PROTECT, 0, "refused without leave:%s", buf_text(&refused));

    err_set_hint(e, "put the old value back, unless nothing of that is wanted any more");
    return e;
}

/* ---- versions ---- */

/* "SERVICE.INPUT" -> version as text, of those that are known. Owned. */
static struct err *versions_now(struct session *s, json_t **ret)
{
    const struct model *m = s->context->model;
    json_auto_t *all = jsonx_must(json_object());

    for (size_t i = 0; i < m->version_count; i++) {
        AUTO(free) char *name = xasprintf("%s.%s", m->versions[i].service, m->versions[i].input);
        json_auto_t *value = NULL;

        TRY(engine_resolve(s->engine, m->versions[i].value, &value));
        if (json_is_string(value))
            json_object_set(all, name, value);
    }
    *ret = TAKE(all);
    return NULL;
}

static struct err *record_versions(struct session *s)
{
    json_auto_t *now = NULL;

    TRY(versions_now(s, &now));
    if (json_object_size(now) > 0
            && json_equal(now, json_object_get(state_document(s->state), "versions")) != 1)
        state_set(s->state, "versions", json_incref(now));
    return NULL;
}

struct err *guard_judge_versions(struct session *s, json_t *findings)
{
    const struct model *m = s->context->model;
    const json_t *recorded = json_object_get(state_document(s->state), "versions");
    json_auto_t *now = NULL;

    TRY(versions_now(s, &now));
    for (size_t i = 0; i < m->version_count; i++) {
        const struct version_input *v = &m->versions[i];
        AUTO(free) char *name = xasprintf("%s.%s", v->service, v->input);
        const char *from = jsonx_text(recorded, name);
        const char *to = jsonx_text(now, name);

        if (from == NULL || to == NULL || steps_allow(v->steps, from, to))
            continue;
        AUTO(free)
        char *text = xasprintf("%s: %s -> %s: %s", name, from, to,
                v->text == NULL ? "the service allows no such step" : v->text);

        json_array_append_new(findings, jsonx_must(json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}",
                                                "check", "change", "severity", "error", "address",
                                                name, "from", from, "to", to, "text", text)));
    }
    return NULL;
}

struct err *guard_record_fixed(struct session *s)
{
    json_auto_t *now = NULL;

    TRY(fixed_now(s, &now));
    const json_t *recorded = json_object_get(state_document(s->state), "fixed");

    if (json_object_size(now) > 0 && json_equal(now, recorded) != 1)
        state_set(s->state, "fixed", json_incref(now));
    return record_versions(s);
}

/* ---- below a plan ---- */

void guard_add_warnings(const struct session *s, struct buf *out)
{
    const json_t *intents = json_object_get(state_document(s->state), "intents");
    const char *key = NULL;
    json_t *intent = NULL;

    json_object_foreach ((json_t *)(uintptr_t)intents, key, intent)
        buf_addf(out, "Under way since %s: %s of %s; apply takes it up\n",
                jsonx_text(intent, "since"), jsonx_text(intent, "action"),
                jsonx_text(intent, "address"));
    for (size_t i = 0; i < engine_count(s->engine); i++) {
        const struct engine_node *n = engine_node(s->engine, i);

        if (n->is_foreign)
            buf_addf(out, "Not ours yet: %s needs --allow-adopt %s\n", n->id, n->address);
    }
}

/* ---- saved plans ---- */

struct plan_basis guard_basis(const struct session *s, const char *digest)
{
    const struct model *m = s->context->model;

    return (struct plan_basis){
        .stack = m->stack,
        .environment = m->environment,
        .target = m->target,
        .subscription = m->subscription,
        .state = state_document(s->state),
        .model_digest = digest,
    };
}

struct err *guard_adopt_saved(struct session *s, const json_t *saved)
{
    const char *lineage = NULL;
    const char *salt = NULL;

    if (!state_is_new(s->state) || !plan_saved_identity(saved, &lineage, &salt))
        return NULL;
    state_set(s->state, "lineage", jsonx_must(json_string(lineage)));
    state_set(s->state, "salt", jsonx_must(json_string(salt)));
    return NULL;
}
