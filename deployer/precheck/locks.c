/* Locks that would refuse what the plan does, told before it does the half of it. */
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/jsonx.h"
#include "precheck/internal.h"

#define ADDRESSES_MAX 3u

struct lock_hits {
    struct buf addresses;
    const char *first;
    size_t count;
};

/* A lock that the plan itself takes away is in nobody's way. */
static bool is_ours_to_go(const struct run *r, const json_t *lock)
{
    const char *id = jsonx_text(lock, "id");

    for (size_t i = 0; id != NULL && i < r->p->subject_count; i++) {
        const struct precheck_subject *s = &r->p->subjects[i];

        if ((s->is_deleted || s->is_taken) && s->id != NULL && strcasecmp(s->id, id) == 0)
            return true;
    }
    return false;
}

static void add(struct lock_hits *hits, const char *address)
{
    if (hits->count < ADDRESSES_MAX)
        buf_addf(&hits->addresses, "%s%s", hits->count > 0 ? ", " : "", address);
    if (hits->count++ == 0)
        hits->first = address;
}

/* What is not named yet is at least in its scope. */
static bool is_hit(
        const struct run *r, const json_t *lock, const struct precheck_subject *s, bool is_delete)
{
    const char *id = s->id != NULL ? s->id : s->scope;

    if (id == NULL || !(is_delete ? s->is_deleted || s->is_taken : s->is_written))
        return false;
    return r->p->cloud.lock_refuses(lock, id, is_delete);
}

static void judge_verb(struct run *r, const json_t *lock, bool is_delete)
{
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);
    struct lock_hits hits = { .addresses = BUF_INIT(BUF_TEXT_MAX) };

    for (size_t i = 0; i < r->p->subject_count; i++) {
        if (is_hit(r, lock, &r->p->subjects[i], is_delete))
            add(&hits, r->p->subjects[i].address);
    }
    if (hits.count > 0) {
        AUTO(free) char *what = r->p->cloud.lock_text(lock);
        AUTO(free) char *hint = r->p->cloud.lock_hint(lock);

        if (hits.count > ADDRESSES_MAX)
            buf_addf(&hits.addresses, " and %zu more", hits.count - ADDRESSES_MAX);
        buf_addf(&text, "%s can't be %s: %s", buf_text(&hits.addresses),
                is_delete ? "deleted" : "written", what);
        run_add(r, "lock", "error", hits.first, buf_text(&text), hint);
    }
    buf_release(&hits.addresses);
}

static void judge_list(struct run *r, const json_t *locks, json_t *seen)
{
    size_t i = 0;
    const json_t *lock = NULL;

    json_array_foreach (locks, i, lock) {
        const char *id = jsonx_text(lock, "id");

        if (id == NULL || json_object_get(seen, id) != NULL || is_ours_to_go(r, lock))
            continue;
        json_object_set_new(seen, id, json_true());
        judge_verb(r, lock, false);
        judge_verb(r, lock, true);
    }
}

static void look_at(struct run *r, const char *scope, json_t *seen, enum run_phase phase)
{
    AUTO(free) char *path = r->p->cloud.locks_path(scope);
    AUTO(free) char *what = xasprintf("locks on %s", scope);
    struct asked *a = run_ask(r, "GET", path, NULL);

    if (phase == RUN_JUDGE && run_has_answer(r, a, "lock", what))
        judge_list(r, a->document, seen);
}

/* Each scope's own, and those of the subscription above them. */
void locks_step(struct run *r, enum run_phase phase)
{
    AUTO(free) char *subscription = xasprintf("/subscriptions/%s", r->p->cloud.subscription);
    json_auto_t *seen = jsonx_must(json_object());

    if (r->p->cloud.locks_path == NULL || phase == RUN_ASK_CLOSER || r->p->subject_count == 0)
        return;
    look_at(r, subscription, seen, phase);
    for (size_t i = 0; i < r->p->subject_count; i++) {
        const char *scope = r->p->subjects[i].scope;

        if (scope != NULL && json_object_get(seen, scope) == NULL) {
            json_object_set_new(seen, scope, json_true());
            if (strcasecmp(scope, subscription) != 0)
                look_at(r, scope, seen, phase);
        }
    }
}
