/* Quotas: what all resources of a plan take of one, against what is left of it. */
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/jsonx.h"
#include "precheck/internal.h"
#include "precheck/terms.h"

#define ADDRESSES_MAX 3u

/* A part that one resource asks for. */
struct quota_part {
    const json_t *question;
    struct precheck_subject subject; /* borrowed members, but for `values` */
    json_t *values;
    struct asked *asked;
    char *key;     /* the same for all that share it */
    double amount; /* below 0: what it takes already, and gives back */
    struct quota_part *next;
};

/* Of one request and one member of its answer. Owned; NULL: can't be told. */
static char *key_of(const struct run *r, const struct asked *a, const json_t *question,
        const struct precheck_subject *s)
{
    const char *subscription = r->p->cloud.subscription;
    const char *path = jsonx_text(question, "quota");
    const json_t *where = json_object_get(question, "where");
    json_auto_t *filled =
            where == NULL ? json_object() : question_fill_json(where, s, subscription);
    AUTO(free) char *members = question_fill(path, s, subscription);

    if (filled == NULL || members == NULL)
        return NULL;
    AUTO(free) char *dump = jsonx_dump(filled);

    return xasprintf("%s %s %s", a->key, members, dump);
}

void quota_add(struct run *r, struct asked *a, const json_t *question,
        const struct precheck_subject *s, double sign)
{
    AUTO(free) char *key = key_of(r, a, question, s);
    double amount = 0;

    if (key == NULL || !terms_number(question, "amount", s, s->desired, 1, &amount) || amount <= 0)
        return;
    struct quota_part *part = xcalloc(1, sizeof(*part));

    *part = (struct quota_part){ .question = question,
        .subject = *s,
        .values = json_incref((json_t *)(uintptr_t)s->values),
        .asked = a,
        .key = TAKE(key),
        .amount = sign * amount,
        .next = r->parts };
    part->subject.values = part->values;
    r->parts = part;
}

static bool is_named_before(const struct quota_part *from, const struct quota_part *part)
{
    for (const struct quota_part *p = from; p != part; p = p->next) {
        if (p->amount > 0 && text_eq(p->key, part->key)
                && text_eq(p->subject.address, part->subject.address))
            return true;
    }
    return false;
}

/* "a, b, c and 2 more" that take of it. */
static void add_addresses(struct buf *out, const struct quota_part *first)
{
    size_t count = 0;

    for (const struct quota_part *p = first; p != NULL; p = p->next) {
        if (p->amount <= 0 || !text_eq(p->key, first->key) || is_named_before(first, p))
            continue;
        if (count < ADDRESSES_MAX)
            buf_addf(out, "%s%s", count > 0 ? ", " : "", p->subject.address);
        count++;
    }
    if (count > ADDRESSES_MAX)
        buf_addf(out, " and %zu more", count - ADDRESSES_MAX);
}

static void tell(struct run *r, const struct quota_part *part, const struct question_failure *f,
        double amount)
{
    AUTO(buf) struct buf who = BUF_INIT(BUF_TEXT_MAX);

    add_addresses(&who, part);
    AUTO(free) char *text = xasprintf("%s: %s", buf_text(&who), f->text);
    const char *hint = jsonx_text(part->question, "hint");
    json_t *finding = run_add(r, jsonx_text(part->question, "check"), "error",
            part->subject.address, text,
            hint != NULL ? hint
                         : "ask for more (Quotas in the portal), or choose another location");

    json_object_set_new(finding, "used", json_real(f->used));
    json_object_set_new(finding, "limit", json_real(f->limit));
    json_object_set_new(finding, "wanted", json_real(amount));
}

/* The first that takes of it speaks for all. */
static bool is_first(const struct run *r, const struct quota_part *part)
{
    for (const struct quota_part *p = r->parts; p != part; p = p->next) {
        if (p->amount > 0 && text_eq(p->key, part->key))
            return false;
    }
    return part->amount > 0;
}

static double sum_of(const struct run *r, const char *key)
{
    double sum = 0;

    for (const struct quota_part *p = r->parts; p != NULL; p = p->next)
        sum += text_eq(p->key, key) ? p->amount : 0;
    return sum;
}

static void judge(struct run *r, const struct quota_part *part)
{
    struct question_failure failure = { 0 };
    const struct question_case c = { .question = part->question,
        .subject = &part->subject,
        .subscription = r->p->cloud.subscription,
        .answer = part->asked->document,
        .status = part->asked->status,
        .amount = sum_of(r, part->key) };

    if (c.amount > 0 && question_judge(&c, &failure) == QUESTION_FAILS)
        tell(r, part, &failure, c.amount);
    free(failure.text);
}

/* They were put in front of one another: back into the order of the plan. */
static void turn_round(struct run *r)
{
    struct quota_part *all = NULL;

    while (r->parts != NULL) {
        struct quota_part *next = r->parts->next;

        r->parts->next = all;
        all = r->parts;
        r->parts = next;
    }
    r->parts = all;
}

void quotas_judge(struct run *r)
{
    turn_round(r);
    for (const struct quota_part *part = r->parts; part != NULL; part = part->next) {
        if (is_first(r, part))
            judge(r, part);
    }
}

void quotas_free(struct run *r)
{
    while (r->parts != NULL) {
        struct quota_part *next = r->parts->next;

        json_decref(r->parts->values);
        free(r->parts->key);
        free(r->parts);
        r->parts = next;
    }
}
