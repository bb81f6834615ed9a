#include "base/str.h"

#include <strings.h>

#include "base/alloc.h"

bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool str_eq_ci(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.p, b.p, a.len) == 0);
}

bool str_starts(struct str s, struct str prefix)
{
    return s.len >= prefix.len && str_eq(str_slice(s, 0, prefix.len), prefix);
}

bool str_starts_ci(struct str s, struct str prefix)
{
    return s.len >= prefix.len && str_eq_ci(str_slice(s, 0, prefix.len), prefix);
}

bool str_ends(struct str s, struct str suffix)
{
    return s.len >= suffix.len && str_eq(str_slice(s, s.len - suffix.len, s.len), suffix);
}

bool str_ends_ci(struct str s, struct str suffix)
{
    return s.len >= suffix.len && str_eq_ci(str_slice(s, s.len - suffix.len, s.len), suffix);
}

ptrdiff_t str_find(struct str s, struct str needle)
{
    if (needle.len == 0)
        return 0;
    if (s.len == 0)
        return -1;
    const char *at = memmem(s.p, s.len, needle.p, needle.len);

    return at == NULL ? -1 : at - s.p;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
    while (s.len > 0 && is_blank(s.p[0])) {
        s.p++;
        s.len--;
    }
    while (s.len > 0 && is_blank(s.p[s.len - 1]))
        s.len--;
    return s;
}

struct str str_slice(struct str s, size_t from, size_t to)
{
    const size_t end = to < s.len ? to : s.len;
    const size_t start = from < end ? from : end;

    return (struct str){ .p = s.p + start, .len = end - start };
}

struct str str_cut(struct str *rest, char sep)
{
    const char *at = rest->len > 0 ? memchr(rest->p, sep, rest->len) : NULL;
    struct str head = *rest;

    if (at == NULL) {
        *rest = (struct str){ .p = NULL, .len = 0 };
        return head;
    }
    head.len = (size_t)(at - rest->p);
    *rest = str_slice(*rest, head.len + 1, rest->len);
    return head;
}

char *str_dup(struct str s)
{
    return xmemdup0(s.p, s.len);
}

int str_cmp(struct str a, struct str b)
{
    const size_t n = a.len < b.len ? a.len : b.len;
    const int c = n == 0 ? 0 : memcmp(a.p, b.p, n);

    if (c != 0)
        return c < 0 ? -1 : 1;
    return a.len == b.len ? 0 : a.len < b.len ? -1 : 1;
}
