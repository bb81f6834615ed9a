/* URLs: what is taken, built and taken again is the same; a password is never in the redacted form.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static bool same(const char *a, const char *b)
{
    return (a == NULL && b == NULL) || text_eq(a, b);
}

static void require_same(const struct uri *a, const struct uri *b)
{
    require(same(a->scheme, b->scheme) && same(a->user, b->user) && same(a->path, b->path)
            && same(a->fragment, b->fragment));
    require((a->password == NULL) == (b->password == NULL));
    require(a->password == NULL || secret_equal(a->password, b->password));
    require(a->host_count == b->host_count && a->param_count == b->param_count);
    for (size_t i = 0; i < a->host_count; i++)
        require(same(a->hosts[i].name, b->hosts[i].name) && a->hosts[i].port == b->hosts[i].port
                && a->hosts[i].is_ipv6 == b->hosts[i].is_ipv6);
    for (size_t i = 0; i < a->param_count; i++)
        require(same(a->params[i].name, b->params[i].name)
                && same(a->params[i].value, b->params[i].value));
}

/* The redacted form is that of the same URL with another password. */
static void require_redacted(struct uri *u)
{
    AUTO(buf) struct buf one = BUF_INIT(BUF_TEXT_MAX);
    AUTO(buf) struct buf other = BUF_INIT(BUF_TEXT_MAX);

    uri_build_redacted(u, &one);
    if (u->password == NULL)
        return;
    secret_unref(u->password);
    u->password = secret_new(STR("something else"));
    uri_build_redacted(u, &other);
    require(str_eq(buf_str(&one), buf_str(&other)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(uri) struct uri u = { 0 };
    AUTO(uri) struct uri again = { 0 };
    AUTO(buf) struct buf built = { .max_bytes = BUF_TEXT_MAX, .is_secret = true };
    AUTO(err) struct err *e = uri_parse((struct str){ .p = (const char *)data, .len = size }, &u);

    if (e != NULL) {
        require(err_text(e)[0] != '\0' && u.scheme == NULL);
        return 0;
    }
    uri_build(&u, &built);
    if (built.len > URI_BYTES_MAX) /* escaping makes it longer */
        return 0;
    AUTO(err) struct err *second = uri_parse(buf_str(&built), &again);

    require(second == NULL);
    require_same(&u, &again);
    require_redacted(&u);
    AUTO(free) char *database = uri_database(&u);

    require(database != NULL);
    return 0;
}
