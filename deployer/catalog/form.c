/*
 * The form of what a stack says in words that no catalog describes: ids, names and addresses that
 * any cloud would refuse. What they mean is asked for later; here nothing is.
 */
#include "catalog/expand.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/jsonx.h"
#include "base/text.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define UUID_CHARS 36u

static bool is_of(struct str text, const char *characters)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] == '\0' || strchr(characters, text.p[i]) == NULL)
            return false;
    }
    return text.len > 0;
}

/* Hexadecimal in groups of 8, 4, 4, 4 and 12. */
static bool is_uuid(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (is_dash ? text.p[i] != '-' : isxdigit((unsigned char)text.p[i]) == 0)
            return false;
    }
    return text.len == UUID_CHARS;
}

static bool is_domain(struct str text)
{
    return is_of(text, LETTERS DIGITS ".-") && text.p[0] != '.' && text.p[0] != '-';
}

/* "japaneast", "Japan East" */
static bool is_region(struct str text)
{
    return is_of(text, LETTERS DIGITS " ") && isalpha((unsigned char)text.p[0]) != 0
           && text.p[text.len - 1] != ' ';
}

/* HOST or HOST:PORT. */
static bool is_host(struct str text)
{
    struct str port = text;
    const struct str host = str_cut(&port, ':');

    return is_domain(host) && (port.p == NULL || is_of(port, DIGITS));
}

static bool is_image_path(struct str text)
{
    return is_of(text, "abcdefghijklmnopqrstuvwxyz" DIGITS "/._-") && isalnum(text.p[0]) != 0
           && isalnum(text.p[text.len - 1]) != 0;
}

static void set_text(struct buf *b, struct str text)
{
    buf_clear(b);
    buf_add(b, text.p, text.len);
}

/*
 * Whether an id is one of `type` ("NS/TYPE/TYPE"), without case; NULL: of any type. What holds
 * resources is no resource itself: "/subscriptions/ID/resourceGroups/NAME".
 */
static bool is_id(struct str id, const char *type, bool is_group)
{
    AUTO(buf) struct buf found = BUF_INIT(BUF_TEXT_MAX);
    struct str rest = id;
    size_t count = 0;

    if (!str_starts_ci(rest, STR("/subscriptions/")))
        return false;
    (void)str_cut(&rest, '/'); /* before the first slash is nothing */
    while (rest.p != NULL) {
        const struct str word = str_cut(&rest, '/');
        const struct str name = str_cut(&rest, '/');

        if (word.len == 0 || name.len == 0)
            return false;
        count++;
        if (is_group && count == 2 && !str_eq_ci(word, STR("resourceGroups")))
            return false;
        if (str_eq_ci(word, STR("providers")))
            set_text(&found, name);
        else if (found.len > 0)
            buf_addf(&found, "/%.*s", STR_ARG(word));
    }
    if (is_group)
        return count == 2 && found.len == 0;
    return strchr(buf_text(&found), '/') != NULL
           && (type == NULL || strcasecmp(buf_text(&found), type) == 0);
}

static bool is_group_id(struct str text)
{
    return is_id(text, NULL, true);
}

static bool is_resource_id(struct str text)
{
    return is_id(text, NULL, false);
}

static const struct form {
    const char *path;
    bool (*fits)(struct str text);
    const char *what;
    const char *hint;
} forms[] = {
    { "location", is_region, "a region's name",
            "for example japaneast; az account list-locations -o table" },
    { "azure.subscription", is_uuid, "a subscription's id: 8-4-4-4-12 hexadecimal digits",
            "az account list -o table shows the ids; the name won't do" },
    { "azure.tenant", is_domain, "a tenant's id or domain", "az account show --query tenantId" },
    { "azure.resource_group.existing", is_group_id, "a resource group's id",
            "/subscriptions/ID/resourceGroups/NAME" },
    { "registry.server", is_host, "a registry's host",
            "the name alone, as in registry.example.com: no https://, no path (that is prefix:)" },
    { "registry.prefix", is_image_path, "a path before the names of images",
            "for example mirror/hub" },
    { "registry.identity", is_resource_id, "an identity's id",
            "az identity show -g GROUP -n NAME --query id" },
};

static void complain(struct scope *s, const struct doc_node *node, const char *path,
        const char *hint, const json_t *value, const char *what)
{
    AUTO(buf) struct buf shown = BUF_INIT(BUF_TEXT_MAX);
    const char *text = json_string_value(value);
    const char *left = jsonx_text(value, "$expr");
    struct diag *d = NULL;

    text_add_escaped(&shown, str_slice(str_of(text != NULL ? text : left), 0, 200));
    if (text != NULL)
        d = diag_add(s->x->diags, DIAG_ERROR, "stack.form", node->place, path, "'%s' is not %s",
                buf_text(&shown), what);
    else
        d = diag_add(s->x->diags, DIAG_ERROR, "stack.form", node->place, path,
                "must be %s: %s can't be", what, buf_text(&shown));
    diag_set_hint(s->x->diags, d, "%s", hint);
}

static bool check(
        struct scope *s, const struct form *f, const struct doc_node *node, const json_t *value)
{
    const bool is_secret = eval_mark(value) == EVAL_LEFT && expr_is_secret(value);

    if (!is_secret && (!json_is_string(value) || f->fits(str_of(json_string_value(value)))))
        return true;
    complain(s, node, f->path, f->hint, value, f->what);
    return false;
}

bool form_check(struct scope *s, const struct doc_node *node, const char *path, const json_t *value)
{
    bool is_good = true;

    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        const char *last = strrchr(forms[i].path, '.');
        const struct doc_node *member =
                last != NULL && node->kind == DOC_MAP ? doc_get(node, last + 1) : NULL;

        if (text_eq(forms[i].path, path))
            is_good = check(s, &forms[i], node, value) && is_good;
        else if (member != NULL && str_starts(str_of(forms[i].path), str_of(path)))
            is_good = check(s, &forms[i], member, json_object_get(value, last + 1)) && is_good;
    }
    return is_good;
}

/* "/subscriptions/ID/resourceGroups/NAME/providers/NS/TYPE/NAME" of a type. */
static void print_id(struct buf *out, const struct kind *k)
{
    struct str rest = str_of(k->type);
    const struct str namespace = str_cut(&rest, '/');

    buf_add_text(out, "an id as in ");
    if (k->scope == KIND_SCOPE_EXTENSION)
        buf_add_text(out, "RESOURCE");
    else
        buf_add_text(out, "/subscriptions/ID/resourceGroups/NAME");
    if (k->is_group)
        return;
    buf_addf(out, "/providers/%.*s", STR_ARG(namespace));
    while (rest.p != NULL) {
        const struct str type = str_cut(&rest, '/');

        buf_addf(out, "/%.*s/NAME", STR_ARG(type));
    }
}

bool form_check_id(struct scope *s, const struct doc_node *node, const char *path,
        const struct kind *k, const json_t *value)
{
    const char *text = json_string_value(value);
    const char *left = jsonx_text(value, "$expr");
    /* The id of a resource that is made here is known before it is there. */
    const bool is_made =
            left != NULL && strstr(left, "resource[") != NULL && !expr_is_secret(value);
    AUTO(buf) struct buf hint = BUF_INIT(BUF_TEXT_MAX);
    AUTO(free) char *what = xasprintf("an id of type %s", k->type);

    if (is_made || (text == NULL && left == NULL)
            || (text != NULL && is_id(str_of(text), k->type, k->is_group)))
        return true;
    print_id(&hint, k);
    complain(s, node, path, buf_text(&hint), value, what);
    return false;
}
