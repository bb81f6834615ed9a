#include "cloud/arm/id.h"

#include <ctype.h>

#include "base/alloc.h"
#include "base/encode.h"

#define ID_MAX 4096u

/* The next segment of *rest, empty ones skipped; NULL p at the end. */
static struct str next_segment(struct str *rest)
{
    while (rest->len > 0) {
        const struct str s = str_cut(rest, '/');

        if (s.len > 0)
            return s;
    }
    return (struct str){ 0 };
}

char *arm_id_normal(const char *id)
{
    struct buf out = BUF_INIT(ID_MAX);
    struct str rest = str_of(id);

    for (struct str s = next_segment(&rest); s.p != NULL; s = next_segment(&rest)) {
        AUTO(buf) struct buf plain = BUF_INIT(ID_MAX);
        struct err *e = decode_percent(s, &plain);

        buf_add_char(&out, '/');
        err_ignore(e, "a stray percent sign is compared as it is");
        buf_add_str(&out, e == NULL ? buf_str(&plain) : s);
    }
    for (size_t i = 0; i < out.len; i++)
        out.p[i] = (char)tolower((unsigned char)out.p[i]);
    return buf_take(&out);
}

/* The id without slashes at its end. */
static struct str trimmed(const char *id)
{
    struct str s = str_of(id);

    while (s.len > 0 && s.p[s.len - 1] == '/')
        s.len--;
    return s;
}

/* Whether it is written in the one way that needs no decoding: most are, and many are compared. */
static bool is_plain(struct str id)
{
    return str_starts(id, STR("/")) && memchr(id.p, '%', id.len) == NULL
           && str_find(id, STR("//")) < 0;
}

bool arm_id_same(const char *a, const char *b)
{
    const struct str plain_a = trimmed(a);
    const struct str plain_b = trimmed(b);

    if (is_plain(plain_a) && is_plain(plain_b))
        return str_eq_ci(plain_a, plain_b);
    AUTO(free) char *x = arm_id_normal(a);
    AUTO(free) char *y = arm_id_normal(b);

    return text_eq(x, y);
}

static struct str cut_last(struct str s, struct str *ret_last)
{
    size_t at = s.len;

    while (at > 0 && s.p[at - 1] != '/')
        at--;
    *ret_last = str_slice(s, at, s.len);
    while (at > 0 && s.p[at - 1] == '/')
        at--;
    return str_slice(s, 0, at);
}

struct str arm_id_name(const char *id)
{
    struct str name = { 0 };

    cut_last(trimmed(id), &name);
    return name;
}

struct str arm_id_part(const char *id, const char *literal)
{
    struct str rest = str_of(id);

    for (struct str s = next_segment(&rest); s.p != NULL; s = next_segment(&rest)) {
        if (str_eq_ci(s, str_of(literal))) {
            const struct str value = next_segment(&rest);

            return value.p == NULL ? STR("") : value;
        }
    }
    return STR("");
}

struct str arm_id_namespace(const char *id)
{
    struct str rest = str_of(id);
    struct str found = STR("");

    for (struct str s = next_segment(&rest); s.p != NULL; s = next_segment(&rest)) {
        if (str_eq_ci(s, STR("providers"))) {
            s = next_segment(&rest);
            found = s.p == NULL ? STR("") : s;
        }
    }
    return found;
}

char *arm_id_parent(const char *id)
{
    struct str name = { 0 };
    struct str type = { 0 };
    struct str head = cut_last(cut_last(trimmed(id), &name), &type);
    struct str ns = { 0 };
    struct str word = { 0 };
    const struct str above = cut_last(cut_last(head, &ns), &word);

    if (str_eq_ci(word, STR("providers")))
        head = above;
    return head.len == 0 ? NULL : str_dup(head);
}

char *arm_id_collection(const char *id)
{
    struct str name = { 0 };

    return str_dup(cut_last(trimmed(id), &name));
}

