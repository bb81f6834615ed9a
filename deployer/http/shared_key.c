#include "http/shared_key.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/encode.h"

/* The standard headers in the order in which the string to sign has them. */
static const char *const standard_headers[] = { "content-encoding", "content-language",
    "content-length", "content-md5", "content-type", "date", "if-modified-since", "if-match",
    "if-none-match", "if-unmodified-since", "range" };

static const char *header_value(const struct shared_key_request *r, const char *name)
{
    for (size_t i = 0; i < r->header_count; i++) {
        if (text_eq(r->headers[i].name, name))
            return r->headers[i].value;
    }
    return "";
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct shared_key_header *)a)->name,
            ((const struct shared_key_header *)b)->name);
}

static void add_ms_headers(const struct shared_key_request *r, struct buf *out)
{
    struct shared_key_header sorted[SHARED_KEY_HEADERS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < r->header_count && count < SHARED_KEY_HEADERS_MAX; i++) {
        if (str_starts(str_of(r->headers[i].name), STR("x-ms-")))
            sorted[count++] = r->headers[i];
    }
    qsort(sorted, count, sizeof(sorted[0]), by_name);
    for (size_t i = 0; i < count; i++)
        buf_addf(out, "%s:%s\n", sorted[i].name, sorted[i].value);
}

/* Query parameters, one a line, sorted by name, the values decoded. */
static struct err *add_query(const char *query, struct buf *out)
{
    struct shared_key_header sorted[SHARED_KEY_HEADERS_MAX];
    struct str rest = str_of(query);
    size_t count = 0;
    struct err *e = NULL;

    if (rest.len == 0)
        rest.p = NULL;
    while (rest.p != NULL && count < SHARED_KEY_HEADERS_MAX) {
        struct str value = str_cut(&rest, '&');
        const struct str name = str_cut(&value, '=');

        sorted[count++] =
                (struct shared_key_header){ .name = str_dup(name), .value = str_dup(value) };
    }
    qsort(sorted, count, sizeof(sorted[0]), by_name);
    for (size_t i = 0; i < count; i++) {
        buf_addf(out, "\n%s:", sorted[i].name);
        if (e == NULL)
            e = decode_percent(str_of(sorted[i].value), out);
        free((void *)(uintptr_t)sorted[i].name);
        free((void *)(uintptr_t)sorted[i].value);
    }
    return e;
}

struct err *shared_key_sign(const struct shared_key_request *r, struct buf *out)
{
    AUTO(buf) struct buf text = BUF_INIT(BUF_TEXT_MAX);
    AUTO(buf) struct buf key = { .max_bytes = 4096, .is_secret = true };
    unsigned char mac[DIGEST_SHA256_BYTES];

    buf_addf(&text, "%s\n", r->method);
    for (size_t i = 0; i < ARRAY_LEN(standard_headers); i++)
        buf_addf(&text, "%s\n", header_value(r, standard_headers[i]));
    add_ms_headers(r, &text);
    buf_addf(&text, "/%s%s", r->account, r->path);
    TRY(add_query(r->query, &text));
    struct err *e = decode_base64(secret_reveal(r->key), &key);

    if (e != NULL) {
        err_ignore(e, "its text would hold a part of the key");
        return err_new(ERR_CONFIG, 0, "the key of storage account %s is not base64", r->account);
    }
    digest_hmac_sha256(buf_str(&key), buf_str(&text), mac);
    buf_addf(out, "SharedKey %s:", r->account);
    encode_base64(out, mac, sizeof(mac));
    return NULL;
}
