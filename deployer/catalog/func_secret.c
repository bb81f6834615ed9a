/*
 * The functions' way to a secret's bytes: what is made of one is one again, with the union of the
 * references. One of the few callers of secret_reveal.
 */
#include "catalog/eval.h"

#include <string.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/jsonx.h"

/* {"$secret": {...}} of a state file is no entry: only numbers are. */
const struct secret_entry *secret_table_entry(const struct secret_table *t, const json_t *mark)
{
    const json_t *number = json_object_get(mark, "$secret");
    const json_int_t n = json_integer_value(number);

    if (t == NULL || eval_mark(mark) != EVAL_SECRET || !json_is_integer(number) || n < 0
            || (size_t)n >= t->count)
        return NULL;
    return &t->entries[n];
}

void secret_table_release(struct secret_table *t)
{
    for (size_t i = 0; i < t->count; i++) {
        secret_unref(t->entries[i].value);
        json_decref(t->entries[i].refs);
    }
    free(t->entries);
    *t = (struct secret_table){ 0 };
}

json_t *secret_table_add(struct secret_table *t, struct str value, json_t *refs)
{
    struct secret *s = secret_new(value);

    for (size_t i = 0; i < t->count; i++) {
        if (secret_equal(t->entries[i].value, s) && json_equal(t->entries[i].refs, refs) == 1) {
            secret_unref(s);
            json_decref(refs);
            return jsonx_must(json_pack("{s:I}", "$secret", (json_int_t)i));
        }
    }
    GROW(t->entries, t->count, t->capacity);
    t->entries[t->count] = (struct secret_entry){ .value = s, .refs = refs };
    return jsonx_must(json_pack("{s:I}", "$secret", (json_int_t)t->count++));
}

struct err *func_text_of(const struct func_call *c, const json_t *value, struct buf *out)
{
    const struct secret_entry *secret = secret_table_entry(c->ev->secrets, value);

    if (secret != NULL) {
        buf_add_str(out, secret_reveal(secret->value));
        return buf_check(out, "a text");
    }
    if (json_is_string(value)) {
        buf_add(out, json_string_value(value), json_string_length(value));
    } else if (json_is_number(value)) {
        expr_print_value(out, value);
    } else if (json_is_boolean(value)) {
        buf_add_text(out, json_is_true(value) ? "true" : "false");
    } else {
        return err_new(ERR_CONFIG, 0, "wants a text, got %s", eval_type_text(value));
    }
    return buf_check(out, "a text");
}

static void add_ref(json_t *refs, const json_t *ref)
{
    for (size_t i = 0; i < json_array_size(refs); i++) {
        if (json_equal(json_array_get(refs, i), ref) == 1)
            return;
    }
    json_array_append(refs, (json_t *)(uintptr_t)ref);
}

static void collect_refs(const struct secret_table *t, const json_t *value, json_t *refs)
{
    const struct secret_entry *secret = secret_table_entry(t, value);
    const char *key = NULL;
    json_t *member = NULL;
    size_t i = 0;

    if (secret != NULL) {
        json_array_foreach (secret->refs, i, member) {
            add_ref(refs, member);
        }
        return;
    }
    json_object_foreach ((json_t *)(uintptr_t)value, key, member) {
        collect_refs(t, member, refs);
    }
    json_array_foreach ((json_t *)(uintptr_t)value, i, member) {
        collect_refs(t, member, refs);
    }
}

struct err *func_give(const struct func_call *c, const struct buf *text, json_t **ret)
{
    json_auto_t *refs = jsonx_must(json_array());

    TRY(buf_check(text, "a text"));
    for (size_t i = 0; i < c->count && c->ev->secrets != NULL; i++)
        collect_refs(c->ev->secrets, c->args[i], refs);
    if (json_array_size(refs) > 0)
        *ret = secret_table_add(c->ev->secrets, buf_str(text), TAKE(refs));
    else
        *ret = jsonx_must(json_stringn(buf_text(text), text->len));
    return NULL;
}

struct err *func_secret(const struct func_call *c, json_t **ret)
{
    AUTO(buf) struct buf text = BUF_INIT(EXPR_LEFT_TEXT_MAX);

    text.is_secret = true;
    if (eval_mark(c->args[0]) == EVAL_SECRET || json_is_null(c->args[0])) {
        *ret = json_incref(c->args[0]);
        return NULL;
    }
    TRY(func_text_of(c, c->args[0], &text));
    *ret = secret_table_add(c->ev->secrets, buf_str(&text),
            json_pack("[s%]", c->source.p == NULL ? "" : c->source.p, c->source.len));
    return NULL;
}

struct err *func_json(const struct func_call *c, json_t **ret)
{
    AUTO(buf) struct buf text = BUF_INIT(EXPR_LEFT_TEXT_MAX);

    text.is_secret = true;
    TRY(expr_write_wire(c->args[0], c->ev->secrets, &text));
    return func_give(c, &text, ret);
}

/* Each argument with its length before it, so that two lists of texts never look alike. */
struct err *func_digest(const struct func_call *c, json_t **ret)
{
    AUTO(buf) struct buf text = BUF_INIT(EXPR_LEFT_TEXT_MAX);

    if (c->ev->salt.len == 0) {
        *ret = eval_unknown("digest()");
        return NULL;
    }
    text.is_secret = true;
    for (size_t i = 0; i < c->count; i++) {
        AUTO(buf) struct buf part = BUF_INIT(EXPR_LEFT_TEXT_MAX);

        part.is_secret = true;
        TRY(expr_write_wire(c->args[i], c->ev->secrets, &part));
        buf_addf(&text, "%zu:", part.len);
        buf_add_str(&text, buf_str(&part));
    }
    TRY(buf_check(&text, "a text"));
    AUTO(secret) struct secret *s = secret_new(buf_str(&text));
    const char *digest = secret_digest(s, c->ev->salt);

    *ret = jsonx_must(json_stringn(digest + strlen("scrypt:"), 16));
    return NULL;
}

/* --- digests, kept: scrypt takes 25 ms --- */

static struct {
    struct digest_entry {
        unsigned char key[DIGEST_SHA256_BYTES]; /* HMAC of the value by the salt */
        char *digest;
    } * entries;
    size_t count, capacity;
} digests;

const char *secret_digest(const struct secret *s, struct str salt)
{
    unsigned char key[DIGEST_SHA256_BYTES];

    digest_hmac_sha256(salt, secret_reveal(s), key);
    for (size_t i = 0; i < digests.count; i++) {
        if (memcmp(digests.entries[i].key, key, sizeof(key)) == 0)
            return digests.entries[i].digest;
    }
    GROW(digests.entries, digests.count, digests.capacity);
    struct digest_entry *e = &digests.entries[digests.count++];

    memcpy(e->key, key, sizeof(key));
    e->digest = digest_secret(s, salt);
    return e->digest;
}
