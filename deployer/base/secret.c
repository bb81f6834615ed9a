#include "base/secret.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/alloc.h"
#include "base/encode.h"

struct secret {
    atomic_int refs;
    size_t len;
    char *bytes;
    struct secret *next; /* in the list of live secrets */
    struct secret *prev;
};

static struct {
    pthread_mutex_t lock;
    struct secret *head;
} live = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct secret *secret_new(struct str value)
{
    struct secret *s = xcalloc(1, sizeof(*s));

    s->refs = 1;
    s->len = value.len;
    s->bytes = xmemdup0(value.p, value.len);
    pthread_mutex_lock(&live.lock);
    s->next = live.head;
    if (live.head != NULL)
        live.head->prev = s;
    live.head = s;
    pthread_mutex_unlock(&live.lock);
    return s;
}

struct secret *secret_ref(struct secret *s)
{
    if (s != NULL)
        atomic_fetch_add(&s->refs, 1);
    return s;
}

void secret_unref(struct secret *s)
{
    if (s == NULL || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    pthread_mutex_lock(&live.lock);
    if (s->prev != NULL)
        s->prev->next = s->next;
    else
        live.head = s->next;
    if (s->next != NULL)
        s->next->prev = s->prev;
    pthread_mutex_unlock(&live.lock);
    OPENSSL_cleanse(s->bytes, s->len);
    free(s->bytes);
    free(s);
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
    return a->len == b->len && CRYPTO_memcmp(a->bytes, b->bytes, a->len) == 0;
}

size_t secret_len(const struct secret *s)
{
    return s->len;
}

struct str secret_reveal(const struct secret *s)
{
    return (struct str){ .p = s->bytes, .len = s->len };
}

static void replace_all(struct buf *text, struct str needle)
{
    if (needle.len < SECRET_SCRUB_MIN || str_find(buf_str(text), needle) < 0)
        return;
    struct buf out = BUF_INIT(SIZE_MAX / 4); /* "(secret)" may be longer than what it replaces */
    struct str rest = buf_str(text);

    for (ptrdiff_t at = str_find(rest, needle); at >= 0; at = str_find(rest, needle)) {
        buf_add_str(&out, str_slice(rest, 0, (size_t)at));
        buf_add_text(&out, "(secret)");
        rest = str_slice(rest, (size_t)at + needle.len, rest.len);
    }
    buf_add_str(&out, rest);
    explicit_bzero(text->p, text->len);
    buf_clear(text);
    buf_add(text, out.p, out.len);
    buf_release(&out);
}

static void scrub_one(struct buf *text, const struct secret *s)
{
    const struct str raw = { .p = s->bytes, .len = s->len };
    struct buf coded = { .max_bytes = SIZE_MAX / 4, .is_secret = true };

    replace_all(text, raw);
    encode_percent(&coded, raw);
    replace_all(text, buf_str(&coded));
    buf_clear(&coded);
    encode_base64(&coded, raw.p, raw.len);
    replace_all(text, buf_str(&coded));
    buf_release(&coded);
}

static int by_length(const void *a, const void *b)
{
    const size_t x = (*(struct secret *const *)a)->len;
    const size_t y = (*(struct secret *const *)b)->len;

    return x > y ? -1 : x < y;
}

void secret_scrub(struct buf *text)
{
    const struct secret **all = NULL;
    size_t count = 0;
    size_t capacity = 0;

    if (text->len < SECRET_SCRUB_MIN)
        return;
    pthread_mutex_lock(&live.lock);
    for (const struct secret *s = live.head; s != NULL; s = s->next) {
        if (s->len < SECRET_SCRUB_MIN)
            continue;
        GROW(all, count, capacity);
        all[count++] = s;
    }
    /* The longest first: a secret that is a part of another would leave the rest of that one. */
    if (count > 1)
        qsort(all, count, sizeof(*all), by_length);
    for (size_t i = 0; i < count; i++)
        scrub_one(text, all[i]);
    pthread_mutex_unlock(&live.lock);
    free(all);
}