/* RFC 3986's pchar without the percent sign. */
static bool is_path_char(char c)
{
    return isalnum((unsigned char)c) || (c != '\0' && strchr("-._~!$&'()*+,;=:@", c) != NULL);
}

void arm_id_add_url(struct buf *out, const char *id)
{
    struct str rest = str_of(id);

    for (struct str s = next_segment(&rest); s.p != NULL; s = next_segment(&rest)) {
        buf_add_char(out, '/');
        for (size_t i = 0; i < s.len; i++) {
            if (is_path_char(s.p[i]))
                buf_add_char(out, s.p[i]);
            else
                encode_percent(out, str_slice(s, i, i + 1));
        }
    }
}

/* NS/type/name[/type/name]: "NS/a/b" and "x/y" to "NS/a/x/b/y". */
static void add_typed(struct buf *out, struct str type, struct str name)
{
    struct str types = type;
    struct str names = name;

    buf_add_text(out, "/providers/");
    buf_add_str(out, str_cut(&types, '/'));
    for (struct str t = str_cut(&types, '/'); t.p != NULL; t = str_cut(&types, '/')) {
        const struct str n = str_cut(&names, '/');

        buf_add_char(out, '/');
        buf_add_str(out, t);
        buf_add_char(out, '/');
        buf_add_str(out, n.p == NULL ? STR("") : n);
        if (types.p == NULL)
            break;
    }
}

static bool add_scope(struct buf *out, const struct kind *k, const struct arm_id_parts *p)
{
    switch (k->scope) {
    case KIND_SCOPE_PARENT:
    case KIND_SCOPE_EXTENSION:
        if (p->parent != NULL)
            buf_add_str(out, trimmed(p->parent));
        return p->parent != NULL;
    case KIND_SCOPE_GROUP:
        if (p->parent != NULL) {
            buf_add_str(out, trimmed(p->parent));
            return true;
        }
        if (p->subscription == NULL || p->resource_group == NULL)
            return false;
        buf_addf(out, "/subscriptions/%s/resourceGroups/%s", p->subscription, p->resource_group);
        return true;
    case KIND_SCOPE_SUBSCRIPTION:
    default:
        if (p->subscription != NULL)
            buf_addf(out, "/subscriptions/%s", p->subscription);
        return p->subscription != NULL;
    }
}

char *arm_id_make(const struct kind *k, const struct arm_id_parts *p, const char *name)
{
    AUTO(buf) struct buf out = BUF_INIT(ID_MAX);
    struct str last = { 0 };

    if (name == NULL || !add_scope(&out, k, p))
        return NULL;
    cut_last(str_of(k->type), &last);
    if (k->is_group)
        buf_addf(&out, "/resourceGroups/%s", name);
    else if (k->scope == KIND_SCOPE_PARENT)
        buf_addf(&out, "/%.*s/%s", STR_ARG(last), name);
    else
        add_typed(&out, str_of(k->type), str_of(name));
    return buf_take(&out);
}

static void add_part(struct buf *out, struct str word, const char *id)
{
    AUTO(free) char *parent = arm_id_parent(id);

    if (str_eq(word, STR("parent")) || str_eq(word, STR("scope")))
        buf_add_text(out, parent);
    else if (str_eq(word, STR("subscription")))
        buf_add_str(out, arm_id_part(id, "subscriptions"));
    else if (str_eq(word, STR("group")))
        buf_add_str(out, arm_id_part(id, "resourceGroups"));
    else if (str_eq(word, STR("name")))
        buf_add_str(out, arm_id_name(id));
}

char *arm_id_list_url(const struct kind *k, const char *id)
{
    if (k->list_path == NULL)
        return arm_id_collection(id);
    struct buf out = BUF_INIT(ID_MAX);
    struct str rest = str_of(k->list_path);

    while (rest.len > 0) {
        struct str text = str_cut(&rest, '{');

        buf_add_str(&out, text);
        if (rest.p != NULL)
            add_part(&out, str_cut(&rest, '}'), id);
    }
    return buf_take(&out);
}
