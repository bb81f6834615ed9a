#include "precheck/image.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

#define NAME_MAX_BYTES 512u
#define TOKEN_URL_MAX 4096u

/* The part before the first slash names a registry if it looks like a host. */
static bool is_host(struct str first)
{
    return memchr(first.p, '.', first.len) != NULL || memchr(first.p, ':', first.len) != NULL
           || str_eq(first, STR("localhost"));
}

static bool is_plain(struct str s, const char *further)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!isalnum((unsigned char)s.p[i]) && strchr(further, s.p[i]) == NULL)
            return false;
    }
    return s.len > 0;
}

/* Cuts "@digest" or ":tag" off; "latest" where there is neither. */
static struct str cut_reference(struct str *name)
{
    const char *at = memchr(name->p, '@', name->len);

    if (at != NULL) {
        const struct str digest = str_slice(*name, (size_t)(at - name->p) + 1, name->len);

        *name = str_slice(*name, 0, (size_t)(at - name->p));
        (void)cut_reference(name); /* a tag beside a digest says nothing */
        return digest;
    }
    for (size_t i = name->len; i > 0 && name->p[i - 1] != '/'; i--) {
        if (name->p[i - 1] == ':') {
            const struct str tag = str_slice(*name, i, name->len);

            *name = str_slice(*name, 0, i - 1);
            return tag;
        }
    }
    return STR("latest");
}

bool image_parse(const char *text, struct image_name *ret)
{
    struct str name = str_of(text);
    struct str registry = STR("docker.io");

    if (name.len == 0 || name.len > NAME_MAX_BYTES)
        return false;
    struct str rest = name;
    const struct str first = str_cut(&rest, '/');

    if (rest.p != NULL && is_host(first)) {
        registry = first;
        name = rest;
    }
    const struct str reference = cut_reference(&name);

    if (!is_plain(registry, ".:-[]") || !is_plain(name, "._-/") || !is_plain(reference, "._-:+"))
        return false;
    const bool is_official =
            str_eq(registry, STR("docker.io")) && memchr(name.p, '/', name.len) == NULL;

    ret->registry = str_dup(registry);
    ret->repository = xasprintf("%s%.*s", is_official ? "library/" : "", STR_ARG(name));
    ret->reference = str_dup(reference);
    return true;
}

void image_release(struct image_name *n)
{
    free(n->registry);
    free(n->repository);
    free(n->reference);
    *n = (struct image_name){ 0 };
}

static bool is_loopback(const char *registry)
{
    return str_starts(str_of(registry), STR("localhost"))
           || str_starts(str_of(registry), STR("127."));
}

char *image_url(const struct image_name *n)
{
    const bool is_docker = text_eq(n->registry, "docker.io");

    return xasprintf("%s://%s/v2/%s/manifests/%s", is_loopback(n->registry) ? "http" : "https",
            is_docker ? "registry-1.docker.io" : n->registry, n->repository, n->reference);
}

/* The value of NAME="..." in the challenge; empty if there is none. */
static struct str parameter(struct str challenge, const char *name)
{
    AUTO(free) char *mark = xasprintf("%s=\"", name);
    const ptrdiff_t at = str_find(challenge, str_of(mark));

    if (at < 0)
        return STR("");
    struct str rest = str_slice(challenge, (size_t)at + strlen(mark), challenge.len);

    return str_cut(&rest, '"');
}

static void add_query(struct buf *url, char separator, const char *name, struct str value)
{
    buf_addf(url, "%c%s=", separator, name);
    for (size_t i = 0; i < value.len; i++) {
        const unsigned char c = (unsigned char)value.p[i];

        if (isalnum(c) || strchr("-._~:/", c) != NULL)
            buf_add_char(url, (char)c);
        else
            buf_addf(url, "%%%02X", c);
    }
}

char *image_token_url(struct str challenge)
{
    AUTO(buf) struct buf url = BUF_INIT(TOKEN_URL_MAX);
    const struct str realm = parameter(challenge, "realm");
    const struct str service = parameter(challenge, "service");
    const struct str scope = parameter(challenge, "scope");

    if (!str_starts_ci(str_trim(challenge), STR("Bearer ")) || !str_starts_ci(realm, STR("http")))
        return NULL;
    buf_add_str(&url, realm);
    char separator = memchr(realm.p, '?', realm.len) == NULL ? '?' : '&';

    if (service.len > 0) {
        add_query(&url, separator, "service", service);
        separator = '&';
    }
    if (scope.len > 0)
        add_query(&url, separator, "scope", scope);
    return url.is_overflown ? NULL : buf_take(&url);
}
